/* The inner loops (kernels.h), for one dtype and instruction set. */
#include "kernels/kernels.h"

#include "kernels/cases.h"
#include "kernels/dense.h"
#include "kernels/derivatives.h"
#include "kernels/gather.h"
#include "kernels/head.h"
#include "kernels/solver.h"
#include "kernels/step.h"
#include "kernels/unpacked.h"

/* ----------------------------------------------------------------- forward */

/* How many tiles of rows it takes to ask for the next panels (AHEAD). */
VEC_INLINE ptrdiff_t parts_of(int n_vectors)
{
    return (n_vectors * LANES + AHEAD(n_vectors) - 1) / AHEAD(n_vectors);
}

VEC_INLINE void project_tile(int cell, int n_panels, int n_rows, ptrdiff_t n_x, const real *panel, ptrdiff_t panel_size,
                             struct const_block_rows start, struct const_rows x, const real *ahead,
                             struct block_rows out)
{
    const int n_vectors = N_VECTORS(cell), n_gates = N_GATES(cell);
    vec acc[PANELS][TILE][VECTORS];
    start_tile(n_panels, n_rows, n_vectors, (struct const_rows){start.data, start.stride}, start.block_stride, acc);
    accumulate(n_panels, n_rows, 0, n_gates, n_x, x.data, x.stride, 1, panel, n_gates * LANES, panel_size, ahead, acc);
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                store(out.data + r * out.stride + q * out.block_stride + v * LANES, acc[q][r][v]);
        }
    }
}

VEC_INLINE void project_panels(int cell, int n_panels, ptrdiff_t n_rows, ptrdiff_t n_x, const real *panel,
                               ptrdiff_t panel_size, struct const_block_rows start, struct const_rows x,
                               const real *next, struct block_rows out)
{
    ptrdiff_t n_parts = next ? parts_of(n_panels * N_GATES(cell)) : 0;
    for (ptrdiff_t row = 0, n; row < n_rows;
         row += n, start.data += n * start.stride, x.data += n * x.stride, out.data += n * out.stride) {
        n = next_tile(n_rows - row);
        const real *ahead = n_parts-- > 0 ? next : NULL;
        if (ahead)
            next += n_x * AHEAD(n_panels * N_GATES(cell));
#define TILE_CALL(n) project_tile(cell, n_panels, n, n_x, panel, panel_size, start, x, ahead, out)
        FOR_TILE(n)
#undef TILE_CALL
    }
}

VEC_INLINE void project_cell(int cell, ptrdiff_t n_rows, ptrdiff_t n_blocks, ptrdiff_t n_x, ptrdiff_t n_k,
                             const real *panels, struct const_block_rows start, struct const_rows x,
                             struct block_rows out)
{
    const int most = TILE_PANELS(cell, TILE);
    ptrdiff_t panel_size = n_k * N_GATES(cell) * LANES;
    bool prefetch = n_rows > TILE && n_blocks * n_x * N_GATES(cell) * LANES * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    for (ptrdiff_t b = 0, n; b < n_blocks;
         b += n, panels += n * panel_size, start.data += n * start.block_stride, out.data += n * out.block_stride) {
        n = b + most <= n_blocks ? most : 1;
        const real *next = prefetch && b + n < n_blocks ? panels + n * panel_size : NULL;
        if (n == most)
            project_panels(cell, most, n_rows, n_x, panels, panel_size, start, x, next, out);
        else
            project_panels(cell, 1, n_rows, n_x, panels, panel_size, start, x, next, out);
    }
}

static void project(pylstm_cell cell, ptrdiff_t n_rows, ptrdiff_t n_blocks, ptrdiff_t n_x, ptrdiff_t n_k,
                    const real *panels, struct const_block_rows start, struct const_rows x, struct block_rows out)
{
    FOR_CELL(cell, project_cell, n_rows, n_blocks, n_x, n_k, panels, start, x, out);
}

