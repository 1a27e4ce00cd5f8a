/* The memory of a batch. */
#ifndef PYLSTM_BATCH_H
#define PYLSTM_BATCH_H

#include "support/arena.h"

/* Room for a batch within `bound`. */
pylstm_batch pylstm_batch_carve(struct arena *arena, const pylstm_shape *bound);

#endif
