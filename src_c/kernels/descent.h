/* From a gradient to updated weights. */
#ifndef PYLSTM_DESCENT_H
#define PYLSTM_DESCENT_H

#include "support/libm.h"

/* Sums side by side: one alone would wait for itself at each addition. */
enum { SUMS = 16 };

static inline double sum_of_squares(ptrdiff_t n, const real *values)
{
    double sums[SUMS] = {0}, total = 0;
    ptrdiff_t k = 0;
    for (; k + SUMS <= n; k += SUMS)
        for (ptrdiff_t j = 0; j < SUMS; j++)
            sums[j] += (double)values[k + j] * (double)values[k + j];
    for (ptrdiff_t j = 0; k + j < n; j++)
        sums[j] += (double)values[k + j] * (double)values[k + j];
    for (ptrdiff_t j = 0; j < SUMS; j++)
        total += sums[j];
    return total;
}

/* What scales a gradient of this sum of squares down to a norm of max_norm, if it is above; 0: never. */
static inline double clipping(double squares, double max_norm)
{
    double norm = sqrt(squares);
    return max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
}

/* parameters [n] -= step * gradient */
static inline void descend(ptrdiff_t n, real *parameters, const real *gradient, real step)
{
    for (ptrdiff_t k = 0; k < n; k++)
        parameters[k] -= step * gradient[k];
}

#endif
