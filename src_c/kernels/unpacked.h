/* The kernels that read weights, or write their gradient, as they lie: where packing would cost more than it saves. */
#ifndef PYLSTM_UNPACKED_H
#define PYLSTM_UNPACKED_H

#include "kernels/cases.h"
#include "kernels/gates.h"
#include "kernels/kernels.h"
#include "kernels/panels.h"
#include "kernels/quads.h"

#define UNPACKED_DISTANCE (6 * LINE)

/* z[r] += sum over k of a[r][k] * weight[unit][k], for the units of one block and one gate, transposed in registers. A
 * block with fewer than LANES units reads the rows of its first one instead of those it lacks. */
VEC_INLINE void accumulate_unpacked(int n_rows, ptrdiff_t n_units, ptrdiff_t n_k, const real *weight, const real *a,
                                    ptrdiff_t a_row, vec *z)
{
    ptrdiff_t k = 0;
    for (; n_units == LANES && k + SIDE <= n_k; k += SIDE) {
        /* the LANES streams are more than the hardware follows: each line asked for once, some rows at a time */
        UNROLL
        for (ptrdiff_t u = 0; u < LANES * SIDE / LINE; u++)
            PREFETCH(weight + (k / SIDE * (LANES * SIDE / LINE) % LANES + u) * n_k + k + UNPACKED_DISTANCE);
        vec column[SIDE];
        UNROLL
        for (int j = 0; j < SIDE; j++)
            column[j] = load_quads(weight + j * n_k + k, SIDE * n_k);
        transpose_quads(column);
        UNROLL
        for (int j = 0; j < SIDE; j++) {
            UNROLL
            for (int r = 0; r < n_rows; r++)
                z[r] += column[j] * splat(a[r * a_row + k + j]);
        }
    }
    for (; k < n_k; k++) {
        real column[LANES];
        for (ptrdiff_t u = 0; u < LANES; u++)
            column[u] = weight[(u < n_units ? u : 0) * n_k + k];
        UNROLL
        for (int r = 0; r < n_rows; r++)
            z[r] += load(column) * splat(a[r * a_row + k]);
    }
}

/* Rows that share one reading of the weights. */
enum { UNPACKED_ROWS = 2 };

/* z[r] += weight[unit][tokens[r]] */
VEC_INLINE void add_unpacked_tokens(int n_rows, ptrdiff_t n_units, ptrdiff_t n_k, const real *weight,
                                    const ptrdiff_t *tokens, vec *z)
{
    for (int r = 0; r < n_rows; r++) {
        real column[LANES];
        for (ptrdiff_t u = 0; u < LANES; u++)
            column[u] = weight[(u < n_units ? u : 0) * n_k + tokens[r]];
        z[r] += load(column);
    }
}

VEC_INLINE void unpacked_tile(int cell, bool relu, int n_rows, const struct plain_weights *w,
                              const struct step_rows *rows)
{
    const struct cell *of = pylstm_cell_of((pylstm_cell)cell);
    ptrdiff_t n_x = w->n_x, hidden = w->hidden, width = blocks_of(hidden, LANES) * LANES;
    for (ptrdiff_t first = 0; first < hidden; first += LANES) {
        ptrdiff_t n_units = hidden - first < LANES ? hidden - first : LANES;
        vec z[UNPACKED_ROWS * VECTORS];
        for (int v = 0; v < N_VECTORS(cell); v++) {
            ptrdiff_t x_row = of->x_gate[v] * hidden + first, h_row = of->h_gate[v] * hidden + first;
            real start[LANES];
            for (ptrdiff_t u = 0; u < LANES; u++)
                start[u] = w->bias[of->bias[v] * hidden + first + (u < n_units ? u : 0)];
            vec sum[UNPACKED_ROWS];
            UNROLL
            for (int r = 0; r < n_rows; r++)
                sum[r] = load(start);
            if (of->x_gate[v] != NOTHING && rows->tokens)
                add_unpacked_tokens(n_rows, n_units, n_x, w->weight_ih + x_row * n_x, rows->tokens, sum);
            else if (of->x_gate[v] != NOTHING)
                accumulate_unpacked(n_rows, n_units, n_x, w->weight_ih + x_row * n_x, rows->x.data, rows->x.stride,
                                    sum);
            if (rows->h_prev && of->h_gate[v] != NOTHING)
                accumulate_unpacked(n_rows, n_units, hidden, w->weight_hh + h_row * hidden, rows->h_prev, width, sum);
            UNROLL
            for (int r = 0; r < n_rows; r++)
                z[r * N_VECTORS(cell) + v] = sum[r];
        }
        struct block_rows gates = rows->gates;
        struct run run = {n_rows,
                          width,
                          rows->own_prev ? rows->own_prev + first : NULL,
                          rows->c ? rows->c + first : NULL,
                          rows->h + first,
                          {gates.data ? gates.data + first / LANES * gates.block_stride : NULL, gates.stride}};
        apply_gates(cell, false, run, z);
        finish(cell, relu, false, run, z);
    }
}

