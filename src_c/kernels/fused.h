/* One step of a layer, from panels (kernels.h), each tile's products and gates in one go: a tile of rows, and all of
 * one row. */
#ifndef PYLSTM_FUSED_H
#define PYLSTM_FUSED_H

#include "kernels/gates.h"
#include "kernels/step.h"
#include "kernels/tile.h"

/* Panels of a tile, so that it has 4 vectors, or 8 where there is but one row: 4 accumulators would wait for each
 * other. Two of 4 lanes make one of the 8 that an exported model has. 6 rows (TILE) of 2 vectors are enough, and leave
 * registers for the addresses of the panels. */
#define TILE_PANELS(cell, n_rows)                                                                                      \
    (N_VECTORS(cell) == 1 ? (PANEL_LANES != LANES || (n_rows) == 6 ? 2 : 4) : (n_rows) == 1 ? 2 : 1)

VEC_INLINE struct run run_of(const struct step *s, ptrdiff_t row, ptrdiff_t block, ptrdiff_t n, bool of_rows)
{
    const struct step_rows *rows = &s->rows;
    ptrdiff_t width = s->weights->n_blocks * LANES, at = row * width + block * LANES;
    struct run run = {n,
                      of_rows ? width : LANES,
                      rows->own_prev ? rows->own_prev + at : NULL,
                      rows->c ? rows->c + at : NULL,
                      rows->h + at,
                      {NULL, of_rows ? rows->gates.stride : rows->gates.block_stride}};
    if (rows->gates.data)
        run.gates.data = rows->gates.data + row * rows->gates.stride + block * rows->gates.block_stride;
    return run;
}

VEC_INLINE bool is_relu(const struct step *s)
{
    return s->weights->cell == PYLSTM_RNN_RELU;
}

#ifdef EXPORTED_CELL /* which has one row, little stack, and no gates held */
VEC_INLINE void complete(int cell, const struct step *s, ptrdiff_t row, ptrdiff_t block, ptrdiff_t n, bool of_rows,
                         vec *pending)
{
    struct run run = run_of(s, row, block, n, of_rows);
    apply_gates(cell, false, run, pending);
    finish(cell, is_relu(s), false, run, pending);
}
#else
/* From the pre-activations of n vectors of units, rows of a block or blocks of a row, to their state. Functions of
 * their own: else GCC keeps the constants of gates in registers that the loops of the tiles, around which it puts them,
 * need. */
#define DEFINE_COMPLETE(name, cell)                                                                                    \
    VEC_APART void name(const struct step *s, ptrdiff_t row, ptrdiff_t block, ptrdiff_t n, bool of_rows, vec *pending) \
    {                                                                                                                  \
        struct run run = run_of(s, row, block, n, of_rows);                                                            \
        if (s->holds) {                                                                                                \
            apply_gates(cell, true, run, pending);                                                                     \
            finish(cell, is_relu(s), true, run, pending);                                                              \
        } else {                                                                                                       \
            apply_gates(cell, false, run, pending);                                                                    \
            finish(cell, is_relu(s), false, run, pending);                                                             \
        }                                                                                                              \
    }

DEFINE_COMPLETE(complete_lstm, PYLSTM_LSTM)
DEFINE_COMPLETE(complete_gru, PYLSTM_GRU)
DEFINE_COMPLETE(complete_rnn, PYLSTM_RNN_TANH)

VEC_INLINE void complete(int cell, const struct step *s, ptrdiff_t row, ptrdiff_t block, ptrdiff_t n, bool of_rows,
                         vec *pending)
{
    if (cell == PYLSTM_LSTM)
        complete_lstm(s, row, block, n, of_rows, pending);
    else if (cell == PYLSTM_GRU)
        complete_gru(s, row, block, n, of_rows, pending);
    else
        complete_rnn(s, row, block, n, of_rows, pending);
}
#endif

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

/* acc += panels' part of n_k inputs, from the tile's first vector on; a [n_rows][n_k]. With bytes, scale times that. */
VEC_INLINE void add_product(struct tile tile, ptrdiff_t n_k, struct operand a, struct panel panel, const real *scale,
                            const stored *ahead, vec acc[PANELS][TILE][VECTORS])
{
#if defined(PYLSTM_WEIGHT_BITS) && PYLSTM_WEIGHT_BITS == 8
    vec sum[PANELS][TILE][VECTORS];
    UNROLL
    for (int q = 0; q < tile.n_panels; q++) {
        UNROLL
        for (int r = 0; r < tile.n_rows; r++) {
            UNROLL
            for (int v = 0; v < tile.n_vectors; v++)
                sum[q][r][v] = splat(0);
        }
    }
    accumulate(tile_of(tile.n_panels, tile.n_rows, tile.n_vectors), n_k, a, panel, ahead, sum);
    UNROLL
    for (int q = 0; q < tile.n_panels; q++) {
        UNROLL
        for (int r = 0; r < tile.n_rows; r++) {
            UNROLL
            for (int v = 0; v < tile.n_vectors; v++)
                acc[q][r][tile.first + v] +=
                    load(scale + q * next_block(1, tile.n_vectors) + v * PANEL_LANES) * sum[q][r][v];
        }
    }
#else
    (void)scale;
    accumulate(tile, n_k, a, panel, ahead, acc);
#endif
}

