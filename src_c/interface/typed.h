/* The functions that exist once per dtype, with the public signatures of pylstm.h; api.c chooses between them. */
#ifndef PYLSTM_TYPED_H
#define PYLSTM_TYPED_H

#include "pylstm.h"

/* As pylstm_model_check, of a model that may have no dense layer: n_outputs is 0 then. */
int pylstm_model_or_net_check(const pylstm_model *model);

typedef int net_size_function(const pylstm_net *, const pylstm_shape *, size_t *);
typedef int model_size_function(const pylstm_model *, const pylstm_shape *, size_t *);

typedef int packed_size_function(const pylstm_net *, size_t *);
typedef void pack_function(const pylstm_net *, const void *, pylstm_memory);
typedef int forward_function(const pylstm_net *, const pylstm_batch *, const void *, pylstm_memory, const void *,
                             const void *, void *, void *, uint64_t, pylstm_memory, pylstm_memory);
typedef int trace_function(const pylstm_net *, const pylstm_batch *, const void *, pylstm_memory, const void *,
                           const void *, const void *, void *, void *, pylstm_memory, pylstm_memory);
typedef int backward_function(const pylstm_net *, const pylstm_batch *, const void *, const void *, const void *,
                              void *, void *, void *, uint64_t, pylstm_memory, pylstm_memory);
typedef int tape_read_function(const pylstm_net *, const pylstm_batch *, ptrdiff_t, ptrdiff_t, pylstm_memory, void *);
typedef int predict_function(const pylstm_model *, const pylstm_batch *, const void *, pylstm_memory, const void *,
                             const void *, void *, void *, pylstm_memory);
typedef int read_out_function(const pylstm_model *, const pylstm_batch *, const void *, const void *, void *,
                              pylstm_memory);
typedef int train_step_function(const pylstm_model *, const pylstm_blas *, const pylstm_dataset *, const ptrdiff_t *,
                                ptrdiff_t, void *, pylstm_solver *, uint64_t, const void *, void *, double *, double *,
                                pylstm_memory);

net_size_function pylstm_tape_size_f32, pylstm_tape_size_f64;
net_size_function pylstm_forward_size_f32, pylstm_forward_size_f64;
net_size_function pylstm_backward_size_f32, pylstm_backward_size_f64;
packed_size_function pylstm_packed_size_f32, pylstm_packed_size_f64;
pack_function pylstm_pack_f32, pylstm_pack_f64;
forward_function pylstm_forward_f32, pylstm_forward_f64;
trace_function pylstm_trace_f32, pylstm_trace_f64;
backward_function pylstm_backward_f32, pylstm_backward_f64;
tape_read_function pylstm_tape_read_f32, pylstm_tape_read_f64;
model_size_function pylstm_predict_size_f32, pylstm_predict_size_f64;
predict_function pylstm_predict_f32, pylstm_predict_f64;
read_out_function pylstm_read_out_f32, pylstm_read_out_f64;
model_size_function pylstm_train_step_size_f32, pylstm_train_step_size_f64;
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
};

typedef int stream_size_function(const pylstm_model *, ptrdiff_t, size_t *);
typedef pylstm_stream *stream_init_function(const pylstm_model *, ptrdiff_t, pylstm_memory);
typedef void stream_set_weights_function(pylstm_stream *, const void *, const void *, const void *);
typedef void stream_set_state_function(pylstm_stream *, const void *);
typedef void stream_get_state_function(const pylstm_stream *, void *);
typedef void stream_process_function(pylstm_stream *, ptrdiff_t, const void *, void *);

stream_size_function pylstm_stream_size_f32, pylstm_stream_size_f64;
stream_init_function pylstm_stream_init_f32, pylstm_stream_init_f64;
stream_set_weights_function pylstm_stream_set_weights_f32, pylstm_stream_set_weights_f64;
stream_set_state_function pylstm_stream_set_state_f32, pylstm_stream_set_state_f64;
stream_get_state_function pylstm_stream_get_state_f32, pylstm_stream_get_state_f64;
stream_process_function pylstm_stream_process_f32, pylstm_stream_process_f64;

#endif
