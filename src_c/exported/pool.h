/* The running pool of an exported model: one of the last layer's outputs, of all steps so far. Its numbers are floats
 * that are there, as those of the state are: no infinity stands for that there was no step yet, as a compiler may have
 * been told that there are none. */
#ifndef PYLSTM_EXPORTED_POOL_H
#define PYLSTM_EXPORTED_POOL_H

#include "exported/math.h"

/* Takes a step's outputs h [n] into the pool [n]: their sum, or the largest; count, of how many steps, which a float
 * can say up to 2^24, where it stays. From zeros on. set_at [n], or NULL: the step that was the largest. */
VEC_INLINE void pool_step(ptrdiff_t n, const real *h, real *pool, real *count, real step, real *set_at)
{
    bool is_first = *count == 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        if (EXPORTED_POOLING == PYLSTM_POOL_MEAN) {
            pool[k] += h[k];
        } else if (is_first || h[k] > pool[k]) {
            pool[k] = h[k];
            if (set_at)
                set_at[k] = step;
        }
    }
    *count += 1;
}

/* mean [n] of what has been summed up. */
VEC_INLINE void pool_mean(ptrdiff_t n, const real *pool, const real *count, real *mean)
{
    for (ptrdiff_t k = 0; k < n; k++)
        mean[k] = pool[k] / *count;
}

#endif