VEC_INLINE void step_panels(int cell, int n_panels, ptrdiff_t n_rows, const struct step *s, ptrdiff_t block,
                            const real *next)
{
    enum { MOST_ROWS = PENDING / VECTORS };
    const int n_vectors = N_VECTORS(cell);
    const ptrdiff_t panel_pending = MOST_ROWS * n_vectors;
    ptrdiff_t n_parts = next ? parts_of(n_panels * N_GATES(cell)) : 0;
    vec pending[PENDING];
    for (ptrdiff_t first = 0, end; first < n_rows; first = end) {
        end = first + MOST_ROWS < n_rows ? first + MOST_ROWS : n_rows;
        for (ptrdiff_t row = first, n; row < end; row += n) {
            n = next_tile(end - row);
            const real *ahead = n_parts-- > 0 ? next : NULL;
            if (ahead)
                next += (s->n_k - s->first_k) * AHEAD(n_panels * N_GATES(cell));
            vec *here = pending + (row - first) * n_vectors;
#define TILE_CALL(n) step_tile(cell, n_panels, n, s, row, block, ahead, here, panel_pending)
            FOR_TILE(n)
#undef TILE_CALL
        }
        for (int q = 0; q < n_panels; q++)
            complete(cell, s, first, block + q, end - first, true, pending + q * panel_pending);
    }
}

/* So few rows compute no longer than the next panel takes to come: asked for, it only came later. */
enum { FEW_TILE_ROWS = 6 };

VEC_INLINE void step_cell(int cell, ptrdiff_t n_rows, const struct step *s)
{
    if (n_rows == 1) {
        step_row(cell, s);
        return;
    }
    const int most = TILE_PANELS(cell, TILE);
    ptrdiff_t n_h = (s->n_k - s->first_k) * N_GATES(cell) * LANES;
    bool prefetch = n_rows > FEW_TILE_ROWS && s->n_blocks * n_h * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    for (ptrdiff_t done = 0, n; done < s->n_blocks; done += n) {
        n = done + most <= s->n_blocks ? most : 1;
        ptrdiff_t b = blocks_after(s->last_first, done, n, s->n_blocks);
        ptrdiff_t left = s->n_blocks - done - n, n_next = left >= most ? most : 1;
        const real *next = NULL;
        if (prefetch && left > 0)
            next = s->panels + (blocks_after(s->last_first, done + n, n_next, s->n_blocks) * s->n_k + s->first_k) *
                                   N_GATES(cell) * LANES;
        if (n == most)
            step_panels(cell, most, n_rows, s, b, next);
        else
            step_panels(cell, 1, n_rows, s, b, next);
    }
}

static void step(pylstm_cell cell, bool holds, bool last_first, ptrdiff_t n_rows, ptrdiff_t n_blocks, ptrdiff_t n_x,
                 ptrdiff_t first_k, ptrdiff_t n_k, const real *panels, struct const_block_rows start,
                 struct const_rows x, const real *h_prev, const real *own_prev, real *c, real *h,
                 struct block_rows gates)
{
    const struct step s = {n_blocks, n_x,       first_k, n_k,   start,
                           x,        panels,    NULL,    NULL,  h_prev,
                           own_prev, c,         h,       gates, cell == PYLSTM_RNN_RELU,
                           holds,    last_first};
    FOR_CELL(cell, step_cell, n_rows, &s);
}

/* ---------------------------------------------------------------- backward */

VEC_INLINE void backward_of(int cell, bool relu, ptrdiff_t n_rows, ptrdiff_t n_blocks, struct const_block_rows gates,
                            const real *own_prev, const real *own, real *dh, real *dc, real *dgates,
                            ptrdiff_t block_rows)
{
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        for (ptrdiff_t b = 0; b < n_blocks; b++) {
            ptrdiff_t at = (r * n_blocks + b) * LANES;
            unit_backward(cell, relu, gates.data + b * gates.block_stride + r * gates.stride, own_prev + at, own + at,
                          dh + at, dc + at, dgates + (b * block_rows + r) * N_VECTORS(cell) * LANES);
        }
    }
}

static void cell_backward(pylstm_cell cell, ptrdiff_t n_rows, ptrdiff_t n_blocks, struct const_block_rows gates,
                          const real *own_prev, const real *own, real *dh, real *dc, real *dgates, ptrdiff_t block_rows)
{
    bool relu = cell == PYLSTM_RNN_RELU;
    FOR_CELL(cell, backward_of, relu, n_rows, n_blocks, gates, own_prev, own, dh, dc, dgates, block_rows);
}

