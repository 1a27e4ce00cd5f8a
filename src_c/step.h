/* One step of a layer, from panels (kernels.h): a tile of rows, and all of one row. */
#ifndef PYLSTM_STEP_H
#define PYLSTM_STEP_H

#include "activation.h"
#include "tile.h"

#include <stdbool.h>

/* Pre-activations of a unit, and those that the inputs, or h_{t-1}, go into (cell.h): as constants. */
#define N_VECTORS(cell) ((cell) == PYLSTM_LSTM || (cell) == PYLSTM_GRU ? 4 : 1)
#define N_GATES(cell) ((cell) == PYLSTM_LSTM ? 4 : (cell) == PYLSTM_GRU ? 3 : 1)
#define FIRST_OF_H(cell) (N_VECTORS(cell) - N_GATES(cell))

/* Panels of a tile, so that it has 4 vectors, or 8 where there is but one row: 4 accumulators would wait for each
 * other. Two of 4 lanes make one of the 8 that an exported model has. 6 rows (TILE) of 2 vectors are enough, and leave
 * registers for the addresses of the panels. */
#define TILE_PANELS(cell, n_rows)                                                                                      \
    (N_VECTORS(cell) == 1 ? (PANEL_LANES != LANES || (n_rows) == 6 ? 2 : 4) : (n_rows) == 1 ? 2 : 1)

/* What is the same for all tiles of a step; of a pylstm_cell. */
struct step {
    ptrdiff_t n_blocks, n_x, first_k, n_k;
    struct const_block_rows start;
    struct const_rows x;
    const stored *panels;
    const real *scale_x, *scale_h; /* [GH'] of weights that are stored as bytes; else unread */
    const real *h_prev, *own_prev;
    real *c, *h;
    struct block_rows gates; /* data: NULL if they are not kept */
    bool relu;  /* of an RNN: a branch for each tile, where another constant would be as many copies of the loops */
    bool holds; /* a constant: where `gates` is not NaN before the step, the gate is held at that */
    bool last_first; /* of the blocks */
};

/* A state (c of an LSTM, else h) closer to zero than this, 2^-50 or 2^-500, is at zero. One that decays would else come
 * among the denormals, and stay where it is rounded back to itself: x86 takes 100 times as long to multiply those, and
 * an instrument that has fallen silent would cost more than one that plays. Above it the square of c, of which tanh is
 * made, is a normal number too. */
#if PYLSTM_REAL_BITS == 32
#define CELL_END 8.8817841970012523e-16f
#else
#define CELL_END 3.0549363634996047e-151
#endif

VEC_INLINE vec zero_where(ivec mask, vec v)
{
    return AS_REAL(AS_BITS(v) & ~mask);
}

VEC_INLINE ivec ends(vec state)
{
    return less(AS_REAL(AS_BITS(state) & ~SIGN_BIT), splat(CELL_END));
}

/* The cells, on the pre-activations z of one block of units, of n_rows rows that are `stride` apart in the state, the
 * first at `at`, and of whose gates the first is at `gates`. First each row's gates side by side, then all rows' last
 * tanh: the operations of one alone wait for each other, and the processor for them. */

/* A gate v, or what `gates` holds it at. */
VEC_INLINE vec gate_or_held(bool holds, const real *gates, ptrdiff_t at, vec v)
{
    if (!holds)
        return v;
    vec held = load(gates + at);
    return blend(less(held, splat(2)), held, v); /* gates are within [-1, 1]; NaN is not less */
}

/* x [n] = tanh(x) */
VEC_INLINE void tanh_of_rows(int n, vec *x)
{
    vec y[TILE];
    struct reduced y_parts[TILE];
    UNROLL
    for (int r = 0; r < n; r++)
        y[r] = tanh_argument(x[r]);
    reduce(n, y, y_parts);
    UNROLL
    for (int r = 0; r < n; r++)
        x[r] = tanh_from(x[r], y_parts[r]);
}

