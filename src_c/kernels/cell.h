/* What the cells are made of, for all that does not compute them (gates.h, derivatives.h): which pre-activations a unit
 * has, and which rows of the weights go into each. */
#ifndef PYLSTM_CELL_H
#define PYLSTM_CELL_H

#include "pylstm.h"

#include <stdbool.h>

enum { MOST_VECTORS = 4, NOTHING = -1 };

/* A unit has n_vectors pre-activations. The inputs go into the first n_gates of them, h_{t-1} into the last. */
struct cell {
    ptrdiff_t n_gates;   /* G: rows of W, and of R, per unit */
    ptrdiff_t n_vectors; /* V: biases per unit, too */
    ptrdiff_t n_states;  /* 2: h and c; 1: h */
    bool passes_on;      /* h_{t-1} goes into h_t directly, too: dh_{t-1} has a part beside dgates R */
    ptrdiff_t n_kept;    /* gates, after their activation, that a tape has for pylstm_tape_read, in the order of V */
    /* Of each pre-activation: its gate in W, in R, and its place in the bias; or NOTHING. */
    ptrdiff_t x_gate[MOST_VECTORS], h_gate[MOST_VECTORS], bias[MOST_VECTORS];
};

const struct cell *pylstm_cell_of(pylstm_cell cell);

/* The gates that h_{t-1} goes into, in the order of the pre-activations. */
static inline const ptrdiff_t *h_gates(const struct cell *cell)
{
    return cell->h_gate + cell->n_vectors - cell->n_gates;
}

#endif
