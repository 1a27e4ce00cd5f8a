/* The memory of a batch. */
#ifndef PYLSTM_BATCH_H
#define PYLSTM_BATCH_H

#include "support/arena.h"

/* Room for a batch within `bound`. */
pylstm_batch pylstm_batch_carve(struct arena *arena, const pylstm_shape *bound);

/* Lays out sequences of these lengths, of this shape, in memory that is carved for them. */
void pylstm_batch_fill(pylstm_batch *batch, const pylstm_shape *shape, const ptrdiff_t *lengths);

#endif
