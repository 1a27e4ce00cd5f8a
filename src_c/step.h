/* One step of a layer, from panels (kernels.h): a tile of rows, and all of one row. */
#ifndef PYLSTM_STEP_H
#define PYLSTM_STEP_H

#include "activation.h"
#include "tile.h"

#include <stdbool.h>

/* What is the same for all tiles of a step. */
struct step {
    ptrdiff_t n_blocks, n_x, first_k, n_k;
    struct const_rows start, x;
    const stored *panels;
    const real *scale_x, *scale_h; /* [4H'] of weights that are stored as bytes; else unread */
    const real *h_prev, *c_prev;
    real *c, *h, *gates;
};

/* A cell closer to zero than this, 2^-50 or 2^-500, is at zero. One that decays would else come among the denormals,
 * and stay where it is rounded back to itself: x86 takes 100 times as long to multiply those, and an instrument that
 * has fallen silent would cost more than one that plays. Above it the square of c, of which tanh is made, is a normal
 * number too. */
#if PYLSTM_REAL_BITS == 32
#define CELL_END 8.8817841970012523e-16f
#else
#define CELL_END 3.0549363634996047e-151
#endif

VEC_INLINE vec zero_where(ivec mask, vec v)
{
    return AS_REAL(AS_BITS(v) & ~mask);
}

/* The cell on pre-activations i, f, g, o of one block of units, of n_rows rows that are `stride` apart in the state,
 * the first at `at`. The four gates side by side, and then all rows' tanh(c): the operations of one alone wait for each
 * other, and its processor for them. */
VEC_INLINE void apply_cell(int n_rows, vec (*z)[4], const real *c_prev, real *c, real *h, real *gates, ptrdiff_t at,
                           ptrdiff_t stride)
{
    vec c_new[TILE], out[TILE], y[TILE];
    struct reduced y_parts[TILE];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        ptrdiff_t here = at + r * stride;
        const vec y_gate[4] = {sigmoid_argument(z[r][0]), sigmoid_argument(z[r][1]), tanh_argument(z[r][2]),
                               sigmoid_argument(z[r][3])};
        struct reduced gate[4];
        reduce(4, y_gate, gate);
        vec i = sigmoid_from(z[r][0], gate[0]), f = sigmoid_from(z[r][1], gate[1]), g = tanh_from(z[r][2], gate[2]);
        vec o = sigmoid_from(z[r][3], gate[3]);
        c_new[r] = rounded(f * load(c_prev + here)) + i * g;
        ivec ends = less(AS_REAL(AS_BITS(c_new[r]) & ~SIGN_BIT), splat(CELL_END));
        store(c + here, zero_where(ends, c_new[r]));
        out[r] = zero_where(ends, o); /* while the next step waits for tanh, this does not */
        if (gates) {
            store(gates + 4 * here, i);
            store(gates + 4 * here + LANES, f);
            store(gates + 4 * here + 2 * LANES, g);
            store(gates + 4 * here + 3 * LANES, o);
        }
    }
    UNROLL
    for (int r = 0; r < n_rows; r++)
        y[r] = tanh_argument(c_new[r]);
    reduce(n_rows, y, y_parts);
    UNROLL
    for (int r = 0; r < n_rows; r++)
        store(h + at + r * stride, out[r] * tanh_from(c_new[r], y_parts[r]));
}

/* Where block b is in an array of panels of n_k inputs, or with n_k = 1 of biases; the next block, if b is even, is
 * next_block further. */
VEC_INLINE ptrdiff_t block_at(ptrdiff_t b, ptrdiff_t n_k)
{
    return b * LANES / PANEL_LANES * (n_k * 4 * PANEL_LANES) + b * LANES % PANEL_LANES;
}

VEC_INLINE ptrdiff_t next_block(ptrdiff_t n_k)
{
    return PANEL_LANES == LANES ? n_k * 4 * LANES : LANES;
}

/* acc += a panel, a [n_rows][n_k]; with bytes, scale times that, from scale_at. */
VEC_INLINE void add_product(int n_panels, int n_rows, ptrdiff_t n_k, const real *a, ptrdiff_t a_row,
                            const stored *panel, ptrdiff_t p_panel, const real *scale, ptrdiff_t scale_at,
                            const stored *ahead, vec acc[2][TILE][4])
{
#if defined(PYLSTM_WEIGHT_BITS) && PYLSTM_WEIGHT_BITS == 8
    vec sum[2][TILE][4];
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < 4; v++)
                sum[q][r][v] = splat(0);
        }
    }
    accumulate(n_panels, n_rows, 4, n_k, a, a_row, 1, panel, 4 * PANEL_LANES, p_panel, ahead, sum);
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < 4; v++)
                acc[q][r][v] += load(scale + scale_at + q * next_block(1) + v * PANEL_LANES) * sum[q][r][v];
        }
    }
#else
    (void)scale, (void)scale_at;
    accumulate(n_panels, n_rows, 4, n_k, a, a_row, 1, panel, 4 * PANEL_LANES, p_panel, ahead, acc);
#endif
}

VEC_INLINE void step_tile(int n_panels, int n_rows, const struct step *s, ptrdiff_t row, ptrdiff_t block,
                          const stored *ahead)
{
    ptrdiff_t width = s->n_blocks * LANES, p_panel = next_block(s->n_k), bias = block_at(block, 1);
    const stored *panel = s->panels + block_at(block, s->n_k);
    vec acc[2][TILE][4];
    start_tile(n_panels, n_rows, rows_from(s->start, row, bias), next_block(1), acc);
    add_product(n_panels, n_rows, s->n_x, s->x.data + row * s->x.stride, s->x.stride, panel, p_panel, s->scale_x, bias,
                NULL, acc);
    if (s->h_prev)
        add_product(n_panels, n_rows, s->n_k - s->first_k, s->h_prev + row * width, width,
                    panel + s->first_k * 4 * PANEL_LANES, p_panel, s->scale_h, bias, ahead, acc);
    UNROLL
    for (int q = 0; q < n_panels; q++)
        apply_cell(n_rows, acc[q], s->c_prev, s->c, s->h, s->gates, row * width + (block + q) * LANES, width);
}

/* A step of one row: four accumulators wait for each other, so two blocks at once. */
VEC_INLINE void step_row(const struct step *s, bool prefetch)
{
    ptrdiff_t b = 0, ahead = s->first_k * 4 * PANEL_LANES + PREFETCH_DISTANCE;
    for (; b + 2 <= s->n_blocks; b += 2)
        step_tile(2, 1, s, 0, b, prefetch ? s->panels + block_at(b, s->n_k) + ahead : NULL);
    if (b < s->n_blocks)
        step_tile(1, 1, s, 0, b, prefetch ? s->panels + block_at(b, s->n_k) + ahead : NULL);
}

#endif
