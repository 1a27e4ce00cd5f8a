/* What the C file of an exported model has beside the kernels; export_c writes the calls. */
#ifndef PYLSTM_EXPORTED_H
#define PYLSTM_EXPORTED_H

#include "kernels/fused.h"

/* One step of a layer, on its state h, and c of an LSTM; next is where h is made. c, a GRU's h and next have room for
 * whole panels. */
static void run_layer(const struct step_weights *weights, const real *x, real *h, real *c, real *next)
{
    const struct step step = {
        weights, {1, {x, 0}, NULL, h, c ? c : h, c, next, {NULL, 0, 0}}, {NULL, 0, 0}, false, false};
    step_row(EXPORTED_CELL, &step);
    memcpy(h, next, (size_t)weights->n_h * sizeof *h);
}

#endif
