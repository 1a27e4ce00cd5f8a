/* The dense layer on many rows: the sums of dense.h, each in the same order, several rows to a reading of the weights.
 */
#ifndef PYLSTM_DENSE_ROWS_H
#define PYLSTM_DENSE_ROWS_H

#include "kernels/dense.h"
#include "kernels/kernels.h"
#include "kernels/tile.h"

/* Rows that share one reading of the weights: what there are registers for, with sums of DENSE_OUTPUTS each. And bytes
 * of rows that stay in the first-level cache while all weights pass by, which come from farther away. */
enum { DENSE_ROWS = PYLSTM_VECTOR_BYTES == 64 ? 4 : 2, DENSE_CHUNK = 16 << 10 };

/* Of DENSE_ROWS rows and DENSE_OUTPUTS outputs. */
VEC_INLINE void dense_square(ptrdiff_t n_k, struct const_rows a, const real *weight, const real *bias, struct rows out)
{
    vec sum[DENSE_ROWS][DENSE_OUTPUTS], w[DENSE_OUTPUTS];
    UNROLL
    for (int r = 0; r < DENSE_ROWS; r++) {
        UNROLL
        for (int j = 0; j < DENSE_OUTPUTS; j++)
            sum[r][j] = splat(0);
    }
    ptrdiff_t k = 0;
    for (; k + LANES <= n_k; k += LANES) {
        UNROLL
        for (int j = 0; j < DENSE_OUTPUTS; j++)
            w[j] = load(weight + j * n_k + k);
        UNROLL
        for (int r = 0; r < DENSE_ROWS; r++) {
            vec at = load(a.data + r * a.stride + k);
            UNROLL
            for (int j = 0; j < DENSE_OUTPUTS; j++)
                sum[r][j] += at * w[j];
        }
    }
    if (k < n_k) {
        UNROLL
        for (int j = 0; j < DENSE_OUTPUTS; j++)
            w[j] = load_first(weight + j * n_k + k, n_k - k);
        UNROLL
        for (int r = 0; r < DENSE_ROWS; r++) {
            vec at = load_first(a.data + r * a.stride + k, n_k - k);
            UNROLL
            for (int j = 0; j < DENSE_OUTPUTS; j++)
                sum[r][j] += at * w[j];
        }
    }
    UNROLL
    for (int r = 0; r < DENSE_ROWS; r++)
        write_sums(DENSE_OUTPUTS, sum[r], NULL, bias, out.data + r * out.stride);
}

/* One row, of weights that may be large. */
VEC_APART void dense_one(struct dense layer, const real *a, real *out)
{
    bool is_large = layer.n_outputs * layer.n_k * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    dense_row(layer, a, out, is_large);
}

/* Rows of a chunk: whole squares, then the outputs that are left, then the rows. */
static void dense_chunk(ptrdiff_t n_rows, struct dense layer, struct const_rows a, struct rows out)
{
    ptrdiff_t n_square = n_rows / DENSE_ROWS * DENSE_ROWS, n_k = layer.n_k, j = 0, r;
    for (; n_square > 0 && j + DENSE_OUTPUTS <= layer.n_outputs; j += DENSE_OUTPUTS)
        for (r = 0; r < n_square; r += DENSE_ROWS)
            dense_square(n_k, rows_from(a, r, 0), layer.weight + j * n_k, layer.bias + j,
                         (struct rows){out.data + r * out.stride + j, out.stride});
    const struct dense left = {layer.n_outputs - j, n_k, layer.weight + j * n_k, NULL, layer.bias + j};
    for (r = 0; r < n_square && left.n_outputs > 0; r++)
        dense_one(left, a.data + r * a.stride, out.data + r * out.stride + j);
    for (r = n_square; r < n_rows; r++)
        dense_one(layer, a.data + r * a.stride, out.data + r * out.stride);
}

/* out [n_rows][n_outputs] = bias + a weight' */
static void dense(ptrdiff_t n_rows, ptrdiff_t n_outputs, ptrdiff_t n_k, struct const_rows a, const real *weight,
                  const real *bias, struct rows out)
{
    const struct dense layer = {n_outputs, n_k, weight, NULL, bias};
    ptrdiff_t chunk = DENSE_CHUNK / (n_k * (ptrdiff_t)sizeof(real)) / DENSE_ROWS * DENSE_ROWS;
    chunk = chunk > DENSE_ROWS ? chunk : DENSE_ROWS;
    for (ptrdiff_t r = 0; r < n_rows; r += chunk)
        dense_chunk(n_rows - r < chunk ? n_rows - r : chunk, layer, rows_from(a, r, 0),
                    (struct rows){out.data + r * out.stride, out.stride});
}

#endif
