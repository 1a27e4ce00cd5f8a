/* Training of an exported model's dense layer alone. Its weights [n_outputs][width] and biases [n_outputs] lie one
 * after the other, their gradient alike. */
#ifndef PYLSTM_EXPORTED_HEAD_H
#define PYLSTM_EXPORTED_HEAD_H

#include "kernels/dense.h"
#include "kernels/descent.h"
#include "kernels/loss.h"
#include "kernels/softmax.h"
#include "model/dense_gradient.h"
#include "support/plain_gemm.h"

DEFINE_GEMM(plain_sgemm, float)

static const pylstm_blas plain_blas = {plain_sgemm, NULL};

/* Adds a row's share of the gradient, of features [width] and a label or targets [n_outputs]; returns its share of the
 * loss. The outputs are scratch. */
VEC_INLINE double learn_row(ptrdiff_t n_outputs, ptrdiff_t width, const real *features, const real *weights,
                            const int *label, const real *targets, double share, real *outputs, real *gradient)
{
    ptrdiff_t n_weights = n_outputs * width;
    double loss;
    dense_row(n_outputs, width, features, weights, NULL, weights + n_weights, outputs);
    if (label) {
        softmax_row(n_outputs, outputs);
        loss = cross_entropy_row(n_outputs, outputs, *label, share);
    } else {
        loss = squared_error_row(n_outputs, outputs, targets, share);
    }
    add_dense_gradient(&plain_blas, 1, n_outputs, width, outputs, features, gradient, gradient + n_weights);
    return share * loss;
}

/* A step of SGD on parameters [n], the gradient clipped; none where it or the loss is not finite. Returns the loss, or
 * what is not finite. */
VEC_INLINE float learn_gradient(ptrdiff_t n, real *parameters, const real *gradient, double loss, float learning_rate,
                                double max_grad_norm)
{
    double squares = sum_of_squares(n, gradient);
    if (!IS_FINITE(squares))
        loss = squares;
    if (IS_FINITE(loss))
        descend(n, parameters, gradient, learning_rate * (real)clipping(squares, max_grad_norm));
    return (float)loss;
}

#endif
