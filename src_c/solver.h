/* From a gradient to the updated weights. */
#ifndef PYLSTM_SOLVER_H
#define PYLSTM_SOLVER_H

#include "real.h"

/* Sum of the squares of values [n]. */
double NAME(sum_of_squares)(ptrdiff_t n, const real *values);
/* Scales gradient [n] down to a norm of `max_norm`; 0 leaves it. */
void NAME(clip_norm)(ptrdiff_t n, real *gradient, double max_norm);
/* One step of the solver on parameters [n]; counts t up. */
void NAME(solver_step)(ptrdiff_t n, real *parameters, const real *gradient, pylstm_solver *solver);

#endif
