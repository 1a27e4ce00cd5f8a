/* One source for both dtypes: a file that includes this is compiled once with PYLSTM_REAL_BITS=32, once with 64.
 * NAME(x) is pylstm_x_f32 or pylstm_x_f64. */
#ifndef PYLSTM_REAL_H
#define PYLSTM_REAL_H

#include "pylstm.h"

#include <math.h>

#if PYLSTM_REAL_BITS == 32
typedef float real;
#define NAME(x) pylstm_##x##_f32
#define GEMM(blas) (blas)->sgemm
#define EXP expf
#define TANH tanhf
#define LOG logf
#define SQRT sqrtf
#elif PYLSTM_REAL_BITS == 64
typedef double real;
#define NAME(x) pylstm_##x##_f64
#define GEMM(blas) (blas)->dgemm
#define EXP exp
#define TANH tanh
#define LOG log
#define SQRT sqrt
#else
#error "compile with -DPYLSTM_REAL_BITS=32 or -DPYLSTM_REAL_BITS=64"
#endif

/* Row-major C [m, n] (row stride ldc) = A [m, k] op(B) + beta C, where op(B) is [k, n]: B as it lies, or transposed.
 * Row-major C = A B is column-major C' = B' A'. */
static inline void gemm(const pylstm_blas *blas, char transpose_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *a,
                        ptrdiff_t lda, const real *b, ptrdiff_t ldb, real beta, real *c, ptrdiff_t ldc)
{
    char no = 'N';
    int m_ = (int)m, n_ = (int)n, k_ = (int)k, lda_ = (int)lda, ldb_ = (int)ldb, ldc_ = (int)ldc;
    real one = 1;
    /* The Fortran interface knows no const; A and B are only read. */
    GEMM(blas)(&transpose_b, &no, &n_, &m_, &k_, &one, (real *)(uintptr_t)b, &ldb_, (real *)(uintptr_t)a, &lda_, &beta,
               c, &ldc_);
}

/* Row-major C [m, n] += A' B with A [k, m] and B [k, n]: the sum over rows of outer products that weights' gradients
 * are. */
static inline void gemm_outer(const pylstm_blas *blas, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *a,
                              ptrdiff_t lda, const real *b, ptrdiff_t ldb, real *c, ptrdiff_t ldc)
{
    char no = 'N', yes = 'T';
    int m_ = (int)m, n_ = (int)n, k_ = (int)k, lda_ = (int)lda, ldb_ = (int)ldb, ldc_ = (int)ldc;
    real one = 1;
    GEMM(blas)(&no, &yes, &n_, &m_, &k_, &one, (real *)(uintptr_t)b, &ldb_, (real *)(uintptr_t)a, &lda_, &one, c,
               &ldc_);
}

#endif
