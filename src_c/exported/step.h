/* What the C file of an exported model has beside the kernels; export_c writes the calls. */
#ifndef PYLSTM_EXPORTED_H
#define PYLSTM_EXPORTED_H

#include "kernels/step.h"

/* One step of a layer, on its state h, and c of an LSTM; next is where h is made. c, a GRU's h and next have room for
 * whole panels. */
static void run_layer(ptrdiff_t n_x, ptrdiff_t hidden, const stored *panels, const real *bias, const real *scale_x,
                      const real *scale_h, const real *x, real *h, real *c, real *next)
{
    const struct step s = {(hidden + LANES - 1) / LANES,
                           n_x,
                           n_x,
                           n_x + hidden,
                           {bias, 0, N_VECTORS(EXPORTED_CELL) * LANES},
                           {x, n_x},
                           panels,
                           scale_x,
                           scale_h,
                           h,
                           c ? c : h,
                           c,
                           next,
                           {NULL, 0, 0},
                           EXPORTED_CELL == PYLSTM_RNN_RELU,
                           false,
                           false};
    step_row(EXPORTED_CELL, &s);
    memcpy(h, next, (size_t)hidden * sizeof *h);
}

#endif
