/* What the C file of an exported model has beside the kernels; export_c writes the calls. */
#ifndef PYLSTM_EXPORTED_H
#define PYLSTM_EXPORTED_H

#include "kernels/fused.h"

/* One step of a layer, on its state h, and c of an LSTM; next is where h is made. c, a GRU's h and next have room for
 * whole panels. It reads x, or a one-hot token: then x is not read. token: NULL, values. */
static void run_layer(const struct step_weights *weights, const real *x, const ptrdiff_t *token, real *h, real *c,
                      real *next)
{
    const struct step_rows rows = {1, {x, 0}, token, h, c ? c : h, c, next, {NULL, 0, 0}};
    const struct step step = {weights, rows, {NULL, 0, 0}, false, false};
    step_row(EXPORTED_CELL, &step);
    memcpy(h, next, (size_t)weights->n_h * sizeof *h);
}

/* x [n] = a row of a table of bytes, times its scale. */
static inline void read_row(ptrdiff_t n, const stored *row, real scale, real *x)
{
    for (ptrdiff_t k = 0; k < n; k++)
        x[k] = (real)row[k] * scale;
}

#endif
