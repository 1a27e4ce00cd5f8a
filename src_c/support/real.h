/* One source for both dtypes: a file that includes this is compiled once with PYLSTM_REAL_BITS=32, once with 64.
 * NAME(x) is pylstm_x_f32 or pylstm_x_f64. */
#ifndef PYLSTM_REAL_H
#define PYLSTM_REAL_H

#include "pylstm.h"

#include <float.h>

/* Of losses. Exported models have float here too: small processors have nothing else. */
typedef double wide;

#if PYLSTM_REAL_BITS == 32
typedef float real;
#define LARGEST_REAL FLT_MAX
#define NAME(x) pylstm_##x##_f32
#elif PYLSTM_REAL_BITS == 64
typedef double real;
#define LARGEST_REAL DBL_MAX
#define NAME(x) pylstm_##x##_f64
#else
#error "compile with -DPYLSTM_REAL_BITS=32 or -DPYLSTM_REAL_BITS=64"
#endif

#endif
