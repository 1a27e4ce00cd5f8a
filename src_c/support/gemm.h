/* The row-major face of BLAS's gemm. */
#ifndef PYLSTM_GEMM_H
#define PYLSTM_GEMM_H

#include "support/real.h"

#if PYLSTM_REAL_BITS == 32
#define GEMM(blas) (blas)->sgemm
#else
#define GEMM(blas) (blas)->dgemm
#endif

/* Multiply-adds up to which OpenBLAS stays on the calling thread; it has no setter among its Fortran functions. */
#define ONE_THREAD_PRODUCT ((ptrdiff_t)1 << 18)

/* Row-major C [m, n] = op(A) op(B) + beta C, where op(A) is [m, k] and op(B) [k, n], each as it lies ('N') or
 * transposed
 * ('T'). Split so that BLAS starts no threads. Row-major C = A B is column-major C' = B' A'. */
static inline void gemm(const pylstm_blas *blas, char op_a, char op_b, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                        const real *a, ptrdiff_t lda, const real *b, ptrdiff_t ldb, real beta, real *c, ptrdiff_t ldc)
{
    ptrdiff_t m_most = ONE_THREAD_PRODUCT / k > 1 ? ONE_THREAD_PRODUCT / k : 1;
    ptrdiff_t n_most = m_most / (m < m_most ? m : m_most) > 1 ? m_most / (m < m_most ? m : m_most) : 1;
    for (ptrdiff_t i = 0; i < m; i += m_most) {
        for (ptrdiff_t j = 0; j < n; j += n_most) {
            int m_ = (int)(m - i < m_most ? m - i : m_most), n_ = (int)(n - j < n_most ? n - j : n_most), k_ = (int)k;
            int lda_ = (int)lda, ldb_ = (int)ldb, ldc_ = (int)ldc;
            real one = 1;
            /* The Fortran interface knows no const; A and B are only read. */
            real *a_from = (real *)(uintptr_t)(a + (op_a == 'N' ? i * lda : i));
            real *b_from = (real *)(uintptr_t)(b + (op_b == 'N' ? j : j * ldb));
            GEMM(blas)(&op_b, &op_a, &n_, &m_, &k_, &one, b_from, &ldb_, a_from, &lda_, &beta, c + i * ldc + j, &ldc_);
        }
    }
}

#endif
