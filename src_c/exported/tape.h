/* What a model that learns is made of, and where on its tape is what its steps leave behind. */
#ifndef PYLSTM_EXPORTED_TAPE_H
#define PYLSTM_EXPORTED_TAPE_H

#include "exported/math.h"

/* Weights [n_rows][n_columns] as they are used: in each of n_steps, out [n_rows] += weights in [n_columns]. When the
 * gradient by out stands in its place, that of the weights is the sum over steps of the products of out and in. A bias
 * is a matrix with one column, whose input is 1. `weights` says where among all, the others where on the tape. */
struct matrix {
    ptrdiff_t weights, n_rows, n_columns, n_steps;
    ptrdiff_t in, in_step, out, out_step;
};

/* The matrices of a layer; of a GRU the last has the candidate's part of h_{t-1}, whose sum stands apart. Those of the
 * dense layer are the first two. */
enum { BIAS, INPUTS, RECURRENT, MATRICES = EXPORTED_CELL == PYLSTM_GRU ? RECURRENT + 2 : RECURRENT + 1 };

/* What is read in a step: values [I]; or a token, one of EXPORTED_TOKENS, which stands for a row [I]. Of an embedding
 * that is a row of the table, and put where values would be. One-hot ones have a column of the first layer's weights,
 * and put it where that adds to: so that matrix has no rows here, and I is as many as they are. */
enum {
    READS_TOKENS = EXPORTED_INPUT != PYLSTM_VALUES,
    IS_ONE_HOT = EXPORTED_INPUT == PYLSTM_ONE_HOT,
    IS_FROZEN = EXPORTED_INPUT == PYLSTM_FROZEN,
    LEARNS_ROWS = READS_TOKENS && !IS_FROZEN
};

/* Where a layer is on the tape. gates [T][V][H], in the order of the bias: pre-activations, then gates, then the
 * gradients of the former. units: its part of the states [T + 1][S]: h [H] and, of an LSTM, c [H]. */
struct layer {
    ptrdiff_t hidden, gates, units;
};

struct learner {
    const struct matrix *matrices; /* [n_layers][MATRICES], then the two of the dense layer */
    const struct layer *layers;    /* [n_layers] */
    ptrdiff_t n_layers, window;    /* T */
    ptrdiff_t input_size;          /* I; the tape begins with 1 and, but for one-hot tokens, the inputs [T][I] */
    ptrdiff_t states, state_size;  /* S */
    ptrdiff_t dstate;              /* dh and, of an LSTM, dc of the layer that has most units; then of a token [I] */
    ptrdiff_t pool; /* of a model that pools: the pool so far [H], its count, what is pooled or its gradient
                     * [H], of a maximum the step of the window that it is of [H], or -1 */
    const reading *mean, *scale;              /* [I], of the inputs; or NULL */
    const answer *target_mean, *target_scale; /* [n_outputs]; or NULL */
    ptrdiff_t target;                         /* [n_outputs] on the tape: a row that is scaled by them */
    real max_norm;                            /* of the gradient; 0: any */
};

/* What a model has in RAM. */
struct memory {
    real *weights, *tape;
};

enum { IS_POOLED = EXPORTED_POOLING != PYLSTM_POOL_NONE, IS_MEAN = EXPORTED_POOLING == PYLSTM_POOL_MEAN };

#endif
