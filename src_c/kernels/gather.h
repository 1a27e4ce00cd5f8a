/* Rows from the caller's order into a step's and back: what kernels.h says of it, for one instruction set. */
#ifndef PYLSTM_GATHER_H
#define PYLSTM_GATHER_H

#include "kernels/kernels.h"

void ISA_NAME(gather)(ptrdiff_t n_rows, ptrdiff_t n, bool adds, struct const_rows from, struct places at,
                      struct rows to);
void ISA_NAME(scatter)(ptrdiff_t n_rows, ptrdiff_t n, bool adds, struct const_rows from, struct rows to,
                       struct places at);

#endif
