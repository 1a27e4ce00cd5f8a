/* The dense layer on top in training (head.h), for one dtype and instruction set. */
#include "kernels/head.h"

#include "kernels/activation.h"
#include "kernels/cases.h"
#include "kernels/panels.h"
#include "kernels/quads.h"

/* ------------------------------------------------------------------ panels */

/* Vectors of the next panel, when `left` are left: 4, 3 or 2. One by itself would take as long as two, and two as long
 * as nearly three: their sums wait for each other. So nine are three times three. */
static inline ptrdiff_t next_panel(ptrdiff_t left)
{
    if (left >= 2 * VECTORS)
        return left == 2 * VECTORS + 1 ? VECTORS - 1 : VECTORS;
    return left > VECTORS ? (left + 1) / 2 : left > 1 ? left : 2;
}

static void pack(ptrdiff_t n_k, ptrdiff_t n_columns, struct const_rows from, real *panels)
{
    for (ptrdiff_t k = 0; k < n_k; k++) {
        real *to = panels;
        for (ptrdiff_t left = n_columns, width; left > 0; left -= width, to += n_k * width) {
            width = next_panel(blocks_of(left, LANES)) * LANES;
            copy_padded(left < width ? left : width, width, from.data + k * from.stride + n_columns - left,
                        to + k * width);
        }
    }
}

/* From up to LANES rows of n_k to a vector for each k, `width` apart. */
VEC_INLINE void transpose(ptrdiff_t n_k, ptrdiff_t n, struct const_rows from, real *to, ptrdiff_t width)
{
    ptrdiff_t k = 0;
    for (; n >= LANES && k + SIDE <= n_k; k += SIDE) {
        vec columns[SIDE];
        UNROLL
        for (int j = 0; j < SIDE; j++)
            columns[j] = load_quads(from.data + j * from.stride + k, SIDE * from.stride);
        transpose_quads(columns);
        UNROLL
        for (int j = 0; j < SIDE; j++)
            store(to + (k + j) * width, columns[j]);
    }
    for (; k < n_k; k++)
        for (ptrdiff_t r = 0; r < LANES; r++)
            to[k * width + r] = r < n ? from.data[r * from.stride + k] : 0;
}

/* A line of each row at a time, and all rows of a panel: rows that are a power of two apart share few sets of the
 * cache, so lines do not stay there for long. */
static void pack_transposed(ptrdiff_t n_k, ptrdiff_t n_columns, struct const_rows from, real *panels)
{
    for (ptrdiff_t left = n_columns, width; left > 0; left -= width, panels += n_k * width) {
        width = next_panel(blocks_of(left, LANES)) * LANES;
        for (ptrdiff_t k = 0; k < n_k; k += LINE)
            for (ptrdiff_t r = 0; r < width; r += LANES)
                transpose(n_k - k < LINE ? n_k - k : LINE, left - r, rows_from(from, r, k), panels + k * width + r,
                          width);
        from = rows_from(from, width, 0);
    }
}

/* ----------------------------------------------------------------- product */

/* Of a panel, this part stays in the first-level cache while all rows read it: 24 KB. */
enum { PART = (24 << 10) / (VECTORS * sizeof(vec)) };

/* A tile of a product: a part of k, from some row on, of one panel, of which n_columns exist. */
struct product_tile {
    ptrdiff_t n_k, n_columns;
    const real *a, *panel, *start, *ahead; /* the last two or NULL */
};

/* The elements of a row from vector v of a panel on: two vectors at most are not whole. */
VEC_INLINE ptrdiff_t elements_from(int v, int n_vectors, ptrdiff_t n_columns)
{
    return v + 2 < n_vectors ? LANES : n_columns - v * LANES;
}

/* n rows of it, to `out`, of which the next rows are asked for; added to what is there if `adds`. */
VEC_INLINE void multiply_tile(int n, int n_vectors, const struct product *p, struct product_tile tile, struct rows out,
                              bool adds)
{
    const int width = n_vectors * (int)LANES;
    vec acc[PANELS][TILE][VECTORS];
    UNROLL
    for (int r = 0; r < n; r++) /* of the tile after the next: one tile takes hardly longer than memory */
        for (int next = 0; next < width; next += LINE)
            PREFETCH_TO_CHANGE(out.data + (2 * n + r) * out.stride + next);
    UNROLL
    for (int r = 0; r < n; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            acc[0][r][v] =
                adds ? load_of_row(out.data + r * out.stride + v * LANES, elements_from(v, n_vectors, tile.n_columns))
                     : splat(tile.start ? tile.start[r] : 0);
    }
    accumulate(tile_of(1, n, n_vectors), tile.n_k, operand_of(tile.a, p->a_row, p->a_k), panel_of(tile.panel, width, 0),
               tile.ahead, acc);
    UNROLL
    for (int r = 0; r < n; r++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            store_of_row(out.data + r * out.stride + v * LANES, elements_from(v, n_vectors, tile.n_columns),
                         acc[0][r][v]);
    }
}

VEC_APART void copy_rows(ptrdiff_t n_rows, ptrdiff_t n, struct rows from, struct rows to)
{
    for (ptrdiff_t r = 0; r < n_rows; r++)
        memcpy(to.data + r * to.stride, from.data + r * from.stride, (size_t)n * sizeof(real));
}

