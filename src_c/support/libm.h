/* What is needed of libm; exported models have exported/math.h instead. */
#ifndef PYLSTM_LIBM_H
#define PYLSTM_LIBM_H

#include "support/real.h"

#include <math.h>

#if PYLSTM_REAL_BITS == 32
#define EXP expf
#define LOG logf
#define SQRT sqrtf
#else
#define EXP exp
#define LOG log
#define SQRT sqrt
#endif
#define IS_FINITE isfinite
#define IS_NAN isnan

#endif
