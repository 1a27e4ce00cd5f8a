/* The inner loops (kernels.h), for one dtype and instruction set. */
#include "kernels/kernels.h"

#include "kernels/cases.h"
#include "kernels/dense_rows.h"
#include "kernels/derivatives.h"
#include "kernels/fused.h"
#include "kernels/gather.h"
#include "kernels/head.h"
#include "kernels/solver.h"
#include "kernels/unpacked.h"

/* ----------------------------------------------------------------- forward */

/* How many tiles of rows it takes to ask for the next panels (AHEAD). */
VEC_INLINE ptrdiff_t parts_of(int n_vectors)
{
    return (n_vectors * LANES + AHEAD(n_vectors) - 1) / AHEAD(n_vectors);
}

VEC_INLINE void project_tile(int cell, struct tile tile, const struct step_weights *w, const struct step_rows *rows,
                             ptrdiff_t row, ptrdiff_t block, const real *ahead)
{
    const int n_vectors = N_VECTORS(cell), n_gates = N_GATES(cell);
    ptrdiff_t panel_size = (w->n_x + w->n_h) * n_gates * LANES, x_stride = rows->x.stride;
    struct block_rows out = rows->gates;
    out.data += row * out.stride + block * out.block_stride;
    vec acc[PANELS][TILE][VECTORS];
    start_tile(tile, (struct const_rows){w->bias + block * n_vectors * LANES, 0}, n_vectors * LANES, acc);
    accumulate(tile_of(tile.n_panels, tile.n_rows, n_gates), w->n_x,
               operand_of(rows->x.data + row * x_stride, x_stride, 1),
               panel_of(w->panels + block * panel_size, n_gates * LANES, panel_size), ahead, acc);
    UNROLL
    for (int q = 0; q < tile.n_panels; q++) {
        UNROLL
        for (int r = 0; r < tile.n_rows; r++) {
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                store(out.data + r * out.stride + q * out.block_stride + v * LANES, acc[q][r][v]);
        }
    }
}

VEC_INLINE void project_panels(int cell, int n_panels, const struct step_weights *w, const struct step_rows *rows,
                               ptrdiff_t block, const real *next)
{
    ptrdiff_t n_parts = next ? parts_of(n_panels * N_GATES(cell)) : 0;
    for (ptrdiff_t row = 0, n; row < rows->n; row += n) {
        n = next_tile(rows->n - row);
        const real *ahead = n_parts-- > 0 ? next : NULL;
        if (ahead)
            next += w->n_x * AHEAD(n_panels * N_GATES(cell));
#define TILE_CALL(n) project_tile(cell, tile_of(n_panels, n, N_VECTORS(cell)), w, rows, row, block, ahead)
        FOR_TILE(n)
#undef TILE_CALL
    }
}

VEC_INLINE void project_cell(int cell, const struct step_weights *w, const struct step_rows *rows)
{
    const int most = TILE_PANELS(cell, TILE);
    ptrdiff_t n_x = w->n_x, panel_size = (n_x + w->n_h) * N_GATES(cell) * LANES;
    bool prefetch =
        rows->n > TILE && w->n_blocks * n_x * N_GATES(cell) * LANES * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    for (ptrdiff_t b = 0, n; b < w->n_blocks; b += n) {
        n = b + most <= w->n_blocks ? most : 1;
        const real *next = prefetch && b + n < w->n_blocks ? w->panels + (b + n) * panel_size : NULL;
        if (n == most)
            project_panels(cell, most, w, rows, b, next);
        else
            project_panels(cell, 1, w, rows, b, next);
    }
}

static void project(const struct step_weights *weights, const struct step_rows *rows)
{
    FOR_CELL(weights->cell, project_cell, weights, rows);
}

