/* The dense layer on top, on one row: each output is summed by itself, in one order. */
#ifndef PYLSTM_DENSE_H
#define PYLSTM_DENSE_H

#include "kernels/quads.h"
#include "kernels/weights.h"

#include <stdbool.h>

/* Outputs that share one reading of a row; and where weights are larger than the second-level cache, how many such
 * tiles before their use they are asked for: rows are too short for the hardware to foresee the next ones. */
enum { DENSE_OUTPUTS = 4, TILES_AHEAD = 2 };

/* As load_first. */
VEC_INLINE vec load_first_weights(const stored *from, ptrdiff_t n)
{
#if defined(PYLSTM_WEIGHT_BITS) && PYLSTM_WEIGHT_BITS == 8
    stored padded[LANES] = {0};
    memcpy(padded, from, (size_t)n * sizeof *from);
    return load_weights(padded);
#else
    return load_first(from, n);
#endif
}

/* out [n_outputs] = bias [n_outputs] + a [n_k] weight [n_outputs][n_k]'; the sums times scale [n_outputs], if there is
 * one. */
struct dense {
    ptrdiff_t n_outputs, n_k;
    const stored *weight;
    const real *scale, *bias;
};

VEC_INLINE void write_sums(int n_outputs, const vec *sum, const real *scale, const real *bias, real *out)
{
    real sums[DENSE_OUTPUTS];
    if (n_outputs == DENSE_OUTPUTS && LANES > 1)
        sums_of_lanes(sum, sums);
    for (int j = 0; j < n_outputs; j++) {
        real all = n_outputs == DENSE_OUTPUTS && LANES > 1 ? sums[j] : sum_of_lanes(sum[j]);
        out[j] = bias[j] + (scale ? scale[j] * all : all);
    }
}

/* Outputs from j_0 on. */
VEC_INLINE void dense_tile(int n_outputs, struct dense layer, ptrdiff_t j_0, const real *a, real *out, bool is_large)
{
    const ptrdiff_t n_k = layer.n_k;
    const stored *weight = layer.weight + j_0 * n_k, *ahead = weight + TILES_AHEAD * n_outputs * n_k;
    vec sum[DENSE_OUTPUTS];
    UNROLL
    for (int j = 0; j < n_outputs; j++)
        sum[j] = splat(0);
    ptrdiff_t k = 0;
    for (; k + LANES <= n_k; k += LANES) {
        vec at = load(a + k);
        for (int line = 0; is_large && line < n_outputs * (int)LANES; line += LINE)
            PREFETCH(ahead + n_outputs * k + line);
        UNROLL
        for (int j = 0; j < n_outputs; j++)
            sum[j] += at * load_weights(weight + j * n_k + k);
    }
    if (k < n_k) {
        vec at = load_first(a + k, n_k - k);
        UNROLL
        for (int j = 0; j < n_outputs; j++)
            sum[j] += at * load_first_weights(weight + j * n_k + k, n_k - k);
    }
    write_sums(n_outputs, sum, layer.scale ? layer.scale + j_0 : NULL, layer.bias + j_0, out + j_0);
}

/* Of one row; of weights that may be large. */
VEC_INLINE void dense_row(struct dense layer, const real *a, real *out, bool is_large)
{
    ptrdiff_t j = 0;
    for (; is_large && j + DENSE_OUTPUTS <= layer.n_outputs; j += DENSE_OUTPUTS)
        dense_tile(DENSE_OUTPUTS, layer, j, a, out, true);
    for (; j + DENSE_OUTPUTS <= layer.n_outputs; j += DENSE_OUTPUTS)
        dense_tile(DENSE_OUTPUTS, layer, j, a, out, false);
    for (; j < layer.n_outputs; j++)
        dense_tile(1, layer, j, a, out, false);
}

#endif
