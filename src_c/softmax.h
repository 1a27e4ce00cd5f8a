#ifndef PYLSTM_SOFTMAX_H
#define PYLSTM_SOFTMAX_H

#include "libm.h"

/* The softmax of values [n], in place. */
static inline void softmax_row(ptrdiff_t n, real *values)
{
    real largest = values[0], sum = 0;
    for (ptrdiff_t j = 1; j < n; j++)
        if (values[j] > largest)
            largest = values[j];
    for (ptrdiff_t j = 0; j < n; j++) {
        values[j] = EXP(values[j] - largest);
        sum += values[j];
    }
    for (ptrdiff_t j = 0; j < n; j++)
        values[j] /= sum;
}

#endif
