/* What a matrix does on the tape: forward, back, and a step down the gradient of its weights. */
#ifndef PYLSTM_EXPORTED_PRODUCTS_H
#define PYLSTM_EXPORTED_PRODUCTS_H

#include "exported/tape.h"

/* Rows, or columns, that are worked on together. */
enum { TOGETHER = 4 };

VEC_INLINE void add_rows(int n, ptrdiff_t n_columns, const real *weights, const real *in, real *out)
{
    real sums[TOGETHER];
    UNROLL
    for (int r = 0; r < n; r++)
        sums[r] = out[r];
    for (ptrdiff_t k = 0; k < n_columns; k++) {
        UNROLL
        for (int r = 0; r < n; r++)
            sums[r] += weights[r * n_columns + k] * in[k];
    }
    UNROLL
    for (int r = 0; r < n; r++)
        out[r] = sums[r];
}

/* out += weights in, in step t */
static void add_product(const struct matrix *m, ptrdiff_t t, const struct memory *memory)
{
    const real *weights = memory->weights + m->weights, *in = memory->tape + m->in + t * m->in_step;
    real *out = memory->tape + m->out + t * m->out_step;
    ptrdiff_t r = 0;
    for (; r + TOGETHER <= m->n_rows; r += TOGETHER)
        add_rows(TOGETHER, m->n_columns, weights + r * m->n_columns, in, out + r);
    for (; r < m->n_rows; r++)
        add_rows(1, m->n_columns, weights + r * m->n_columns, in, out + r);
}

VEC_INLINE void add_columns(int n, const struct matrix *m, const real *weights, const real *dout, real *din)
{
    real sums[TOGETHER];
    UNROLL
    for (int k = 0; k < n; k++)
        sums[k] = din[k];
    for (ptrdiff_t r = 0; r < m->n_rows; r++) {
        UNROLL
        for (int k = 0; k < n; k++)
            sums[k] += dout[r] * weights[r * m->n_columns + k];
    }
    UNROLL
    for (int k = 0; k < n; k++)
        din[k] = sums[k];
}

/* din [n_columns] += weights' dout, of step t */
static void add_back(const struct matrix *m, ptrdiff_t t, const struct memory *memory, real *din)
{
    const real *weights = memory->weights + m->weights, *dout = memory->tape + m->out + t * m->out_step;
    ptrdiff_t k = 0;
    for (; k + TOGETHER <= m->n_columns; k += TOGETHER)
        add_columns(TOGETHER, m, weights + k, dout, din + k);
    for (; k < m->n_columns; k++)
        add_columns(1, m, weights + k, dout, din + k);
}

/* Of n weights in a row, less rate times their gradient; at rate 0 as they are. Returns the squares of the latter. */
VEC_INLINE real descend_columns(int n, const struct matrix *m, const real *in, const real *dout, real rate,
                                real *weights)
{
    real gradient[TOGETHER] = {0}, squares = 0;
    for (ptrdiff_t t = 0; t < m->n_steps; t++, in += m->in_step, dout += m->out_step) {
        UNROLL
        for (int k = 0; k < n; k++)
            gradient[k] += *dout * in[k];
    }
    UNROLL
    for (int k = 0; k < n; k++) {
        squares += gradient[k] * gradient[k];
        if (rate != 0) /* else the gradient may be infinite */
            weights[k] -= rate * gradient[k];
    }
    return squares;
}

static real descend(const struct matrix *m, real rate, const struct memory *memory)
{
    real *weights = memory->weights + m->weights, squares = 0;
    for (ptrdiff_t r = 0; r < m->n_rows; r++, weights += m->n_columns) {
        const real *in = memory->tape + m->in, *dout = memory->tape + m->out + r;
        real of_row = 0;
        ptrdiff_t k = 0;
        for (; k + TOGETHER <= m->n_columns; k += TOGETHER)
            of_row += descend_columns(TOGETHER, m, in + k, dout, rate, weights + k);
        for (; k < m->n_columns; k++)
            of_row += descend_columns(1, m, in + k, dout, rate, weights + k);
        squares += of_row;
    }
    return squares;
}

/* The same of all matrices. No gradient is kept: it would take as much room as the weights, and what it is made of is
 * there; so it is made twice, once for its norm. */
static real descend_all(const struct learner *learner, real rate, const struct memory *memory)
{
    real squares = 0;
    for (ptrdiff_t k = 0; k < learner->n_layers * MATRICES + 2; k++)
        squares += descend(learner->matrices + k, rate, memory);
    return squares;
}

#endif
