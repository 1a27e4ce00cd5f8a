/* The public functions of a model, as they exist once per dtype, with the signatures of pylstm.h; the interface chooses
 * between them. */
#ifndef PYLSTM_MODEL_H
#define PYLSTM_MODEL_H

#include "pylstm.h"

#include <stdbool.h>

/* Whether one output is made of all steps of a sequence. */
static inline bool is_pooled(const pylstm_model *model)
{
    return model->pooling != PYLSTM_POOL_NONE;
}

/* E: one output per sequence, or one per step. */
static inline ptrdiff_t n_predictions(const pylstm_model *model, const pylstm_shape *shape)
{
    return is_pooled(model) ? shape->n_sequences : shape->n_rows;
}

typedef int model_size_function(const pylstm_model *, const pylstm_shape *, size_t *);
typedef int predict_function(const pylstm_model *, const pylstm_forward_pass *);
typedef int read_out_function(const pylstm_model *, const pylstm_batch *, const void *, const void *, void *,
                              pylstm_memory);

model_size_function pylstm_predict_size_f32, pylstm_predict_size_f64;
predict_function pylstm_predict_f32, pylstm_predict_f64;
read_out_function pylstm_read_out_f32, pylstm_read_out_f64;

/* What both dtypes' gradients begin with. */
struct pylstm_gradient {
    pylstm_dtype dtype;
    pylstm_model model;
    pylstm_shape bound; /* of a mini-batch */
};

typedef pylstm_gradient *gradient_init_function(const pylstm_model *, const pylstm_blas *, const pylstm_shape *, void *,
                                                void *, pylstm_memory);
typedef void gradient_begin_function(pylstm_gradient *);
typedef void gradient_pass_function(pylstm_gradient *, const pylstm_minibatch *);
typedef void gradient_outputs_function(pylstm_gradient *, const pylstm_minibatch *, void *);
typedef void gradient_backward_function(pylstm_gradient *, const pylstm_minibatch *, const void *);
typedef double gradient_finish_function(pylstm_gradient *);
typedef double update_function(const pylstm_model *, pylstm_solver *, void *, void *, double, double);
typedef double train_step_function(pylstm_gradient *, const pylstm_minibatch *, pylstm_solver *);

model_size_function pylstm_gradient_size_f32, pylstm_gradient_size_f64;
gradient_init_function pylstm_gradient_init_f32, pylstm_gradient_init_f64;
gradient_begin_function pylstm_gradient_begin_f32, pylstm_gradient_begin_f64;
gradient_pass_function pylstm_gradient_add_f32, pylstm_gradient_add_f64;
gradient_outputs_function pylstm_gradient_outputs_f32, pylstm_gradient_outputs_f64;
gradient_backward_function pylstm_gradient_backward_f32, pylstm_gradient_backward_f64;
gradient_finish_function pylstm_gradient_finish_f32, pylstm_gradient_finish_f64;
update_function pylstm_update_f32, pylstm_update_f64;
train_step_function pylstm_train_step_f32, pylstm_train_step_f64;

typedef int head_size_function(const pylstm_head *, ptrdiff_t, size_t *);
typedef int head_gradient_function(const pylstm_head *, const pylstm_blas *, const pylstm_head_batch *, double *,
                                   pylstm_memory);

head_size_function pylstm_head_size_f32, pylstm_head_size_f64;
head_gradient_function pylstm_head_gradient_f32, pylstm_head_gradient_f64;

/* How many threads so many rows are worth, of head's n_threads. */
ptrdiff_t pylstm_head_n_members(const pylstm_head *head, ptrdiff_t n_rows);

/* What both dtypes' streams begin with. */
struct pylstm_stream {
    pylstm_dtype dtype;
    pylstm_model model;
    ptrdiff_t batch_size;
    pylstm_missing_kind missing; /* of the first weights, and so of all, as is the number of columns */
    ptrdiff_t n_columns;
};

/* Whether a stream's dense layer reads what is pooled of the steps so far. */
static inline bool is_running_pool(const pylstm_model *model)
{
    return model->n_outputs > 0 && (model->pooling == PYLSTM_POOL_MEAN || model->pooling == PYLSTM_POOL_MAX);
}

typedef int stream_size_function(const pylstm_model *, ptrdiff_t, size_t *);
typedef pylstm_stream *stream_init_function(const pylstm_model *, ptrdiff_t, pylstm_memory);
typedef void stream_set_weights_function(pylstm_stream *, const void *, pylstm_scalings);
typedef void stream_set_state_function(pylstm_stream *, const void *);
typedef void stream_get_state_function(const pylstm_stream *, void *);
typedef void stream_set_pool_function(pylstm_stream *, const void *, const int64_t *);
typedef void stream_get_pool_function(const pylstm_stream *, void *, int64_t *);
typedef void stream_set_kept_function(pylstm_stream *, const double *);
typedef void stream_get_kept_function(const pylstm_stream *, double *);
typedef void stream_process_function(pylstm_stream *, ptrdiff_t, const void *, void *);

typedef void stream_generate_function(pylstm_stream *, pylstm_sampler *, uint32_t, ptrdiff_t, uint32_t *);

stream_generate_function pylstm_stream_generate_f32, pylstm_stream_generate_f64;
stream_size_function pylstm_stream_size_f32, pylstm_stream_size_f64;
stream_init_function pylstm_stream_init_f32, pylstm_stream_init_f64;
stream_set_weights_function pylstm_stream_set_weights_f32, pylstm_stream_set_weights_f64;
stream_set_state_function pylstm_stream_set_state_f32, pylstm_stream_set_state_f64;
stream_get_state_function pylstm_stream_get_state_f32, pylstm_stream_get_state_f64;
stream_set_pool_function pylstm_stream_set_pool_f32, pylstm_stream_set_pool_f64;
stream_get_pool_function pylstm_stream_get_pool_f32, pylstm_stream_get_pool_f64;
stream_set_kept_function pylstm_stream_set_kept_f32, pylstm_stream_set_kept_f64;
stream_get_kept_function pylstm_stream_get_kept_f32, pylstm_stream_get_kept_f64;
stream_process_function pylstm_stream_process_f32, pylstm_stream_process_f64;

#endif
