/* One source for both dtypes: a file that includes this is compiled once with PYLSTM_REAL_BITS=32, once with 64.
 * NAME(x) is pylstm_x_f32 or pylstm_x_f64. */
#ifndef PYLSTM_REAL_H
#define PYLSTM_REAL_H

#include "pylstm.h"

#include <float.h>
#include <string.h>

/* Bits are promised, and NaN is told from numbers: floats must be computed with as it is written. setup.py and the
 * Makefile see to that whatever CFLAGS say; clang says nothing of -fassociative-math alone. */
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(_M_FP_FAST) ||  \
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "pylstm needs floats as they are written: compile it without -ffast-math, -Ofast, /fp:fast or parts of these"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 2
#error "pylstm needs floats that are rounded to their own size: compile it with -msse2 -mfpmath=sse"
#endif

#if FLT_MANT_DIG != 24 || DBL_MANT_DIG != 53
#error "pylstm needs a float of 32 bits and a double of 64"
#endif

/* Of losses. Exported models have float here too: small processors have nothing else. */
typedef double wide;
/* Of what a scaler reads, and of its mean and scale. Exported models have float here too, where that will do. */
typedef double reading;
/* The same of what comes out, where the targets were scaled. */
typedef double answer;

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
