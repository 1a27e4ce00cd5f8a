/* Training of an exported model's dense layer alone. Its weights [n_outputs][width] and biases [n_outputs] lie one
 * after the other, their gradient alike. */
#ifndef PYLSTM_EXPORTED_HEAD_H
#define PYLSTM_EXPORTED_HEAD_H

#include "exported/descent.h"
#include "kernels/dense.h"
#include "kernels/losses.h"

struct head {
    ptrdiff_t n_outputs, width;
    real *weights, *gradient, *outputs;
    wide share; /* of a row in the loss, and in the gradient */
};

VEC_APART void run_head(const struct head *head, const real *features)
{
    const real *bias = head->weights + head->n_outputs * head->width;
    const struct dense layer = {head->n_outputs, head->width, head->weights, NULL, bias};
    dense_row(layer, features, head->outputs, false);
}

/* Adds a row's share of the gradient, of features [width]; returns its share of the loss. */
static real learn_row(const struct head *head, const real *features, struct target target)
{
    ptrdiff_t n = head->n_outputs, width = head->width;
    real *dweight = head->gradient, *dbias = dweight + n * width, *outputs = head->outputs;
    run_head(head, features);
    wide loss = LOSS_ROW(n, outputs, target, head->share, LOSS_PARAMETER);
    for (ptrdiff_t j = 0; j < n; j++, dweight += width) {
        for (ptrdiff_t k = 0; k < width; k++)
            dweight[k] += outputs[j] * features[k];
        dbias[j] += outputs[j];
    }
    return head->share * loss;
}

/* A step of SGD; returns the loss, or what is not finite. */
static real descend(const struct head *head, real loss, real max_norm, real learning_rate)
{
    ptrdiff_t n = head->n_outputs * (head->width + 1);
    real squares = 0;
    for (ptrdiff_t k = 0; k < n; k++)
        squares += head->gradient[k] * head->gradient[k];
    real rate = descent_rate(squares, max_norm, learning_rate, &loss);
    for (ptrdiff_t k = 0; k < n && rate != 0; k++)
        head->weights[k] -= rate * head->gradient[k];
    return loss;
}

#endif