/* i, f, g, o */
VEC_INLINE void apply_lstm(bool holds, int n_rows, vec (*z)[VECTORS], const real *c_prev, real *c, real *h,
                           struct rows gates, ptrdiff_t at, ptrdiff_t stride)
{
    vec tanh_c[TILE], out[TILE];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        ptrdiff_t here = at + r * stride;
        real *kept = gates.data ? gates.data + r * gates.stride : NULL;
        const vec y[4] = {sigmoid_argument(z[r][0]), sigmoid_argument(z[r][1]), tanh_argument(z[r][2]),
                          sigmoid_argument(z[r][3])};
        struct reduced y_parts[4];
        reduce(4, y, y_parts);
        vec i = sigmoid_from(z[r][0], y_parts[0]), f = sigmoid_from(z[r][1], y_parts[1]);
        vec g = tanh_from(z[r][2], y_parts[2]), o = sigmoid_from(z[r][3], y_parts[3]);
        i = gate_or_held(holds, kept, 0, i);
        f = gate_or_held(holds, kept, LANES, f);
        g = gate_or_held(holds, kept, 2 * LANES, g);
        o = gate_or_held(holds, kept, 3 * LANES, o);
        vec c_new = rounded(f * load(c_prev + here)) + i * g;
        ivec is_zero = ends(c_new);
        store(c + here, zero_where(is_zero, c_new));
        tanh_c[r] = c_new;
        out[r] = zero_where(is_zero, o); /* while the next step waits for tanh, this does not */
        if (kept) {
            store(kept, i);
            store(kept + LANES, f);
            store(kept + 2 * LANES, g);
            store(kept + 3 * LANES, o);
        }
    }
    tanh_of_rows(n_rows, tanh_c);
    UNROLL
    for (int r = 0; r < n_rows; r++)
        store(h + at + r * stride, out[r] * tanh_c[r]);
}

/* The inputs' part of n, r, z, and h_{t-1}'s part of n, which is kept for the backward pass with the gates r, z, n. */
VEC_INLINE void apply_gru(bool holds, int n_rows, vec (*z)[VECTORS], const real *h_prev, real *h, struct rows gates,
                          ptrdiff_t at, ptrdiff_t stride)
{
    vec candidate[TILE], update[TILE];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        const vec y[2] = {sigmoid_argument(z[r][1]), sigmoid_argument(z[r][2])};
        struct reduced y_parts[2];
        reduce(2, y, y_parts);
        real *kept = gates.data ? gates.data + r * gates.stride : NULL;
        vec reset = gate_or_held(holds, kept, 0, sigmoid_from(z[r][1], y_parts[0]));
        update[r] = gate_or_held(holds, kept, LANES, sigmoid_from(z[r][2], y_parts[1]));
        candidate[r] = z[r][0] + z[r][3] * reset;
        if (kept) {
            store(kept, reset);
            store(kept + LANES, update[r]);
            store(kept + 3 * LANES, z[r][3]);
        }
    }
    tanh_of_rows(n_rows, candidate);
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        ptrdiff_t here = at + r * stride;
        real *kept = gates.data ? gates.data + r * gates.stride : NULL;
        vec n = gate_or_held(holds, kept, 2 * LANES, candidate[r]);
        vec h_new = n + update[r] * (load(h_prev + here) - n);
        store(h + here, zero_where(ends(h_new), h_new));
        if (kept)
            store(kept + 2 * LANES, n);
    }
}

VEC_INLINE void apply_rnn(bool relu, int n_rows, vec (*z)[VECTORS], real *h, ptrdiff_t at, ptrdiff_t stride)
{
    vec out[TILE];
    UNROLL
    for (int r = 0; r < n_rows; r++)
        out[r] = relu ? at_least(splat(0), z[r][0]) : z[r][0];
    if (!relu)
        tanh_of_rows(n_rows, out);
    UNROLL
    for (int r = 0; r < n_rows; r++)
        store(h + at + r * stride, zero_where(ends(out[r]), out[r]));
}

VEC_INLINE void apply_cell(int cell, bool relu, bool holds, int n_rows, vec (*z)[VECTORS], const real *own_prev,
                           real *c, real *h, struct rows gates, ptrdiff_t at, ptrdiff_t stride)
{
    if (cell == PYLSTM_LSTM)
        apply_lstm(holds, n_rows, z, own_prev, c, h, gates, at, stride);
    else if (cell == PYLSTM_GRU)
        apply_gru(holds, n_rows, z, own_prev, h, gates, at, stride);
    else
        apply_rnn(relu, n_rows, z, h, at, stride);
}

/* Where block b is in an array of panels of n_k inputs and n_gates each, or with n_k = 1 of biases; the next block, if
 * b is even, is next_block further. */