VEC_INLINE void unpacked_cell(int cell, bool relu, const struct plain_weights *w, const struct step_rows *rows)
{
    ptrdiff_t width = blocks_of(w->hidden, LANES) * LANES;
    struct step_rows left = *rows;
    for (; left.n > 0; left.n -= UNPACKED_ROWS) {
        if (left.n == 1)
            unpacked_tile(cell, relu, 1, w, &left);
        else
            unpacked_tile(cell, relu, 2, w, &left);
        left.x = rows_from(left.x, UNPACKED_ROWS, 0);
        left.tokens = left.tokens ? left.tokens + UNPACKED_ROWS : NULL;
        left.h_prev = left.h_prev ? left.h_prev + UNPACKED_ROWS * width : NULL;
        left.own_prev = left.own_prev ? left.own_prev + UNPACKED_ROWS * width : NULL;
        left.c = left.c ? left.c + UNPACKED_ROWS * width : NULL;
        left.h += UNPACKED_ROWS * width;
        left.gates.data = left.gates.data ? left.gates.data + UNPACKED_ROWS * left.gates.stride : NULL;
    }
}

static void step_unpacked(const struct plain_weights *weights, const struct step_rows *rows)
{
    bool relu = weights->cell == PYLSTM_RNN_RELU;
    FOR_CELL(weights->cell, unpacked_cell, relu, weights, rows);
}

/* ---------------------------------------------------------------- backward */

enum { MOST_FACTORS = 8 };

/* n_j rows of weights share one reading of what they are added to, n_rows rows of that one of the weights. */
VEC_INLINE void add_rows(int n_rows, int n_j, ptrdiff_t n_k, struct const_rows dz, struct const_rows weight,
                         struct rows out)
{
    vec factor[UNPACKED_ROWS][MOST_FACTORS];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int j = 0; j < n_j; j++)
            factor[r][j] = splat(dz.data[r * dz.stride + j]);
    }
    ptrdiff_t k = 0;
    for (; k + LANES <= n_k; k += LANES) {
        vec sum[UNPACKED_ROWS];
        UNROLL
        for (int r = 0; r < n_rows; r++)
            sum[r] = load(out.data + r * out.stride + k);
        UNROLL
        for (int j = 0; j < n_j; j++) {
            vec row = load(weight.data + j * weight.stride + k);
            UNROLL
            for (int r = 0; r < n_rows; r++)
                sum[r] += factor[r][j] * row;
        }
        UNROLL
        for (int r = 0; r < n_rows; r++)
            store(out.data + r * out.stride + k, sum[r]);
    }
    for (; k < n_k; k++)
        for (int r = 0; r < n_rows; r++)
            for (int j = 0; j < n_j; j++)
                out.data[r * out.stride + k] += dz.data[r * dz.stride + j] * weight.data[j * weight.stride + k];
}