/* All rows read one part of a panel, while it is in the first-level cache, before the next. */
#define PART_BYTES ((ptrdiff_t)32 << 10)

/* out = dgates of the blocks [from, to) * their part of the panel; added to what is there if `adds`. */
VEC_INLINE void back_tile(int n_rows, int n_vectors, ptrdiff_t from, ptrdiff_t to, struct dgates dgates,
                          const real *panel, const real *ahead, bool adds, struct rows out)
{
    ptrdiff_t row = dgates.n_vectors * LANES, n_k = dgates.n_used * LANES;
    vec acc[PANELS][TILE][VECTORS];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[0][r][v] = adds ? load(out.data + r * out.stride + v * LANES) : splat(0);
    }
    for (ptrdiff_t b = from; b < to; b++)
        accumulate(1, n_rows, 0, n_vectors, n_k, dgates.data + b * dgates.block_rows * row + dgates.first * LANES, row,
                   1, panel + b * n_k * n_vectors * LANES, n_vectors * LANES, 0,
                   ahead ? ahead + (b - from) * n_k * AHEAD(n_vectors) : NULL, acc);
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            store(out.data + r * out.stride + v * LANES, acc[0][r][v]);
    }
}

VEC_INLINE void back_rows(ptrdiff_t n_rows, int n_vectors, ptrdiff_t n_blocks, struct dgates dgates, const real *panel,
                          bool prefetch, bool adds, struct rows out)
{
    ptrdiff_t n_k = dgates.n_used * LANES, block_size = n_k * n_vectors * LANES;
    ptrdiff_t part = n_rows == 1 ? n_blocks : PART_BYTES / (block_size * (ptrdiff_t)sizeof(real));
    for (ptrdiff_t from = 0, to; from < n_blocks; from = to, adds = true) {
        to = from + part < n_blocks ? from + part : n_blocks;
        const real *next = panel + to * block_size;
        ptrdiff_t n_parts = prefetch ? parts_of(n_vectors) : 0;
        for (ptrdiff_t row = 0, n; row < n_rows; row += n) {
            n = next_tile(n_rows - row);
            const real *ahead = n_parts-- > 0 ? next : NULL;
            struct dgates dgates_here = dgates;
            dgates_here.data += row * dgates.n_vectors * LANES;
            struct rows out_here = {out.data + row * out.stride, out.stride};
            next += (to - from) * n_k * AHEAD(n_vectors);
#define TILE_CALL(n) back_tile(n, n_vectors, from, to, dgates_here, panel, ahead, adds, out_here)
            FOR_TILE(n)
#undef TILE_CALL
        }
    }
}

static void back_product(bool last_first, ptrdiff_t n_rows, ptrdiff_t n_blocks, struct dgates dgates,
                         const real *panels, ptrdiff_t n_column_vectors, bool adds, struct rows out)
{
    ptrdiff_t n_k = n_blocks * dgates.n_used * LANES;
    bool prefetch = n_rows > TILE && n_k * n_column_vectors * LANES * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    ptrdiff_t n_panels = (n_column_vectors + 3) / 4;
    for (ptrdiff_t done = 0; done < n_panels; done++) {
        ptrdiff_t v = 4 * blocks_after(last_first, done, 1, n_panels);
        const real *panel = panels + v * LANES * n_k;
        struct rows columns = {out.data + v * LANES, out.stride};
        switch (n_column_vectors - v) {
        case 1:
            back_rows(n_rows, 1, n_blocks, dgates, panel, prefetch, adds, columns);
            break;
        case 2:
            back_rows(n_rows, 2, n_blocks, dgates, panel, prefetch, adds, columns);
            break;
        case 3:
            back_rows(n_rows, 3, n_blocks, dgates, panel, prefetch, adds, columns);
            break;
        default:
            back_rows(n_rows, 4, n_blocks, dgates, panel, prefetch, adds, columns);
        }
    }
}