VEC_INLINE void step_panels(int cell, int n_panels, const struct step *s, ptrdiff_t block, const real *next)
{
    enum { MOST_ROWS = PENDING / VECTORS };
    const int n_vectors = N_VECTORS(cell);
    const ptrdiff_t panel_pending = MOST_ROWS * n_vectors, n_rows = s->rows.n;
    ptrdiff_t n_parts = next ? parts_of(n_panels * N_GATES(cell)) : 0;
    vec pending[PENDING];
    for (ptrdiff_t first = 0, end; first < n_rows; first = end) {
        end = first + MOST_ROWS < n_rows ? first + MOST_ROWS : n_rows;
        for (ptrdiff_t row = first, n; row < end; row += n) {
            n = next_tile(end - row);
            const real *ahead = n_parts-- > 0 ? next : NULL;
            if (ahead)
                next += s->weights->n_h * AHEAD(n_panels * N_GATES(cell));
            struct pending here = {pending + (row - first) * n_vectors, panel_pending};
#define TILE_CALL(n) step_tile(cell, tile_of(n_panels, n, n_vectors), s, row, block, ahead, here)
            FOR_TILE(n)
#undef TILE_CALL
        }
        for (int q = 0; q < n_panels; q++)
            complete(cell, s, first, block + q, end - first, true, pending + q * panel_pending);
    }
}

/* So few rows compute no longer than the next panel takes to come: asked for, it only came later. */
enum { FEW_TILE_ROWS = 6 };

VEC_INLINE void step_cell(int cell, const struct step *s)
{
    if (s->rows.n == 1) {
        step_row(cell, s);
        return;
    }
    const int most = TILE_PANELS(cell, TILE);
    const struct step_weights *w = s->weights;
    ptrdiff_t k_size = N_GATES(cell) * LANES, panel_size = (w->n_x + w->n_h) * k_size;
    bool prefetch =
        s->rows.n > FEW_TILE_ROWS && w->n_blocks * w->n_h * k_size * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    for (ptrdiff_t done = 0, n; done < w->n_blocks; done += n) {
        n = done + most <= w->n_blocks ? most : 1;
        ptrdiff_t b = blocks_after(s->last_first, done, n, w->n_blocks);
        ptrdiff_t left = w->n_blocks - done - n, n_next = left >= most ? most : 1;
        const real *next = NULL;
        if (prefetch && left > 0)
            next =
                w->panels + blocks_after(s->last_first, done + n, n_next, w->n_blocks) * panel_size + w->n_x * k_size;
        if (n == most)
            step_panels(cell, most, s, b, next);
        else
            step_panels(cell, 1, s, b, next);
    }
}

static void step(const struct step *step)
{
    FOR_CELL(step->weights->cell, step_cell, step);
}

/* ---------------------------------------------------------------- backward */

VEC_INLINE void backward_of(int cell, bool relu, const struct back_rows *rows)
{
    const struct back_rows all = *rows;
    for (ptrdiff_t r = 0; r < all.n; r++) {
        for (ptrdiff_t b = 0; b < all.n_blocks; b++) {
            ptrdiff_t at = (r * all.n_blocks + b) * LANES;
            const struct unit_back units = {
                .gates = all.gates.data + b * all.gates.block_stride + r * all.gates.stride,
                .own_prev = all.own_prev ? all.own_prev + at : NULL,
                .own = all.own + at,
                .dh = all.dh + at,
                .dc = all.dc ? all.dc + at : NULL,
                .dz = all.dgates.data + b * all.dgates.block_stride + r * all.dgates.stride,
            };
            unit_backward(cell, relu, units);
        }
    }
}

static void cell_backward(pylstm_cell cell, const struct back_rows *rows)
{
    bool relu = cell == PYLSTM_RNN_RELU;
    FOR_CELL(cell, backward_of, relu, rows);
}

/* All rows read one part of a panel, while it is in the first-level cache, before the next. */
#define PART_BYTES ((ptrdiff_t)32 << 10)

/* Blocks of dgates, of rows from `row` on, and the part of a panel that they are multiplied by: its next one is asked
 * for at `ahead`, if that is not NULL. */
