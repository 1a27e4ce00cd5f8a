/* From a gradient to the updated weights: what kernels.h says of it, for one instruction set. */
#ifndef PYLSTM_SOLVER_H
#define PYLSTM_SOLVER_H

#include "kernels/kernels.h"

double ISA_NAME(sum_of_squares)(ptrdiff_t n, const real *values);
double ISA_NAME(decay)(ptrdiff_t n, double scale, const real *weights, real *gradient);
void ISA_NAME(solver_step)(ptrdiff_t n, real *parameters, const real *gradient, double scale, pylstm_solver *solver);

#endif