VEC_INLINE ptrdiff_t block_at(ptrdiff_t b, ptrdiff_t n_k, int n_gates)
{
    return b * LANES / PANEL_LANES * (n_k * n_gates * PANEL_LANES) + b * LANES % PANEL_LANES;
}

VEC_INLINE ptrdiff_t next_block(ptrdiff_t n_k, int n_gates)
{
    return PANEL_LANES == LANES ? n_k * n_gates * LANES : LANES;
}

/* acc += a panel, a [n_rows][n_k]; with bytes, scale times that, from scale_at. */
VEC_INLINE void add_product(int n_panels, int n_rows, int first, int n_gates, ptrdiff_t n_k, const real *a,
                            ptrdiff_t a_row, const stored *panel, ptrdiff_t p_panel, const real *scale,
                            ptrdiff_t scale_at, const stored *ahead, vec acc[PANELS][TILE][VECTORS])
{
#if defined(PYLSTM_WEIGHT_BITS) && PYLSTM_WEIGHT_BITS == 8
    vec sum[PANELS][TILE][VECTORS];
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < n_gates; v++)
                sum[q][r][v] = splat(0);
        }
    }
    accumulate(n_panels, n_rows, 0, n_gates, n_k, a, a_row, 1, panel, n_gates * PANEL_LANES, p_panel, ahead, sum);
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < n_gates; v++)
                acc[q][r][first + v] +=
                    load(scale + scale_at + q * next_block(1, n_gates) + v * PANEL_LANES) * sum[q][r][v];
        }
    }
#else
    (void)scale, (void)scale_at;
    accumulate(n_panels, n_rows, first, n_gates, n_k, a, a_row, 1, panel, n_gates * PANEL_LANES, p_panel, ahead, acc);
#endif
}

VEC_INLINE void step_tile(int cell, int n_panels, int n_rows, const struct step *s, ptrdiff_t row, ptrdiff_t block,
                          const stored *ahead)
{
    const int n_vectors = N_VECTORS(cell), n_gates = N_GATES(cell);
    ptrdiff_t width = s->n_blocks * LANES, p_panel = next_block(s->n_k, n_gates), scale = block_at(block, 1, n_gates);
    const stored *panel = s->panels + block_at(block, s->n_k, n_gates);
    vec acc[PANELS][TILE][VECTORS];
    bool in_panels = PANEL_LANES != LANES; /* the bias of an exported model */
    struct const_rows start = {s->start.data + row * s->start.stride, s->start.stride};
    start.data += in_panels ? block_at(block, 1, n_vectors) : block * s->start.block_stride;
    start_tile(n_panels, n_rows, n_vectors, start, in_panels ? next_block(1, n_vectors) : s->start.block_stride, acc);
    add_product(n_panels, n_rows, 0, n_gates, s->n_x, s->x.data + row * s->x.stride, s->x.stride, panel, p_panel,
                s->scale_x, scale, NULL, acc);
    if (s->h_prev)
        add_product(n_panels, n_rows, FIRST_OF_H(cell), n_gates, s->n_k - s->first_k, s->h_prev + row * width, width,
                    panel + s->first_k * n_gates * PANEL_LANES, p_panel, s->scale_h, scale, ahead, acc);
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        struct rows gates = {s->gates.data, s->gates.stride};
        if (gates.data)
            gates.data += (block + q) * s->gates.block_stride + row * gates.stride;
        apply_cell(cell, s->relu, s->holds, n_rows, acc[q], s->own_prev, s->c, s->h, gates,
                   row * width + (block + q) * LANES, width);
    }
}

/* Where the n blocks begin that come after `done` of n_blocks. */
VEC_INLINE ptrdiff_t blocks_after(bool last_first, ptrdiff_t done, ptrdiff_t n, ptrdiff_t n_blocks)
{
    return last_first ? n_blocks - done - n : done;
}

/* A step of one row. */
VEC_INLINE void step_row(int cell, const struct step *s)
{
    const int most = TILE_PANELS(cell, 1);
    ptrdiff_t done = 0;
    for (; done + most <= s->n_blocks; done += most)
        step_tile(cell, most, 1, s, 0, blocks_after(s->last_first, done, most, s->n_blocks), NULL);
    for (int left = 1; left < most && done < s->n_blocks; left++, done++) /* at most so often, which GCC is to see */
        step_tile(cell, 1, 1, s, 0, blocks_after(s->last_first, done, 1, s->n_blocks), NULL);
}

#endif
