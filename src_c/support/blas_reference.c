/* For programs without a BLAS. */
#include "support/plain_gemm.h"

DEFINE_GEMM(reference_sgemm, float)
DEFINE_GEMM(reference_dgemm, double)

const pylstm_blas pylstm_blas_reference = {reference_sgemm, reference_dgemm};
