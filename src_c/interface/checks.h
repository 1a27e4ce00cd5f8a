/* Checks that several public functions share. */
#ifndef PYLSTM_CHECKS_H
#define PYLSTM_CHECKS_H

#include "pylstm.h"

/* As pylstm_model_check, of a model that may have no dense layer: n_outputs is 0 then. */
int pylstm_model_or_net_check(const pylstm_model *model);

/* Of a net, and of a shape that it is to take. */
int pylstm_shape_check(const pylstm_shape *shape);

/* Of n tokens that a net reads, if it does, `stride` apart: their size, and that each is one. */
int pylstm_tokens_check(const pylstm_net *net, const void *tokens, int token_size, ptrdiff_t n, ptrdiff_t stride);

/* Of scalings, or NULL for none: that there is a scale for each mean, and an output for targets. */
int pylstm_scalings_check(const pylstm_model *model, const pylstm_scalings *scalings);

/* Calls the function of the dtype. */
#define BY_DTYPE(dtype, function, ...)                                                                                 \
    ((dtype) == PYLSTM_FLOAT32 ? function##_f32(__VA_ARGS__) : function##_f64(__VA_ARGS__))

#endif
