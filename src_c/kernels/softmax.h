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

#endif