/* Rows of which the gradients of weights are taken in one go: their dgates of one block, 16 KB (of vectors of 64
 * bytes 32, in a cache that is larger there), and a tile's columns of the other operand stay in the first-level cache.
 */
enum { OUTER_ROWS = 128 };

/* The next n columns of n_rows rows, side by side. */
VEC_INLINE void pack_tile(int n, ptrdiff_t n_rows, const real *from, ptrdiff_t stride, real *to)
{
    for (ptrdiff_t r = 0; r < n_rows; r++)
        memcpy(to + r * n, from + r * stride, (size_t)n * sizeof(real));
}

/* n_rows rows of n_k columns, to be the rows [row, row + n_rows) of `packed`: of every OUTER_ROWS of all_rows rows,
 * tile by tile of columns, the rows of a tile one after the other. Where they lie, a column's elements are a power of
 * two apart and fall into few sets of the cache. */
static void pack_columns(ptrdiff_t row, ptrdiff_t n_rows, ptrdiff_t all_rows, ptrdiff_t n_k, const real *a,
                         ptrdiff_t a_stride, real *packed)
{
    enum { AT_ONCE = 16 }; /* rows whose lines are in cache while they are taken apart */
    for (ptrdiff_t end = row + n_rows, next; row < end; row = next) {
        ptrdiff_t part = row / OUTER_ROWS * OUTER_ROWS;
        ptrdiff_t part_rows = all_rows - part < OUTER_ROWS ? all_rows - part : OUTER_ROWS;
        next = row + AT_ONCE < end ? row + AT_ONCE : end;
        next = next < part + part_rows ? next : part + part_rows;
        for (ptrdiff_t k = 0, n; k < n_k; k += n) {
            n = next_tile(n_k - k);
            real *to = packed + part * n_k + k * part_rows + (row - part) * n;
#define TILE_CALL(n) pack_tile(n, next - row, a + k, a_stride, to)
            FOR_TILE(n)
#undef TILE_CALL
        }
        a += (next - row) * a_stride;
    }
}

/* Of n_panels blocks, a panel of the gradient is panel_size after the one before. */
VEC_INLINE void outer_tile(int n_panels, int n_vectors, int n_columns, ptrdiff_t n_rows, const real *packed,
                           struct dgates dgates, real *dpanel, ptrdiff_t panel_size)
{
    const int size = n_columns * n_vectors * LANES;
    ptrdiff_t row = dgates.n_vectors * LANES;
    for (int q = 0; q < n_panels; q++)
        for (ptrdiff_t next = 0; next < size; next += LINE) /* written long ago, in large nets */
            PREFETCH(dpanel + q * panel_size + size + next);
    vec acc[PANELS][TILE][VECTORS];
    start_tile(n_panels, n_columns, n_vectors, (struct const_rows){dpanel, n_vectors * LANES}, panel_size, acc);
    accumulate(n_panels, n_columns, 0, n_vectors, n_rows, packed, 1, n_columns, dgates.data + dgates.first * LANES, row,
               dgates.block_rows * row, NULL, acc);
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        UNROLL
        for (int r = 0; r < n_columns; r++) {
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                store(dpanel + q * panel_size + (r * n_vectors + v) * LANES, acc[q][r][v]);
        }
    }
}

VEC_INLINE void outer_panels(int n_panels, int n_vectors, ptrdiff_t n_rows, const real *packed, ptrdiff_t n_k,
                             struct dgates dgates, real *dpanel, ptrdiff_t panel_size)
{
    for (ptrdiff_t part = 0; part < n_rows; part += OUTER_ROWS) {
        ptrdiff_t n_part = n_rows - part < OUTER_ROWS ? n_rows - part : OUTER_ROWS;
        real *to = dpanel;
        for (ptrdiff_t k = 0, n; k < n_k; k += n, packed += n * n_part, to += n * n_vectors * LANES) {
            n = next_tile(n_k - k);
#define TILE_CALL(n) outer_tile(n_panels, n_vectors, n, n_part, packed, dgates, to, panel_size)
            FOR_TILE(n)
#undef TILE_CALL
        }
        dgates.data += n_part * dgates.n_vectors * LANES;
    }
}