struct back_part {
    ptrdiff_t row, from, to;
    const real *panel, *ahead;
};

/* out = dgates * a part of a panel; added to what is there if `adds`. */
VEC_INLINE void back_tile(struct tile tile, const struct dgates *dgates, struct back_part part, bool adds,
                          struct rows out)
{
    const int n_vectors = tile.n_vectors;
    ptrdiff_t row_size = dgates->n_vectors * LANES, n_k = dgates->n_used * LANES;
    const real *first = dgates->data + part.row * row_size + dgates->first * LANES;
    vec acc[PANELS][TILE][VECTORS];
    out.data += part.row * out.stride;
    UNROLL
    for (int r = 0; r < tile.n_rows; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[0][r][v] = adds ? load(out.data + r * out.stride + v * LANES) : splat(0);
    }
    for (ptrdiff_t b = part.from; b < part.to; b++)
        accumulate(tile, n_k, operand_of(first + b * dgates->block_rows * row_size, row_size, 1),
                   panel_of(part.panel + b * n_k * n_vectors * LANES, n_vectors * LANES, 0),
                   part.ahead ? part.ahead + (b - part.from) * n_k * AHEAD(n_vectors) : NULL, acc);
    UNROLL
    for (int r = 0; r < tile.n_rows; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            store(out.data + r * out.stride + v * LANES, acc[0][r][v]);
    }
}

VEC_INLINE void back_rows(int n_vectors, const struct dgates *dgates, const real *panel, bool prefetch, bool adds,
                          struct rows out)
{
    ptrdiff_t n_rows = dgates->n_rows, n_blocks = dgates->n_blocks;
    ptrdiff_t n_k = dgates->n_used * LANES, block_size = n_k * n_vectors * LANES;
    ptrdiff_t part = n_rows == 1 ? n_blocks : PART_BYTES / (block_size * (ptrdiff_t)sizeof(real));
    for (ptrdiff_t from = 0, to; from < n_blocks; from = to, adds = true) {
        to = from + part < n_blocks ? from + part : n_blocks;
        const real *next = panel + to * block_size;
        ptrdiff_t n_parts = prefetch ? parts_of(n_vectors) : 0;
        for (ptrdiff_t row = 0, n; row < n_rows; row += n) {
            n = next_tile(n_rows - row);
            struct back_part here = {row, from, to, panel, n_parts-- > 0 ? next : NULL};
            next += (to - from) * n_k * AHEAD(n_vectors);
#define TILE_CALL(n) back_tile(tile_of(1, n, n_vectors), dgates, here, adds, out)
            FOR_TILE(n)
#undef TILE_CALL
        }
    }
}

