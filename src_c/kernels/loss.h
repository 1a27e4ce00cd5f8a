/* The losses of one row of predictions, which become share times their gradient by what went into softmax or the
 * identity. */
#ifndef PYLSTM_LOSS_H
#define PYLSTM_LOSS_H

#include "support/libm.h"

#include <float.h>

/* -log p[label];  p - onehot */
static inline double cross_entropy_row(ptrdiff_t n, real *probabilities, ptrdiff_t label, double share)
{
    real p = probabilities[label];
    probabilities[label] -= 1;
    for (ptrdiff_t j = 0; j < n; j++)
        probabilities[j] *= (real)share;
    return -(double)LOG(p < FLT_MIN ? FLT_MIN : p); /* finite where the softmax underflowed */
}

/* mean of (y - target)^2 / 2;  (y - target) / n */
static inline double squared_error_row(ptrdiff_t n, real *values, const real *targets, double share)
{
    double squares = 0, scale = share / (double)n;
    for (ptrdiff_t j = 0; j < n; j++) {
        double residual = (double)values[j] - (double)targets[j];
        squares += residual * residual;
        values[j] = (real)(residual * scale);
    }
    return squares / 2 / (double)n;
}

#endif
