/* What is learnt, in the units of what a model has learnt. */
#ifndef PYLSTM_EXPORTED_TARGETS_H
#define PYLSTM_EXPORTED_TARGETS_H

#include "support/real.h"

/* A row of answers [n] as the losses read them: (answer - mean) / scale, made in `scaled`; or with NULL for a scaling,
 * where answers are real, as they are. What is NaN, and so not known, stays NaN. */
static inline const real *targets_of(ptrdiff_t n, const answer *answers, const answer *mean, const answer *scale,
                                     real *scaled)
{
    if (!mean)
        return (const real *)(const void *)answers;
    for (ptrdiff_t k = 0; k < n; k++)
        scaled[k] = (real)((answers[k] - mean[k]) / scale[k]);
    return scaled;
}

#endif
