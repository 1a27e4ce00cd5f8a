/* Seeded dropout that needs no memory: whether an element is kept is a function of its place alone, so backward draws
 * the same mask again, whatever the order of the batch. */
#ifndef PYLSTM_DROPOUT_H
#define PYLSTM_DROPOUT_H

#include "support/real.h"

/* Zeroes each of the elements [first, first + n) of an array with probability p and scales the others by 1 / (1 - p);
 * nothing for p = 0. `values` is the first of them; `stream` tells apart the arrays that share a seed. */
void NAME(dropout)(uint64_t seed, uint64_t stream, double p, ptrdiff_t first, ptrdiff_t n, real *values);

#endif
