/* For programs without a BLAS: a gemm in plain loops with the Fortran interface, small, correct, slow. */
#include "pylstm.h"

/* Column-major C [m, n] = alpha op(A) [m, k] op(B) [k, n] + beta C. With beta = 0, C is only written. */
#define DEFINE_GEMM(name, real)                                                                                        \
    static void name(char *transa, char *transb, int *m, int *n, int *k, real *alpha, real *a, int *lda, real *b,      \
                     int *ldb, real *beta, real *c, int *ldc)                                                          \
    {                                                                                                                  \
        ptrdiff_t a_row = *transa == 'N' ? 1 : *lda, a_column = *transa == 'N' ? *lda : 1;                             \
        ptrdiff_t b_row = *transb == 'N' ? 1 : *ldb, b_column = *transb == 'N' ? *ldb : 1;                             \
        for (ptrdiff_t j = 0; j < *n; j++) {                                                                           \
            for (ptrdiff_t i = 0; i < *m; i++) {                                                                       \
                real sum = 0;                                                                                          \
                for (ptrdiff_t p = 0; p < *k; p++)                                                                     \
                    sum += a[i * a_row + p * a_column] * b[p * b_row + j * b_column];                                  \
                real *out = &c[i + j * *ldc];                                                                          \
                *out = *beta != 0 ? *alpha * sum + *beta * *out : *alpha * sum;                                        \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_GEMM(reference_sgemm, float)
DEFINE_GEMM(reference_dgemm, double)

const pylstm_blas pylstm_blas_reference = {reference_sgemm, reference_dgemm, 0};
