/* What the C file of an exported model has beside the kernels; export_c writes the calls. */
#ifndef PYLSTM_EXPORTED_H
#define PYLSTM_EXPORTED_H

#include "step.h"

/* EXP for values up to zero, which are softmax's, without libm. */
VEC_INLINE real exp_of(real y)
{
    real lanes[LANES];
    store(lanes, vec_exp(splat(y)));
    return lanes[0];
}

/* out [n] = (x - mean) / scale */
VEC_INLINE void scale_input(ptrdiff_t n, const real *x, const real *mean, const real *scale, real *out)
{
    for (ptrdiff_t k = 0; k < n; k++)
        out[k] = (x[k] - mean[k]) / scale[k];
}

/* One step of a layer, on its state h, c; next is where h is made. c and next have room for whole panels. */
static void run_layer(ptrdiff_t n_x, ptrdiff_t hidden, const stored *panels, const real *bias, const real *scale_x,
                      const real *scale_h, const real *x, real *h, real *c, real *next)
{
    const struct step s = {(hidden + LANES - 1) / LANES,
                           n_x,
                           n_x,
                           n_x + hidden,
                           {bias, 0},
                           {x, n_x},
                           panels,
                           scale_x,
                           scale_h,
                           h,
                           c,
                           c,
                           next,
                           NULL};
    step_row(&s, false);
    memcpy(h, next, (size_t)hidden * sizeof *h);
}

#endif
