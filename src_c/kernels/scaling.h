/* What a scaler does to a step's inputs. */
#ifndef PYLSTM_SCALING_H
#define PYLSTM_SCALING_H

#include "support/real.h"

/* out [n] = (x - mean) / scale, made of readings and then cast. */
static inline void scale_input(ptrdiff_t n, const reading *x, const reading *mean, const reading *scale, real *out)
{
    for (ptrdiff_t k = 0; k < n; k++)
        out[k] = (real)((x[k] - mean[k]) / scale[k]);
}

#endif