static void back_product(const struct dgates *dgates, const real *panels, ptrdiff_t n_column_vectors, bool last_first,
                         bool adds, struct rows out)
{
    ptrdiff_t n_k = dgates->n_blocks * dgates->n_used * LANES;
    bool prefetch = dgates->n_rows > TILE && n_k * n_column_vectors * LANES * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    ptrdiff_t n_panels = (n_column_vectors + 3) / 4;
    for (ptrdiff_t done = 0; done < n_panels; done++) {
        ptrdiff_t v = 4 * blocks_after(last_first, done, 1, n_panels);
        const real *panel = panels + v * LANES * n_k;
        struct rows columns = {out.data + v * LANES, out.stride};
        switch (n_column_vectors - v) {
        case 1:
            back_rows(1, dgates, panel, prefetch, adds, columns);
            break;
        case 2:
            back_rows(2, dgates, panel, prefetch, adds, columns);
            break;
        case 3:
            back_rows(3, dgates, panel, prefetch, adds, columns);
            break;
        default:
            back_rows(4, dgates, panel, prefetch, adds, columns);
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

/* The rows of a stretch, to be those from `row` on of all_rows in `packed`: of every OUTER_ROWS rows, tile by tile of
 * columns, the rows of a tile one after the other. Where they lie, a column's elements are a power of two apart and
 * fall into few sets of the cache. */
static void pack_columns(struct segment segment, const struct stretches *of, ptrdiff_t row, ptrdiff_t all_rows,
                         real *packed)
{
    enum { AT_ONCE = 16 }; /* rows whose lines are in cache while they are taken apart */
    for (ptrdiff_t end = row + segment.n_rows, next; row < end; row = next) {
        ptrdiff_t part = row / OUTER_ROWS * OUTER_ROWS;
        ptrdiff_t part_rows = all_rows - part < OUTER_ROWS ? all_rows - part : OUTER_ROWS;
        next = row + AT_ONCE < end ? row + AT_ONCE : end;
        next = next < part + part_rows ? next : part + part_rows;
        for (ptrdiff_t k = 0, n; k < of->n_k; k += n) {
            n = next_tile(of->n_k - k);
            real *to = packed + part * of->n_k + k * part_rows + (row - part) * n;
#define TILE_CALL(n) pack_tile(n, next - row, segment.a + k, of->stride, to)
            FOR_TILE(n)
#undef TILE_CALL
        }
        segment.a += (next - row) * of->stride;
    }
}

/* Of n_panels blocks, a panel of the gradient is panel_size after the one before; the tile's rows are columns. */
VEC_INLINE void outer_tile(struct tile tile, ptrdiff_t n_rows, const real *packed, const struct dgates *dgates,
                           real *dpanel, ptrdiff_t panel_size)
{
    const int n_vectors = tile.n_vectors, size = tile.n_rows * n_vectors * (int)LANES;
    ptrdiff_t row = dgates->n_vectors * LANES;
    for (int q = 0; q < tile.n_panels; q++)
        for (ptrdiff_t next = 0; next < size; next += LINE) /* written long ago, in large nets */
            PREFETCH(dpanel + q * panel_size + size + next);
    vec acc[PANELS][TILE][VECTORS];
    start_tile(tile, (struct const_rows){dpanel, n_vectors * LANES}, panel_size, acc);
    accumulate(tile, n_rows, operand_of(packed, 1, tile.n_rows),
               panel_of(dgates->data + dgates->first * LANES, row, dgates->block_rows * row), NULL, acc);
    UNROLL
    for (int q = 0; q < tile.n_panels; q++) {
        UNROLL
        for (int r = 0; r < tile.n_rows; r++) {
            UNROLL
            for (int v = 0; v < n_vectors; v++)
                store(dpanel + q * panel_size + (r * n_vectors + v) * LANES, acc[q][r][v]);
        }
    }
}

VEC_INLINE void outer_panels(int n_panels, int n_vectors, const real *packed, ptrdiff_t n_k, struct dgates dgates,
                             real *dpanel, ptrdiff_t panel_size)
{
    for (ptrdiff_t part = 0; part < dgates.n_rows; part += OUTER_ROWS) {
        ptrdiff_t n_part = dgates.n_rows - part < OUTER_ROWS ? dgates.n_rows - part : OUTER_ROWS;
        real *to = dpanel;
        for (ptrdiff_t k = 0, n; k < n_k; k += n, packed += n * n_part, to += n * n_vectors * LANES) {
            n = next_tile(n_k - k);
#define TILE_CALL(n) outer_tile(tile_of(n_panels, n, n_vectors), n_part, packed, &dgates, to, panel_size)
            FOR_TILE(n)
#undef TILE_CALL
        }
        dgates.data += n_part * dgates.n_vectors * LANES;
    }
}

static void outer(const struct stretches *a, const struct dgates *dgates, real *packed, real *dpanels,
                  ptrdiff_t panel_k)
{
    struct dgates here = *dgates;
    ptrdiff_t panel_size = panel_k * here.n_used * LANES, block_size = here.block_rows * here.n_vectors * LANES;
    for (ptrdiff_t s = 0, row = 0; s < a->n_segments; row += a->segments[s++].n_rows)
        pack_columns(a->segments[s], a, row, here.n_rows, packed);
    for (ptrdiff_t b = 0, n; b < here.n_blocks; b += n, here.data += n * block_size, dpanels += n * panel_size) {
        n = 1;
        if (here.n_used == 4) {
            outer_panels(1, 4, packed, a->n_k, here, dpanels, panel_size);
        } else if (here.n_used == 3) {
            outer_panels(1, 3, packed, a->n_k, here, dpanels, panel_size);
        } else if (b + 4 <= here.n_blocks) {
            n = 4;
            outer_panels(4, 1, packed, a->n_k, here, dpanels, panel_size);
        } else {
            outer_panels(1, 1, packed, a->n_k, here, dpanels, panel_size);
        }
    }
}

VEC_INLINE void outer_tokens_of(int n_used, const ptrdiff_t *tokens, const struct dgates *dgates, real *dpanels,
                                ptrdiff_t panel_k)
{
    ptrdiff_t row = dgates->n_vectors * LANES, size = n_used * LANES;
    const real *from = dgates->data + dgates->first * LANES;
    for (ptrdiff_t b = 0; b < dgates->n_blocks; b++, dpanels += panel_k * size, from += dgates->block_rows * row)
        for (ptrdiff_t r = 0; r < dgates->n_rows; r++) {
            real *to = dpanels + tokens[r] * size;
            UNROLL
            for (int v = 0; v < n_used; v++)
                store(to + v * LANES, load(to + v * LANES) + load(from + r * row + v * LANES));
        }
}

static void outer_tokens(const ptrdiff_t *tokens, const struct dgates *dgates, real *dpanels, ptrdiff_t panel_k)
{
    if (dgates->n_used == 4)
        outer_tokens_of(4, tokens, dgates, dpanels, panel_k);
    else if (dgates->n_used == 3)
        outer_tokens_of(3, tokens, dgates, dpanels, panel_k);
    else
        outer_tokens_of(1, tokens, dgates, dpanels, panel_k);
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

static void column_sums(const struct dgates *dgates, real *dbias)
{
    ptrdiff_t stride = dgates->n_vectors * LANES;
    const real *data = dgates->data;
    for (ptrdiff_t b = 0; b < dgates->n_blocks; b++, dbias += stride, data += dgates->block_rows * stride) {
        if (dgates->n_vectors == 4)
            column_sum(4, dgates->n_rows, data, stride, dbias);
        else
            column_sum(1, dgates->n_rows, data, stride, dbias);
    }
}

/* --------------------------------------------------- the dense layer on top */

static real exponentials(ptrdiff_t n, real *values)
{
    real parts[LANES], largest = values[0], total = 0;
    vec most = splat(largest), sum = splat(0);
    ptrdiff_t k = 0;
    for (; k + LANES <= n; k += LANES)
        most = at_least(most, load(values + k));
    store(parts, most);
    for (ptrdiff_t l = 0; l < LANES; l++)
        largest = parts[l] > largest ? parts[l] : largest;
    for (; k < n; k++)
        largest = values[k] > largest ? values[k] : largest;
    most = splat(largest);
    for (k = 0; k + LANES <= n; k += LANES) {
        vec value = vec_exp(load(values + k) - most);
        store(values + k, value);
        sum += value;
    }
    store(parts, sum);
    for (ptrdiff_t l = 0; l < LANES; l++)
        total += parts[l];
    if (k < n) {
        store(parts, vec_exp(load_first(values + k, n - k) - most));
        for (ptrdiff_t l = 0; l < n - k; l++)
            total += values[k + l] = parts[l];
    }
    return total;
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
    outer_tokens,
    back_unpacked,
    outer_unpacked,
    column_sums,
    dense,
    exponentials,
    ISA_NAME(sum_of_squares),
    ISA_NAME(decay),
    ISA_NAME(solver_step),
    tanh_of,
    sigmoid_of,
    &ISA_NAME(head_kernels),
};
