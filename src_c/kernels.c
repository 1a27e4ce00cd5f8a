/* The inner loops (kernels.h), for one dtype and instruction set. */
#include "kernels.h"

#include "dense.h"
#include "quads.h"
#include "solver.h"
#include "step.h"

/* Runs TILE_CALL(n) with the constant n = n_rows. */
#if PYLSTM_VECTOR_BYTES == 64
#define FOR_TILE(n_rows)                                                                                               \
    switch (n_rows) {                                                                                                  \
    case 6:                                                                                                            \
        TILE_CALL(6);                                                                                                  \
        break;                                                                                                         \
    case 5:                                                                                                            \
        TILE_CALL(5);                                                                                                  \
        break;                                                                                                         \
    case 4:                                                                                                            \
        TILE_CALL(4);                                                                                                  \
        break;                                                                                                         \
    case 3:                                                                                                            \
        TILE_CALL(3);                                                                                                  \
        break;                                                                                                         \
    case 2:                                                                                                            \
        TILE_CALL(2);                                                                                                  \
        break;                                                                                                         \
    default:                                                                                                           \
        TILE_CALL(1);                                                                                                  \
    }
#else
#define FOR_TILE(n_rows)                                                                                               \
    switch (n_rows) {                                                                                                  \
    case 3:                                                                                                            \
        TILE_CALL(3);                                                                                                  \
        break;                                                                                                         \
    case 2:                                                                                                            \
        TILE_CALL(2);                                                                                                  \
        break;                                                                                                         \
    default:                                                                                                           \
        TILE_CALL(1);                                                                                                  \
    }
#endif

/* Rows of the next tile, when `left` rows are left: tiles as equal as possible, as a short one wastes most. */
static inline ptrdiff_t next_tile(ptrdiff_t left)
{
    ptrdiff_t n_tiles = (left + TILE - 1) / TILE;
    return (left + n_tiles - 1) / n_tiles;
}

/* ----------------------------------------------------------------- forward */

VEC_INLINE void project_tile(int n_panels, int n_rows, ptrdiff_t n_x, const real *panel, ptrdiff_t panel_size,
                             struct const_rows start, struct const_rows x, real *out, ptrdiff_t out_stride)
{
    vec acc[2][TILE][4];
    start_tile(n_panels, n_rows, start, 4 * LANES, acc);
    accumulate(n_panels, n_rows, 4, n_x, x.data, x.stride, 1, panel, 4 * LANES, panel_size, NULL, acc);
    UNROLL
    for (int q = 0; q < n_panels; q++) {
        UNROLL
        for (int r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < 4; v++)
                store(out + r * out_stride + (q * 4 + v) * LANES, acc[q][r][v]);
        }
    }
}

static void project(ptrdiff_t n_rows, ptrdiff_t n_blocks, ptrdiff_t n_x, ptrdiff_t n_k, const real *panels,
                    struct const_rows start, struct const_rows x, struct rows out)
{
    ptrdiff_t panel_size = n_k * 4 * LANES;
    for (ptrdiff_t b = 0; b < n_blocks; b++) {
        const real *panel = panels + b * panel_size;
        for (ptrdiff_t row = 0, n; row < n_rows; row += n) {
            n = next_tile(n_rows - row);
            struct const_rows start_here = rows_from(start, row, b * 4 * LANES), x_here = rows_from(x, row, 0);
            real *out_here = out.data + row * out.stride + b * 4 * LANES;
#define TILE_CALL(n) project_tile(1, n, n_x, panel, panel_size, start_here, x_here, out_here, out.stride)
            FOR_TILE(n)
#undef TILE_CALL
        }
    }
}