/* What a tile's pre-activations start from: the bias, or what was projected ahead. */
VEC_INLINE void start_sums(struct tile tile, const struct step *s, ptrdiff_t row, ptrdiff_t block,
                           vec acc[PANELS][TILE][VECTORS])
{
    struct const_rows start = {s->weights->bias + block_at(block, 1, tile.n_vectors), 0};
    ptrdiff_t start_panel = next_block(1, tile.n_vectors);
    if (s->projected.data) {
        start.data = s->projected.data + row * s->projected.stride + block * s->projected.block_stride;
        start.stride = s->projected.stride;
        start_panel = s->projected.block_stride;
    }
    start_tile(tile, start, start_panel, acc);
}

/* acc += what one-hot inputs select of the panels: of each row its token's. The bits of a product with ones and zeros.
 */
VEC_INLINE void add_tokens(struct tile tile, const ptrdiff_t *tokens, struct panel panel, const real *scale,
                           vec acc[PANELS][TILE][VECTORS])
{
    UNROLL
    for (int r = 0; r < tile.n_rows; r++) {
        const stored *column = panel.data + tokens[r] * panel.k_step;
        UNROLL
        for (int q = 0; q < tile.n_panels; q++) {
            UNROLL
            for (int v = 0; v < tile.n_vectors; v++) {
                vec weight = load_weights(column + q * panel.panel_step + v * PANEL_LANES);
                if (scale)
                    weight *= load(scale + q * next_block(1, tile.n_vectors) + v * PANEL_LANES);
                acc[q][r][tile.first + v] += weight;
            }
        }
    }
}

/* Where pre-activations are left: those of a panel's rows side by side, those of the next panel_step vectors later. */
struct pending {
    vec *data;
    ptrdiff_t panel_step;
};

/* The pre-activations of a tile, from a row and a block on. */
VEC_INLINE void step_tile(int cell, struct tile tile, const struct step *s, ptrdiff_t row, ptrdiff_t block,
                          const stored *ahead, struct pending pending)
{
    const int n_gates = N_GATES(cell);
    const struct step_weights *w = s->weights;
    ptrdiff_t width = w->n_blocks * LANES, n_k = w->n_x + w->n_h, scale_at = block_at(block, 1, n_gates);
    struct panel panel =
        panel_of(w->panels + block_at(block, n_k, n_gates), n_gates * PANEL_LANES, next_block(n_k, n_gates));
    struct tile product = tile_of(tile.n_panels, tile.n_rows, n_gates);
    vec acc[PANELS][TILE][VECTORS];
    start_sums(tile, s, row, block, acc);
    if (s->rows.tokens)
        add_tokens(product, s->rows.tokens + row, panel, w->scale_x ? w->scale_x + scale_at : NULL, acc);
    else if (!s->projected.data)
        add_product(product, w->n_x, operand_of(s->rows.x.data + row * s->rows.x.stride, s->rows.x.stride, 1), panel,
                    w->scale_x ? w->scale_x + scale_at : NULL, NULL, acc);
    panel.data += w->n_x * n_gates * PANEL_LANES;
    product.first = FIRST_OF_H(cell);
    if (s->rows.h_prev)
        add_product(product, w->n_h, operand_of(s->rows.h_prev + row * width, width, 1), panel,
                    w->scale_h ? w->scale_h + scale_at : NULL, ahead, acc);
    UNROLL
    for (int q = 0; q < tile.n_panels; q++) {
        UNROLL
        for (int r = 0; r < tile.n_rows; r++) {
            UNROLL
            for (int v = 0; v < tile.n_vectors; v++)
                pending.data[q * pending.panel_step + r * tile.n_vectors + v] = acc[q][r][v];
        }
    }
}

/* Where the n blocks begin that come after `done` of n_blocks. */
VEC_INLINE ptrdiff_t blocks_after(bool last_first, ptrdiff_t done, ptrdiff_t n, ptrdiff_t n_blocks)
{
    return last_first ? n_blocks - done - n : done;
}

/* Room for what is pending at once: of an LSTM or a GRU 36 vectors of units. An exported model's stack is to stay
 * small. */
#ifdef EXPORTED_CELL
enum { PENDING = 2 * VECTORS };
#else
enum { PENDING = 36 * VECTORS };
#endif

VEC_INLINE struct pending pending_from(vec *data, ptrdiff_t panel_step)
{
    const struct pending pending = {data, panel_step};
    return pending;
}

/* A step of one row. */
VEC_INLINE void step_row(int cell, const struct step *s)
{
    const int most = TILE_PANELS(cell, 1), n_vectors = N_VECTORS(cell), most_pending = PENDING / n_vectors;
    const ptrdiff_t n_blocks = s->weights->n_blocks;
    vec pending[PENDING];
    for (ptrdiff_t done = 0, n; done < n_blocks; done += n) {
        n = n_blocks - done;
        if (n > most_pending)
            n = most_pending;
        ptrdiff_t first = blocks_after(s->last_first, done, n, n_blocks), part = 0, b;
        for (; part + most <= n; part += most) {
            b = blocks_after(s->last_first, part, most, n);
            step_tile(cell, tile_of(most, 1, n_vectors), s, 0, first + b, NULL,
                      pending_from(pending + b * n_vectors, n_vectors));
        }
        for (int left = 1; left < most && part < n; left++, part++) { /* at most so often, which GCC is to see */
            b = blocks_after(s->last_first, part, 1, n);
            step_tile(cell, tile_of(1, 1, n_vectors), s, 0, first + b, NULL,
                      pending_from(pending + b * n_vectors, n_vectors));
        }
        complete(cell, s, 0, first, n, false, pending);
    }
}

#endif
