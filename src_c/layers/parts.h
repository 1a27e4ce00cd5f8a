/* Dividing a batch among threads: sequences dealt out in turn, longest first, so that the shares are nearly equal; the
 * units of the layers where there is but one sequence. */
#ifndef PYLSTM_PARTS_H
#define PYLSTM_PARTS_H

#include "pylstm.h"

/* How many of n_threads so much work is worth. */
ptrdiff_t pylstm_worth_threads(double multiply_adds, ptrdiff_t n_threads);

/* How many parts a batch of this shape is worth. */
ptrdiff_t pylstm_n_parts(const pylstm_net *net, const pylstm_shape *shape);

/* How many threads are worth sharing the units of a batch that is one part. */
ptrdiff_t pylstm_n_members(const pylstm_net *net, const pylstm_shape *shape);

/* What no part of so many exceeds. */
pylstm_shape pylstm_part_bound(const pylstm_shape *shape, ptrdiff_t n_parts);

/* A part, in memory that was carved for it: every n_parts-th sequence from `part` on, whose rows and indices stay those
 * of the whole batch. */
void pylstm_part_init(pylstm_batch *part_batch, const pylstm_batch *batch, ptrdiff_t part, ptrdiff_t n_parts);

#endif
