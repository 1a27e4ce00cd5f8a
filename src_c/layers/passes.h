/* The public functions of a net, as they exist once per dtype, with the signatures of pylstm.h; the interface chooses
 * between them. */
#ifndef PYLSTM_PASSES_H
#define PYLSTM_PASSES_H

#include "pylstm.h"

typedef int net_size_function(const pylstm_net *, const pylstm_shape *, size_t *);

typedef int packed_size_function(const pylstm_net *, size_t *);
typedef void pack_function(const pylstm_net *, const void *, pylstm_memory);
typedef int forward_function(const pylstm_net *, const pylstm_forward_pass *);
typedef int backward_function(const pylstm_net *, const pylstm_backward_pass *);
typedef int tape_read_function(const pylstm_net *, const pylstm_batch *, ptrdiff_t, ptrdiff_t, pylstm_memory, void *);

net_size_function pylstm_tape_size_f32, pylstm_tape_size_f64;
net_size_function pylstm_forward_size_f32, pylstm_forward_size_f64;
net_size_function pylstm_backward_size_f32, pylstm_backward_size_f64;
packed_size_function pylstm_packed_size_f32, pylstm_packed_size_f64;
pack_function pylstm_pack_f32, pylstm_pack_f64;
forward_function pylstm_forward_f32, pylstm_forward_f64;
forward_function pylstm_trace_f32, pylstm_trace_f64;
backward_function pylstm_backward_f32, pylstm_backward_f64;
tape_read_function pylstm_tape_read_f32, pylstm_tape_read_f64;

#endif