static void back_unpacked(ptrdiff_t n_rows, ptrdiff_t n_j, ptrdiff_t n_k, struct const_rows dz,
                          struct const_rows weight, struct rows out)
{
    for (ptrdiff_t j = 0, n; j < n_j; j += n) {
        struct const_rows weight_here = rows_from(weight, j, 0), dz_here = rows_from(dz, 0, j);
        struct rows out_here = out;
        ptrdiff_t left = n_rows;
        n = n_rows == 1 && n_j - j >= 8 ? 8 : n_j - j >= 4 ? 4 : 1;
        for (; n == 4 && left >= UNPACKED_ROWS; left -= UNPACKED_ROWS) {
            add_rows(UNPACKED_ROWS, 4, n_k, dz_here, weight_here, out_here);
            dz_here = rows_from(dz_here, UNPACKED_ROWS, 0);
            out_here.data += UNPACKED_ROWS * out.stride;
        }
        for (; left > 0; left--) {
            if (n == 8)
                add_rows(1, 8, n_k, dz_here, weight_here, out_here);
            else if (n == 4)
                add_rows(1, 4, n_k, dz_here, weight_here, out_here);
            else
                add_rows(1, 1, n_k, dz_here, weight_here, out_here);
            dz_here = rows_from(dz_here, 1, 0);
            out_here.data += out.stride;
        }
    }
}

/* Rows of which the gradients of weights are taken in one go: their dgates of a block and their columns of a panel,
 * 14 KB each, stay in the first-level cache. */
enum { UNPACKED_OUTER_ROWS = (14 << 10) / (VECTORS * sizeof(vec)) };

/* Vectors of the next panel of columns, when `left` vectors are left: none of one where there are more. */
static inline ptrdiff_t next_panel(ptrdiff_t left)
{
    return left > VECTORS && left < 2 * VECTORS ? (left + 1) / 2 : left < VECTORS ? left : VECTORS;
}

/* The rows of a stretch, to be those from `row` on of all_rows in `packed`: of every UNPACKED_OUTER_ROWS rows, panel by
 * panel, the rows of a panel one after the other, columns padded to whole vectors with zeros. */
static void pack_panels(struct segment segment, const struct stretches *of, ptrdiff_t row, ptrdiff_t all_rows,
                        real *packed)
{
    ptrdiff_t n_vectors = blocks_of(of->n_k, LANES);
    for (ptrdiff_t end = row + segment.n_rows; row < end; row++, segment.a += of->stride) {
        ptrdiff_t part = row / UNPACKED_OUTER_ROWS * UNPACKED_OUTER_ROWS;
        ptrdiff_t part_rows = all_rows - part < UNPACKED_OUTER_ROWS ? all_rows - part : UNPACKED_OUTER_ROWS;
        real *panel = packed + part * n_vectors * LANES;
        for (ptrdiff_t v = 0, n; v < n_vectors; v += n, panel += n * LANES * part_rows) {
            n = next_panel(n_vectors - v);
            ptrdiff_t width = n * LANES, n_columns = of->n_k - v * LANES < width ? of->n_k - v * LANES : width;
            copy_padded(n_columns, width, segment.a + v * LANES, panel + (row - part) * width);
        }
    }
}

/* What n_rows rows of a block's dgates, dz_row apart, and a panel of columns give to the gradient, dweight [GH][n_k]
 * from the block's first unit and the panel's first column on; n_columns columns exist. */
struct outer {
    ptrdiff_t n_rows, dz_row;
    const real *dz, *panel;
    const ptrdiff_t *gates;
    ptrdiff_t hidden, n_k, n_columns;
    real *dweight;
    bool adds;
};