static void step(ptrdiff_t n_rows, ptrdiff_t n_blocks, ptrdiff_t n_x, ptrdiff_t first_k, ptrdiff_t n_k,
                 const real *panels, struct const_rows start, struct const_rows x, const real *h_prev,
                 const real *c_prev, real *c, real *h, real *gates)
{
    const struct step s = {n_blocks, n_x, first_k, n_k, start, x, panels, NULL, NULL, h_prev, c_prev, c, h, gates};
    bool prefetch = n_blocks * (n_k - first_k) * 4 * LANES * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    if (n_rows == 1) {
        step_row(&s, prefetch);
        return;
    }
#ifndef PYLSTM_EXPORTED /* which has no batches */
    for (ptrdiff_t b = 0; b < n_blocks; b++) {
        for (ptrdiff_t row = 0, asked = 0, n; row < n_rows; row += n) {
            n = next_tile(n_rows - row);
            /* each tile asks for a part of the next block's panel */
            const real *ahead = prefetch ? panels + ((b + 1) * n_k + first_k) * 4 * LANES + asked : NULL;
            asked += (n_k - first_k) * PREFETCH_LINES(n) * LINE;
#define TILE_CALL(n) step_tile(1, n, &s, row, b, ahead)
            FOR_TILE(n)
#undef TILE_CALL
        }
    }
#endif
}

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

VEC_INLINE void unpacked_tile(int n_rows, ptrdiff_t hidden, ptrdiff_t n_x, const real *weight_ih, const real *weight_hh,
                              const real *bias, struct const_rows x, const real *h_prev, const real *c_prev, real *c,
                              real *h, real *gates)
{
    ptrdiff_t width = (hidden + LANES - 1) / LANES * LANES;
    for (ptrdiff_t first = 0; first < hidden; first += LANES) {
        ptrdiff_t n_units = hidden - first < LANES ? hidden - first : LANES;
        vec z[UNPACKED_ROWS][4];
        for (int gate = 0; gate < 4; gate++) {
            ptrdiff_t row = gate * hidden + first;
            real start[LANES];
            for (ptrdiff_t u = 0; u < LANES; u++)
                start[u] = bias[row + (u < n_units ? u : 0)];
            vec sum[UNPACKED_ROWS];
            UNROLL
            for (int r = 0; r < n_rows; r++)
                sum[r] = load(start);
            accumulate_unpacked(n_rows, n_units, n_x, weight_ih + row * n_x, x.data, x.stride, sum);
            if (h_prev)
                accumulate_unpacked(n_rows, n_units, hidden, weight_hh + row * hidden, h_prev, width, sum);
            UNROLL
            for (int r = 0; r < n_rows; r++)
                z[r][gate] = sum[r];
        }
        apply_cell(n_rows, z, c_prev, c, h, gates, first, width);
    }
}

static void step_unpacked(ptrdiff_t n_rows, ptrdiff_t hidden, ptrdiff_t n_x, const real *weight_ih,
                          const real *weight_hh, const real *bias, struct const_rows x, const real *h_prev,
                          const real *c_prev, real *c, real *h, real *gates)
{
    ptrdiff_t width = (hidden + LANES - 1) / LANES * LANES;
    for (ptrdiff_t row = 0; row < n_rows; row += UNPACKED_ROWS) {
        struct const_rows x_here = rows_from(x, row, 0);
        const real *h_here = h_prev ? h_prev + row * width : NULL, *c_here = c_prev + row * width;
        real *c_out = c + row * width, *h_out = h + row * width, *gates_out = gates ? gates + row * 4 * width : NULL;
        if (n_rows - row == 1)
            unpacked_tile(1, hidden, n_x, weight_ih, weight_hh, bias, x_here, h_here, c_here, c_out, h_out, gates_out);
        else
            unpacked_tile(2, hidden, n_x, weight_ih, weight_hh, bias, x_here, h_here, c_here, c_out, h_out, gates_out);
    }
}

/* ---------------------------------------------------------------- backward */

/* With tanh' = 1 - tanh^2 and sigmoid' = sigmoid (1 - sigmoid):
 *   dc += dh o (1 - tanh(c)^2)
 *   dz_o = dh tanh(c) o (1 - o)      dz_f = dc c_prev f (1 - f)
 *   dz_i = dc g i (1 - i)            dz_g = dc i (1 - g^2)
 *   dc_prev = dc f */
