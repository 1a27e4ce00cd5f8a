/* What comes between a gradient and the new parameters. */
#ifndef PYLSTM_ADAM_H
#define PYLSTM_ADAM_H

#include "real.h"

/* Scales `gradient` [n] down to the Euclidean norm `max_norm`, if it is longer; 0 leaves it. */
void NAME(clip_norm)(ptrdiff_t n, real *gradient, double max_norm);

/* One step of Adam on `parameters` [n]; advances adam->t. */
void NAME(adam_step)(ptrdiff_t n, real *parameters, const real *gradient, pylstm_adam *adam);

#endif
