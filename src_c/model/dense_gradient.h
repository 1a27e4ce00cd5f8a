/* The gradient of the dense layer on top. */
#ifndef PYLSTM_DENSE_GRADIENT_H
#define PYLSTM_DENSE_GRADIENT_H

#include "support/gemm.h"

/* Of n rows: dweight [n_outputs][width] += doutputs' features, dbias [n_outputs] += the sums of doutputs' columns. */
static inline void add_dense_gradient(const pylstm_blas *blas, ptrdiff_t n, ptrdiff_t n_outputs, ptrdiff_t width,
                                      const real *doutputs, const real *features, real *dweight, real *dbias)
{
    gemm(blas, 'T', 'N', n_outputs, width, n, doutputs, n_outputs, features, width, 1, dweight, width);
    for (ptrdiff_t e = 0; e < n; e++)
        for (ptrdiff_t j = 0; j < n_outputs; j++)
            dbias[j] += doutputs[e * n_outputs + j];
}

#endif
