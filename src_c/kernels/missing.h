/* What the net reads of a step of which some inputs are missing, NaN, and what has to be known for that. */
#ifndef PYLSTM_MISSING_H
#define PYLSTM_MISSING_H

#include "kernels/scaling.h"

#include <stdbool.h>

struct missing {
    bool holds;             /* what is missing is the last value that there was, or else the mean */
    ptrdiff_t n_features;   /* readings of a step */
    const reading *mean;    /* [n_features] */
    ptrdiff_t n_columns;    /* of so many features the net reads whether they are missing, and for how many steps, */
    const int64_t *columns; /* [n_columns]: of these. None where values are held */
};

/* Whether a reading is NaN, by its bits: a compiler may have been told that there is no such float. */
static inline bool is_missing(reading value)
{
    const uint64_t infinite = sizeof value == 4 ? 0x7f800000 : 0x7ff0000000000000;
    uint64_t bits;
    uint32_t few;
    if (sizeof value == sizeof few) {
        memcpy(&few, &value, sizeof few);
        bits = few & 0x7fffffff;
    } else {
        memcpy(&bits, &value, sizeof bits);
        bits &= 0x7fffffffffffffff;
    }
    return bits > infinite;
}

/* What is kept from step to step: the last values [n_features], or for how many steps each column has been missing
 * [n_columns]. */
static inline ptrdiff_t n_kept(const struct missing *missing)
{
    return missing->holds ? missing->n_features : missing->n_columns;
}

/* kept, before the first step */
static inline void keep_nothing(const struct missing *missing, reading *kept)
{
    for (ptrdiff_t k = 0; k < n_kept(missing); k++)
        kept[k] = missing->holds ? missing->mean[k] : 0;
}

/* out [n_features + 2 n_columns]: the features of x, then whether each column is missing, then for how many steps, all
 * scaled. */
static inline void complete_input(const struct missing *missing, const reading *x, const reading *kept,
                                  const reading *mean, const reading *scale, real *out)
{
    const ptrdiff_t n = missing->n_features, n_columns = missing->n_columns;
    for (ptrdiff_t k = 0; k < n; k++) {
        const reading filled = missing->holds ? kept[k] : missing->mean[k], *from = is_missing(x[k]) ? &filled : x + k;
        scale_input(1, from, mean + k, scale + k, out + k);
    }
    for (ptrdiff_t j = 0; j < n_columns; j++) {
        const bool is_gone = is_missing(x[missing->columns[j]]);
        const reading told = is_gone, gap = is_gone ? kept[j] + 1 : 0;
        const ptrdiff_t at = n + j, gap_at = at + n_columns;
        scale_input(1, &told, mean + at, scale + at, out + at);
        scale_input(1, &gap, mean + gap_at, scale + gap_at, out + gap_at);
    }
}

/* kept, after the step x */
static inline void keep_input(const struct missing *missing, const reading *x, reading *kept)
{
    for (ptrdiff_t k = 0; k < n_kept(missing); k++) {
        const bool is_gone = is_missing(x[missing->holds ? k : missing->columns[k]]);
        if (missing->holds)
            kept[k] = is_gone ? kept[k] : x[k];
        else
            kept[k] = is_gone ? kept[k] + 1 : 0;
    }
}

#endif
