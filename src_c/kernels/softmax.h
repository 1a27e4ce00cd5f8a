#ifndef PYLSTM_SOFTMAX_H
#define PYLSTM_SOFTMAX_H

#include "support/libm.h"

/* values [n] to e^(value - largest), in place; returns their sum. */
static inline real exponentials(ptrdiff_t n, real *values, real *largest)
{
    real most = values[0], sum = 0;
    for (ptrdiff_t j = 1; j < n; j++)
        if (values[j] > most)
            most = values[j];
    for (ptrdiff_t j = 0; j < n; j++) {
        values[j] = EXP(values[j] - most);
        sum += values[j];
    }
    *largest = most;
    return sum;
}

/* The softmax of values [n], in place. */
static inline void softmax_row(ptrdiff_t n, real *values)
{
    real largest, sum = exponentials(n, values, &largest);
    for (ptrdiff_t j = 0; j < n; j++)
        values[j] /= sum;
}

/* Each of values [n] by itself to 1 / (1 + e^-value), in place. */
static inline void sigmoids_row(ptrdiff_t n, real *values)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        real u = EXP(values[j] > 0 ? -values[j] : values[j]);
        values[j] = (values[j] > 0 ? 1 : u) / (1 + u);
    }
}

#endif