static void outer(ptrdiff_t n_segments, const struct segment *segments, ptrdiff_t a_stride, ptrdiff_t n_k,
                  ptrdiff_t n_blocks, struct dgates dgates, real *packed, real *dpanels, ptrdiff_t panel_k)
{
    ptrdiff_t panel_size = panel_k * dgates.n_used * LANES, block_size = dgates.block_rows * dgates.n_vectors * LANES;
    ptrdiff_t n_rows = 0, row = 0;
    for (ptrdiff_t s = 0; s < n_segments; s++)
        n_rows += segments[s].n_rows;
    for (ptrdiff_t s = 0; s < n_segments; row += segments[s++].n_rows)
        pack_columns(row, segments[s].n_rows, n_rows, n_k, segments[s].a, a_stride, packed);
    for (ptrdiff_t b = 0, n; b < n_blocks; b += n, dgates.data += n * block_size, dpanels += n * panel_size) {
        n = 1;
        if (dgates.n_used == 4) {
            outer_panels(1, 4, n_rows, packed, n_k, dgates, dpanels, panel_size);
        } else if (dgates.n_used == 3) {
            outer_panels(1, 3, n_rows, packed, n_k, dgates, dpanels, panel_size);
        } else if (b + 4 <= n_blocks) {
            n = 4;
            outer_panels(4, 1, n_rows, packed, n_k, dgates, dpanels, panel_size);
        } else {
            outer_panels(1, 1, n_rows, packed, n_k, dgates, dpanels, panel_size);
        }
    }
}

/* Of n_vectors side by side. */
VEC_INLINE void column_sum(int n_vectors, ptrdiff_t n_rows, const real *from, ptrdiff_t stride, real *sums)
{
    vec sum[VECTORS];
    UNROLL
    for (int v = 0; v < n_vectors; v++)
        sum[v] = load(sums + v * LANES);
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            sum[v] += load(from + r * stride + v * LANES);
    }
    UNROLL
    for (int v = 0; v < n_vectors; v++)
        store(sums + v * LANES, sum[v]);
}

static void column_sums(ptrdiff_t n_rows, ptrdiff_t n_blocks, struct dgates dgates, real *dbias)
{
    ptrdiff_t stride = dgates.n_vectors * LANES;
    for (ptrdiff_t b = 0; b < n_blocks; b++, dbias += stride, dgates.data += dgates.block_rows * stride) {
        if (dgates.n_vectors == 4)
            column_sum(4, n_rows, dgates.data, stride, dbias);
        else
            column_sum(1, n_rows, dgates.data, stride, dbias);
    }
}

/* --------------------------------------------------- the dense layer on top */

static void dense(ptrdiff_t n_rows, ptrdiff_t n_outputs, ptrdiff_t n_k, struct const_rows a, const real *weight,
                  const real *bias, struct rows out)
{
    for (ptrdiff_t r = 0; r < n_rows; r++)
        dense_row(n_outputs, n_k, a.data + r * a.stride, weight, NULL, bias, out.data + r * out.stride);
}

/* ------------------------------------------------------------- activations */

static void tanh_of(ptrdiff_t n, const real *in, real *out)
{
    for (ptrdiff_t k = 0; k < n; k += LANES)
        store(out + k, vec_tanh(load(in + k)));
}

static void sigmoid_of(ptrdiff_t n, const real *in, real *out)
{
    for (ptrdiff_t k = 0; k < n; k += LANES)
        store(out + k, vec_sigmoid(load(in + k)));
}

extern const struct kernels ISA_NAME(kernels);
const struct kernels ISA_NAME(kernels) = {
    LANES,
    ISA_NAME(gather),
    ISA_NAME(scatter),
    project,
    step,
    step_unpacked,
    cell_backward,
    back_product,
    outer,
    back_unpacked,
    outer_unpacked,
    column_sums,
    dense,
    ISA_NAME(sum_of_squares),
    ISA_NAME(decay),
    ISA_NAME(solver_step),
    tanh_of,
    sigmoid_of,
#ifndef PYLSTM_EXPORTED
    &ISA_NAME(head_kernels),
#endif
};
