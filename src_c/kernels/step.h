/* One step of a layer: what it reads and writes. fused.h makes it from packed weights, unpacked.h from weights as they
 * lie. */
#ifndef PYLSTM_STEP_H
#define PYLSTM_STEP_H

#include "kernels/rows.h"

#include <stdbool.h>

/* The packed weights of some units (kernels.h). */
struct step_weights {
    int cell;                      /* a pylstm_cell */
    ptrdiff_t n_blocks, n_x, n_h;  /* blocks of units; I and H, the inputs of their panels */
    const stored *panels;          /* [n_blocks][I + H][G][lanes] */
    const real *bias;              /* [VH'] */
    const real *scale_x, *scale_h; /* [GH'] of weights that are stored as bytes; else unread */
};

/* The same as they lie, of a whole layer. */
struct plain_weights {
    int cell;
    ptrdiff_t n_x, hidden;
    const real *weight_ih, *weight_hh, *bias; /* [GH][I], [GH][H], [VH] */
};

/* The rows of a step, one for each sequence that is alive. */
struct step_rows {
    ptrdiff_t n;
    struct const_rows x;     /* or, one-hot, */
    const ptrdiff_t *tokens; /* [n]; NULL: values */
    const real *h_prev;      /* [n][H'], or NULL: zeros */
    const real *own_prev; /* [n][H'], what these units remember: of an LSTM c_{t-1}, which may be c; of a GRU h_{t-1} */
    real *c, *h;          /* [n][H'], out; c of an LSTM only */
    struct block_rows gates; /* out; data: NULL if they are not kept. An RNN has none, and reads no own_prev */
};

struct step {
    const struct step_weights *weights;
    struct step_rows rows;
    struct const_block_rows projected; /* bias + W x, where that was done ahead, which may be where gates go; then x is
                                        * not read. Else data: NULL */
    bool holds;                        /* where `gates` is not NaN before the step, the gate is held at that */
    bool last_first; /* the blocks from the last to the first: no other bits. Steps that turn round, one after the
                      * other, find in cache what the one before read last; one direction finds nothing of what is too
                      * large */
};

#endif