/* By a panel of which n_columns exist. Of what is ahead, a tile asks for a part: what its loop has room for. All at
 * once would take the place of loads. The elements before that, `asked`, were asked for by panels before. */
VEC_INLINE void product_panel(int n_vectors, const struct product *p, const real *panel, struct const_rows ahead,
                              ptrdiff_t asked, real *out, ptrdiff_t n_columns)
{
    enum { WIDTH = VECTORS * LANES };
    const ptrdiff_t width = n_vectors * LANES;
    const bool is_copied = !HAS_MASKS && n_columns < width;
    real edge[TILE * WIDTH];
    for (ptrdiff_t k = 0, n_k; k < p->n_k; k += n_k) {
        n_k = p->n_k - k < PART ? p->n_k - k : PART;
        bool adds = p->adds || k > 0;
        for (ptrdiff_t row = 0, n; row < p->n_rows; row += n) {
            n = next_tile(p->n_rows - row);
            const struct product_tile tile = {
                n_k,
                n_columns,
                p->a + row * p->a_row + k * p->a_k,
                panel + k * width,
                p->start ? p->start + row : NULL,
                k == 0 && asked < n * ahead.stride ? ahead.data + row * ahead.stride + asked : NULL,
            };
            struct rows there = {out + row * p->out.stride, p->out.stride}, here = there;
            if (is_copied) {
                here = (struct rows){edge, width};
                if (adds)
                    copy_rows(n, n_columns, there, here);
            }
#define TILE_CALL(n) multiply_tile(n, n_vectors, p, tile, here, adds)
            FOR_TILE(n)
#undef TILE_CALL
            if (is_copied)
                copy_rows(n, n_columns, here, there);
        }
    }
}

static void product(const struct product *p)
{
    const real *panel = p->panels;
    ptrdiff_t asked[2] = {0}, which = 0;
    for (ptrdiff_t left = p->n_columns, n, width; left > 0; left -= width, panel += p->n_k * width) {
        real *out = p->out.data + (p->n_columns - left);
        n = next_panel(blocks_of(left, LANES));
        width = n * LANES;
        ptrdiff_t n_columns = left < width ? left : width;
        struct const_rows ahead = p->ahead[which];
        switch (n) {
        case 2:
            product_panel(2, p, panel, ahead, asked[which], out, n_columns);
            break;
        case 3:
            product_panel(3, p, panel, ahead, asked[which], out, n_columns);
            break;
        default:
            product_panel(4, p, panel, ahead, asked[which], out, n_columns);
        }
        asked[which] += (p->n_k < PART ? p->n_k : PART) * AHEAD(n);
        which = 1 - which;
    }
}

/* ----------------------------------------------------------------- softmax */

/* Of n_vectors of columns side by side. The block's own sums come first: one sum of all would round more. */
VEC_INLINE void exponentials_of(int n_vectors, ptrdiff_t n, struct rows values, real *largest, real *sums)
{
    vec most[VECTORS], sum[VECTORS];
    struct reduced e[VECTORS];
    UNROLL
    for (int v = 0; v < n_vectors; v++) {
        most[v] = load(largest + v * LANES);
        sum[v] = splat(0);
    }
    for (ptrdiff_t j = 0; j < n; j++) {
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            most[v] = at_least(most[v], load(values.data + j * values.stride + v * LANES));
    }
    for (ptrdiff_t j = 0; j < n; j++) {
        real *row = values.data + j * values.stride;
        UNROLL
        for (int v = 0; v < n_vectors; v++)
            e[v] = exp_argument(load(row + v * LANES) - most[v]);
        reduce(n_vectors, e);
        UNROLL
        for (int v = 0; v < n_vectors; v++) {
            vec value = exp_from(e[v]);
            store(row + v * LANES, value);
            sum[v] += value;
        }
    }
    UNROLL
    for (int v = 0; v < n_vectors; v++) {
        vec before = load(sums + v * LANES) * vec_exp(load(largest + v * LANES) - most[v]);
        store(sums + v * LANES, before + sum[v]);
        store(largest + v * LANES, most[v]);
    }
}

/* Vectors of columns at once: of more, registers that constants take would be missing for the sums. */
enum { EXPONENTIALS = 2 };

static void exponentials(ptrdiff_t n, ptrdiff_t n_columns, struct rows values, real *largest, real *sums)
{
    ptrdiff_t c = 0;
    for (; c + EXPONENTIALS * LANES <= n_columns; c += EXPONENTIALS * LANES)
        exponentials_of(EXPONENTIALS, n, (struct rows){values.data + c, values.stride}, largest + c, sums + c);
    for (; c < n_columns; c += LANES)
        exponentials_of(1, n, (struct rows){values.data + c, values.stride}, largest + c, sums + c);
}

static void scale(ptrdiff_t n, ptrdiff_t n_columns, struct rows values, const real *factors, real *sums)
{
    for (ptrdiff_t j = 0; j < n; j++) {
        real *row = values.data + j * values.stride;
        vec sum = splat(0);
        for (ptrdiff_t c = 0; c < n_columns; c += LANES) {
            vec value = load(row + c) * load(factors + c);
            store(row + c, value);
            sum += value;
        }
        sums[j] += sum_of_lanes(sum);
    }
}

const struct head_kernels ISA_NAME(head_kernels) = {pack, pack_transposed, product, exponentials, scale};