static void cell_backward(ptrdiff_t n_rows, ptrdiff_t n_blocks, const real *gates, const real *c_prev, const real *c,
                          const real *dh, real *dc, real *dgates, ptrdiff_t block_rows)
{
    const vec one = splat(1);
    for (ptrdiff_t r = 0; r < n_rows; r++) {
        for (ptrdiff_t b = 0; b < n_blocks; b++) {
            ptrdiff_t at = (r * n_blocks + b) * LANES;
            const real *gate = gates + 4 * at;
            real *out = dgates + (b * block_rows + r) * 4 * LANES;
            vec i = load(gate), f = load(gate + LANES), g = load(gate + 2 * LANES), o = load(gate + 3 * LANES);
            vec tanh_c = vec_tanh(load(c + at)), dh_here = load(dh + at);
            vec dc_here = load(dc + at) + dh_here * o * (one - tanh_c * tanh_c);
            store(out, dc_here * g * i * (one - i));
            store(out + LANES, dc_here * load(c_prev + at) * f * (one - f));
            store(out + 2 * LANES, dc_here * i * (one - g * g));
            store(out + 3 * LANES, dh_here * tanh_c * o * (one - o));
            store(dc + at, dc_here * f);
        }
    }
}

/* All rows read one part of a panel, while it is in the first-level cache, before the next. */
#define PART_BYTES ((ptrdiff_t)32 << 10)

/* out = dgates of the blocks [from, to) * their part of the panel; from the second part on, added to what is there. */
VEC_INLINE void back_tile(int n_rows, int n_vectors, ptrdiff_t from, ptrdiff_t to, const real *dgates,
                          ptrdiff_t block_rows, const real *panel, const real *ahead, struct rows out)
{
    vec acc[2][TILE][4];
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[0][r][v] = from > 0 ? load(out.data + r * out.stride + v * LANES) : splat(0);
    }
    for (ptrdiff_t b = from; b < to; b++)
        accumulate(1, n_rows, n_vectors, 4 * LANES, dgates + b * block_rows * 4 * LANES, 4 * LANES, 1,
                   panel + b * 4 * LANES * n_vectors * LANES, n_vectors * LANES, 0,
                   ahead ? ahead + (b - from) * 4 * LANES * PREFETCH_LINES(n_rows) * LINE : NULL, acc);
    UNROLL
    for (int r = 0; r < n_rows; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            store(out.data + r * out.stride + v * LANES, acc[0][r][v]);
    }
}

VEC_INLINE void back_rows(ptrdiff_t n_rows, int n_vectors, ptrdiff_t n_blocks, const real *dgates, ptrdiff_t block_rows,
                          const real *panel, bool prefetch, struct rows out)
{
    ptrdiff_t block_size = 4 * LANES * n_vectors * LANES;
    ptrdiff_t part = n_rows == 1 ? n_blocks : PART_BYTES / (block_size * (ptrdiff_t)sizeof(real));
    for (ptrdiff_t from = 0, to; from < n_blocks; from = to) {
        to = from + part < n_blocks ? from + part : n_blocks;
        const real *next = panel + (n_rows == 1 ? PREFETCH_DISTANCE : to * block_size);
        for (ptrdiff_t row = 0, n; row < n_rows; row += n) {
            n = next_tile(n_rows - row);
            const real *dgates_here = dgates + row * 4 * LANES, *ahead = prefetch ? next : NULL;
            struct rows out_here = {out.data + row * out.stride, out.stride};
            next += (to - from) * 4 * LANES * PREFETCH_LINES(n) * LINE;
#define TILE_CALL(n) back_tile(n, n_vectors, from, to, dgates_here, block_rows, panel, ahead, out_here)
            FOR_TILE(n)
#undef TILE_CALL
        }
    }
}

