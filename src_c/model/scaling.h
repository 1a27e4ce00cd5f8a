/* What a scaler does to a step's inputs. */
#ifndef PYLSTM_SCALING_H
#define PYLSTM_SCALING_H

#include "support/real.h"

/* out [n] = (x - mean) / scale */
static inline void scale_input(ptrdiff_t n, const real *x, const real *mean, const real *scale, real *out)
{
    for (ptrdiff_t k = 0; k < n; k++)
        out[k] = (x[k] - mean[k]) / scale[k];
}

#endif
