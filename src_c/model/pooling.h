/* Between layers and head: the outputs of all steps of a sequence as one. */
#ifndef PYLSTM_POOLING_H
#define PYLSTM_POOLING_H

#include "support/real.h"

/* The outputs y [N][D * H] of a batch, or of a part of one, and which of its columns belong to which direction. */
struct outputs {
    const pylstm_batch *batch;
    ptrdiff_t hidden_size, n_directions;
};

struct outputs NAME(outputs_of)(const pylstm_net *net, const pylstm_batch *batch);

/* pooled [B][D * H], out, caller's order; of a part its own sequences. */
void NAME(pool_forward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, real *pooled);
/* dy [N][D * H], out. `pooled` is what the forward gave. */
void NAME(pool_backward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, const real *pooled,
                         const real *dpooled, real *dy);

#endif
