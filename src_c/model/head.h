/* Above the layers: pooling the outputs of all steps to one per sequence, softmax, and the losses. */
#ifndef PYLSTM_HEAD_H
#define PYLSTM_HEAD_H

#include "support/real.h"

/* The outputs y [N][D * H] of a batch, and which of its columns belong to which direction. */
struct outputs {
    const pylstm_batch *batch;
    ptrdiff_t hidden_size, n_directions;
};

/* pooled [B][D * H], out, caller's order. */
void NAME(pool_forward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, real *pooled);
/* dy [N][D * H], out. `pooled` is what the forward gave. */
void NAME(pool_backward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, const real *pooled,
                         const real *dpooled, real *dy);

/* values [rows][columns]: each row to exp(v) / sum exp(v), in place. */
void NAME(softmax)(ptrdiff_t rows, ptrdiff_t columns, real *values);

/* Losses: weighted means over the rows, by weights [rows] that sum to `total`. The predictions become the gradient of
 * the loss by what went into softmax or the identity. */

/* -log p[label];  (p - onehot) weight / total */
double NAME(cross_entropy)(ptrdiff_t rows, ptrdiff_t columns, real *probabilities, const ptrdiff_t *labels,
                           const double *weights, double total);
/* mean over the columns of (y - target)^2 / 2;  (y - target) / columns * weight / total */
double NAME(squared_error)(ptrdiff_t rows, ptrdiff_t columns, real *values, const real *targets, const double *weights,
                           double total);

#endif