/* Of n units, of which `unit` is the first: units of one gate after those of the other, as they lie in dgates. */
VEC_INLINE void unpacked_outer_tile(int n, int n_vectors, const struct outer *o, ptrdiff_t unit)
{
    enum { WIDTH = VECTORS * LANES };
    const int width = n_vectors * (int)LANES;
    const size_t exist = (size_t)o->n_columns * sizeof(real);
    const bool is_whole = o->n_columns >= width;
    const real *start[TILE];
    real *row[TILE], edge[TILE][WIDTH];
    vec acc[PANELS][TILE][VECTORS];
    UNROLL
    for (int r = 0; r < n; r++) {
        ptrdiff_t u = unit + r;
        row[r] = o->dweight + (o->gates[u / LANES] * o->hidden + u % LANES) * o->n_k;
        for (int next = 0; next < width; next += LINE) /* of the next panel */
            PREFETCH(row[r] + width + next);
        start[r] = o->adds && is_whole ? row[r] : edge[r];
        if (!o->adds) /* zeros that are read: of two ways to begin, GCC would keep sums on the stack for one */
            memset(edge[r], 0, (size_t)width * sizeof(real));
        else if (!is_whole)
            memcpy(edge[r], row[r], exist);
    }
    UNROLL
    for (int r = 0; r < n; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[0][r][v] = load(start[r] + v * LANES);
    }
    accumulate(tile_of(1, n, n_vectors), o->n_rows, operand_of(o->dz + unit, 1, o->dz_row),
               panel_of(o->panel, width, 0), NULL, acc);
    UNROLL
    for (int r = 0; r < n; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            store((is_whole ? row[r] : edge[r]) + v * LANES, acc[0][r][v]);
        if (!is_whole)
            memcpy(row[r], edge[r], exist);
    }
}

VEC_INLINE void unpacked_outer_units(int n_vectors, const struct outer *o, ptrdiff_t unit, ptrdiff_t end)
{
    for (ptrdiff_t n; unit < end; unit += n) {
        n = next_tile(end - unit);
#define TILE_CALL(n) unpacked_outer_tile(n, n_vectors, o, unit)
        FOR_TILE(n)
#undef TILE_CALL
    }
}

/* Of the first n_units of a block: where it is a whole one, tiles go on from gate to gate. */
static void unpacked_outer_panel(ptrdiff_t n_units, ptrdiff_t n_gates, ptrdiff_t n_vectors, const struct outer *o)
{
    ptrdiff_t n_runs = n_units == LANES ? 1 : n_gates, n_run = n_units == LANES ? n_gates * LANES : n_units;
    for (ptrdiff_t run = 0; run < n_runs; run++) {
        ptrdiff_t unit = run * LANES, end = unit + n_run;
        switch (n_vectors) {
        case 1:
            unpacked_outer_units(1, o, unit, end);
            break;
        case 2:
            unpacked_outer_units(2, o, unit, end);
            break;
        case 3:
            unpacked_outer_units(3, o, unit, end);
            break;
        default:
            unpacked_outer_units(4, o, unit, end);
        }
    }
}

static void outer_unpacked(const struct stretches *a, const struct dgates *dgates, real *packed,
                           const struct plain_gradient *to)
{
    ptrdiff_t n_k = a->n_k, n_vectors = blocks_of(n_k, LANES), n_rows = dgates->n_rows;
    ptrdiff_t dz_row = dgates->n_vectors * LANES;
    const real *block = dgates->data + dgates->first * LANES;
    for (ptrdiff_t s = 0, row = 0; s < a->n_segments; row += a->segments[s++].n_rows)
        pack_panels(a->segments[s], a, row, n_rows, packed);
    for (ptrdiff_t unit = 0; unit < to->n_units; unit += LANES, block += dgates->block_rows * dz_row) {
        ptrdiff_t n_here = to->n_units - unit < LANES ? to->n_units - unit : LANES;
        struct outer o = {.dz_row = dz_row, .gates = to->gates, .hidden = to->hidden, .n_k = n_k, .adds = to->adds};
        o.dz = block;
        o.panel = packed;
        for (ptrdiff_t part = 0; part < n_rows || !o.adds; part += UNPACKED_OUTER_ROWS, o.adds = true) {
            o.n_rows = n_rows - part < UNPACKED_OUTER_ROWS ? n_rows - part : UNPACKED_OUTER_ROWS;
            for (ptrdiff_t v = 0, n; v < n_vectors; v += n, o.panel += n * LANES * o.n_rows) {
                n = next_panel(n_vectors - v);
                o.n_columns = n_k - v * LANES < n * LANES ? n_k - v * LANES : n * LANES;
                o.dweight = to->first + unit * n_k + v * LANES;
                unpacked_outer_panel(n_here, dgates->n_used, n, &o);
            }
            o.dz += o.n_rows * dz_row;
        }
    }
}

#endif
