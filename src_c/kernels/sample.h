/* Drawing one of many by their outputs: a token, of a language model. */
#ifndef PYLSTM_SAMPLE_H
#define PYLSTM_SAMPLE_H

#include "kernels/softmax.h"

#include <stdbool.h>

struct sampling {
    real temperature; /* outputs are divided by it; 0: the largest is taken, the first of several */
    ptrdiff_t top_k;  /* out of so many of the largest; 0: of all */
    real top_p;       /* out of the fewest of the largest that have such a share together; 1: of all */
};

/* A number of [0, 1), of 24 bits: splitmix64 (Steele, Lea & Flood 2014). */
static inline real next_uniform(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (real)(uint32_t)((z ^ z >> 31) >> 40) / (real)16777216;
}

static inline bool is_before(const real *weights, uint32_t a, uint32_t b)
{
    return weights[a] > weights[b] || (weights[a] == weights[b] && a < b);
}

/* Lets order[k] sink to where it belongs in a heap of n, the heaviest on top. */
static inline void sink(ptrdiff_t n, const real *weights, uint32_t *order, ptrdiff_t k)
{
    uint32_t sinking = order[k];
    for (ptrdiff_t child = 2 * k + 1; child < n; child = 2 * k + 1) {
        if (child + 1 < n && is_before(weights, order[child + 1], order[child]))
            child++;
        if (!is_before(weights, order[child], sinking))
            break;
        order[k] = order[child];
        k = child;
    }
    order[k] = sinking;
}

/* Takes the heaviest off a heap of n, and puts them behind it: as many as may be drawn. Returns how many; their weight
 * goes to `total`. */
static inline ptrdiff_t take_heaviest(ptrdiff_t n, const real *weights, struct sampling how, uint32_t *order,
                                      real *total)
{
    const real all = *total;
    ptrdiff_t taken = 0, most = how.top_k > 0 && how.top_k < n ? how.top_k : n;
    for (ptrdiff_t k = 0; k < n; k++)
        order[k] = (uint32_t)k;
    for (ptrdiff_t k = n / 2 - 1; k >= 0; k--)
        sink(n, weights, order, k);
    for (*total = 0; taken < most && (taken == 0 || *total < how.top_p * all); taken++) {
        uint32_t heaviest = order[0];
        order[0] = order[n - 1 - taken];
        order[n - 1 - taken] = heaviest;
        sink(n - 1 - taken, weights, order, 0);
        *total += weights[heaviest];
    }
    return taken;
}

/* Which of n, by weights [n] with this sum; order [n] is scratch, of which nothing is read without a top_k or top_p. */
static inline ptrdiff_t choose(ptrdiff_t n, const real *weights, real total, struct sampling how, uint64_t *seed,
                               uint32_t *order)
{
    ptrdiff_t k = 0, last = 0; /* that can be drawn: rounding may leave the sum below `at` */
    real sofar = 0;
    if (how.top_k > 0 || how.top_p < 1) {
        ptrdiff_t taken = take_heaviest(n, weights, how, order, &total);
        real at = next_uniform(seed) * total;
        for (; k + 1 < taken && (sofar += weights[order[n - 1 - k]]) <= at; k++)
            ;
        return (ptrdiff_t)order[n - 1 - k];
    }
    real at = next_uniform(seed) * total;
    for (; k < n; k++) {
        if (!(weights[k] > 0))
            continue;
        last = k;
        if ((sofar += weights[k]) > at)
            break;
    }
    return last;
}

/* Which of n has the largest output; the first of several. */
static inline ptrdiff_t largest_of(ptrdiff_t n, const real *outputs)
{
    ptrdiff_t k = 0;
    real largest = outputs[0];
    for (ptrdiff_t j = 1; j < n; j++) {
        if (outputs[j] > largest) {
            largest = outputs[j];
            k = j;
        }
    }
    return k;
}

/* Outputs [n] less the largest, over the temperature. What that makes too small for a number is -infinity, which has no
 * weight. */
static inline void cool(ptrdiff_t n, real *outputs, real temperature)
{
    if (temperature == 1)
        return;
    real largest = outputs[largest_of(n, outputs)];
    for (ptrdiff_t j = 0; j < n; j++)
        outputs[j] = (outputs[j] - largest) / temperature;
}

/* Which of n is drawn; outputs [n] are scratch after that, as is order [n]. */
static inline ptrdiff_t draw(ptrdiff_t n, real *outputs, struct sampling how, uint64_t *seed, uint32_t *order)
{
    real largest;
    if (how.temperature == 0)
        return largest_of(n, outputs);
    cool(n, outputs, how.temperature);
    real total = exponentials(n, outputs, &largest);
    return choose(n, outputs, total, how, seed, order);
}

#endif
