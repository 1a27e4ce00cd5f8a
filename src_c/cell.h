/* The LSTM cell: what happens to one step's pre-activations. A new kind of cell starts here. */
#ifndef PYLSTM_CELL_H
#define PYLSTM_CELL_H

#include "real.h"

/* One step of `rows` sequences.
 *   gates   [rows][4H]  in: pre-activations z_i, z_f, z_g, z_o; out: i, f, g, o
 *   c_prev  [rows][H]   may be c
 *   c, h    [rows][H]   out */
void NAME(cell_forward)(ptrdiff_t rows, ptrdiff_t hidden, real *gates, const real *c_prev, real *c, real *h);

/* Its derivative.
 *   dh      [rows][H]   dL/dh
 *   dc      [rows][H]   in: dL/dc from the step after; out: dL/dc_prev
 *   dgates  [rows][4H]  out: dL/dz of the four pre-activations */
void NAME(cell_backward)(ptrdiff_t rows, ptrdiff_t hidden, const real *gates, const real *c_prev, const real *c,
                         const real *dh, real *dc, real *dgates);

#endif