static void back_product(ptrdiff_t n_rows, ptrdiff_t n_blocks, const real *dgates, ptrdiff_t block_rows,
                         const real *panels, ptrdiff_t n_column_vectors, struct rows out)
{
    bool prefetch = n_blocks * 4 * LANES * n_column_vectors * LANES * (ptrdiff_t)sizeof(real) > PREFETCH_BYTES;
    for (ptrdiff_t v = 0; v < n_column_vectors; v += 4, out.data += 4 * LANES) {
        const real *panel = panels + v * LANES * n_blocks * 4 * LANES;
        switch (n_column_vectors - v) {
        case 1:
            back_rows(n_rows, 1, n_blocks, dgates, block_rows, panel, prefetch, out);
            break;
        case 2:
            back_rows(n_rows, 2, n_blocks, dgates, block_rows, panel, prefetch, out);
            break;
        case 3:
            back_rows(n_rows, 3, n_blocks, dgates, block_rows, panel, prefetch, out);
            break;
        default:
            back_rows(n_rows, 4, n_blocks, dgates, block_rows, panel, prefetch, out);
        }
    }
}

VEC_INLINE void outer_tile(int n_columns, ptrdiff_t n_segments, const struct segment *segments, ptrdiff_t a_stride,
                           ptrdiff_t column, const real *dgates, real *dpanel)
{
    for (ptrdiff_t next = 0; next < n_columns * 4 * LANES; next += LINE) /* written long ago, in large nets */
        PREFETCH(dpanel + n_columns * 4 * LANES + next);
    vec acc[2][TILE][4];
    start_tile(1, n_columns, (struct const_rows){dpanel, 4 * LANES}, 0, acc);
    for (ptrdiff_t s = 0; s < n_segments; s++)
        accumulate(1, n_columns, 4, segments[s].n_rows, segments[s].a + column, 1, a_stride,
                   dgates + segments[s].dgates_row * 4 * LANES, 4 * LANES, 0, NULL, acc);
    UNROLL
    for (int r = 0; r < n_columns; r++) {
        UNROLL
        for (int v = 0; v < 4; v++)
            store(dpanel + (r * 4 + v) * LANES, acc[0][r][v]);
    }
}

static void outer(ptrdiff_t n_segments, const struct segment *segments, ptrdiff_t a_stride, ptrdiff_t n_k,
                  ptrdiff_t n_blocks, const real *dgates, ptrdiff_t block_rows, real *dpanels, ptrdiff_t panel_k)
{
    for (ptrdiff_t b = 0; b < n_blocks; b++) {
        for (ptrdiff_t k = 0, n; k < n_k; k += n) {
            n = next_tile(n_k - k);
            const real *from = dgates + b * block_rows * 4 * LANES;
            real *to = dpanels + (b * panel_k + k) * 4 * LANES;
#define TILE_CALL(n) outer_tile(n, n_segments, segments, a_stride, k, from, to)
            FOR_TILE(n)
#undef TILE_CALL
        }
    }
}

static void column_sums(ptrdiff_t n_rows, ptrdiff_t n_blocks, const real *dgates, ptrdiff_t block_rows, real *dbias)
{
    for (ptrdiff_t b = 0; b < n_blocks; b++, dbias += 4 * LANES) {
        vec sum[4];
        UNROLL
        for (int v = 0; v < 4; v++)
            sum[v] = load(dbias + v * LANES);
        for (ptrdiff_t r = 0; r < n_rows; r++) {
            UNROLL
            for (int v = 0; v < 4; v++)
                sum[v] += load(dgates + ((b * block_rows + r) * 4 + v) * LANES);
        }
        UNROLL
        for (int v = 0; v < 4; v++)
            store(dbias + v * LANES, sum[v]);
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
    project,
    step,
    step_unpacked,
    cell_backward,
    back_product,
    outer,
    column_sums,
    dense,
    ISA_NAME(sum_of_squares),
    ISA_NAME(decay),
    ISA_NAME(solver_step),
    tanh_of,
    sigmoid_of,
};
