/* What scalers do to a step's inputs and outputs. */
#ifndef PYLSTM_SCALING_H
#define PYLSTM_SCALING_H

#include "support/real.h"

/* out [n] = (x - mean) / scale, made of readings and then cast. */
static inline void scale_input(ptrdiff_t n, const reading *x, const reading *mean, const reading *scale, real *out)
{
    for (ptrdiff_t k = 0; k < n; k++)
        out[k] = (real)((x[k] - mean[k]) / scale[k]);
}

/* y [n] = out * scale + mean, made of answers: first multiplied, then added, in statements of their own, which
 * compilers that keep to the standard do not make one of that rounds once. y may be out where both are of one type. */
static inline void unscale_output(ptrdiff_t n, const real *out, const answer *mean, const answer *scale, answer *y)
{
    for (ptrdiff_t k = 0; k < n; k++) {
        answer product = (answer)out[k] * scale[k];
        y[k] = product + mean[k];
    }
}

#endif
