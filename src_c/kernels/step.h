/* One step of a layer, from panels (kernels.h): a tile of rows, and all of one row. */
#ifndef PYLSTM_STEP_H
#define PYLSTM_STEP_H

#include "kernels/gates.h"
#include "kernels/tile.h"

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
    bool relu;       /* of an RNN: a branch in `finish`, where another constant would be as many copies of the loops */
    bool holds;      /* where `gates` is not NaN before the step, the gate is held at that */
    bool last_first; /* of the blocks */
};

VEC_INLINE struct run run_of(const struct step *s, ptrdiff_t row, ptrdiff_t block, ptrdiff_t n, bool of_rows)
{
    ptrdiff_t width = s->n_blocks * LANES, at = row * width + block * LANES;
    struct run run = {n,
                      of_rows ? width : LANES,
                      s->own_prev ? s->own_prev + at : NULL,
                      s->c ? s->c + at : NULL,
                      s->h + at,
                      {NULL, of_rows ? s->gates.stride : s->gates.block_stride}};
    if (s->gates.data)
        run.gates.data = s->gates.data + row * s->gates.stride + block * s->gates.block_stride;
    return run;
}

#ifdef EXPORTED_CELL /* which has one row, little stack, and no gates held */
VEC_INLINE void complete(int cell, const struct step *s, ptrdiff_t row, ptrdiff_t block, ptrdiff_t n, bool of_rows,
                         vec *pending)
{
    struct run run = run_of(s, row, block, n, of_rows);
    apply_gates(cell, false, run, pending);
    finish(cell, s->relu, false, run, pending);
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
            finish(cell, s->relu, true, run, pending);                                                                 \
        } else {                                                                                                       \
            apply_gates(cell, false, run, pending);                                                                    \
            finish(cell, s->relu, false, run, pending);                                                                \
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

/* The pre-activations of a tile, to `pending`: those of a panel's rows side by side, those of the next panel_pending
 * vectors later. */
VEC_INLINE void step_tile(int cell, int n_panels, int n_rows, const struct step *s, ptrdiff_t row, ptrdiff_t block,
                          const stored *ahead, vec *pending, ptrdiff_t panel_pending)
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
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                pending[q * panel_pending + r * n_vectors + v] = acc[q][r][v];
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

/* A step of one row. */
VEC_INLINE void step_row(int cell, const struct step *s)
{
    const int most = TILE_PANELS(cell, 1), n_vectors = N_VECTORS(cell), most_pending = PENDING / n_vectors;
    vec pending[PENDING];
    for (ptrdiff_t done = 0, n; done < s->n_blocks; done += n) {
        n = s->n_blocks - done;
        if (n > most_pending)
            n = most_pending;
        ptrdiff_t first = blocks_after(s->last_first, done, n, s->n_blocks), part = 0, b;
        for (; part + most <= n; part += most) {
            b = blocks_after(s->last_first, part, most, n);
            step_tile(cell, most, 1, s, 0, first + b, NULL, pending + b * n_vectors, n_vectors);
        }
        for (int left = 1; left < most && part < n; left++, part++) { /* at most so often, which GCC is to see */
            b = blocks_after(s->last_first, part, 1, n);
            step_tile(cell, 1, 1, s, 0, first + b, NULL, pending + b * n_vectors, n_vectors);
        }
        complete(cell, s, 0, first, n, false, pending);
    }
}

#endif
