/* The tile that every product is made of. */
#ifndef PYLSTM_TILE_H
#define PYLSTM_TILE_H

#include "kernels/rows.h"
#include "kernels/weights.h"

#include <stdbool.h>

#ifdef EXPORTED_CELL
enum { TILE = 1 }; /* a model that steps has no more rows */
#elif PYLSTM_VECTOR_BYTES == 64
enum { TILE = 6 }; /* 24 accumulators, 6 broadcasts and a weight in 32 registers */
#else
enum { TILE = 3 }; /* 12, 3 and 1 in 16 registers */
#endif

/* A tile has up to so many panels, each with up to so many vectors; 4 vectors in all, or 8 of one row. */
enum { PANELS = 4, VECTORS = 4 };

/* Units of a panel: a vector's. Or twice as many, in a model that was exported for two widths of vectors. */
#ifndef PANEL_LANES
#define PANEL_LANES LANES
#endif

/* Weights that do not stay in the second-level cache from step to step are asked for ahead of their use: by each tile
 * of rows a line for each of its k, as its part of what comes after the panels that it reads. Not by one tile alone,
 * which reads straight on: that the hardware foresees, and requests would only take the place of loads. */
#define PREFETCH_BYTES ((ptrdiff_t)768 << 10)

/* How far it goes on, for each k of a tile of so many vectors: a line, or half of one where a k has so few products
 * that lines would be asked for faster than they come. */
#define AHEAD(n_vectors) ((n_vectors) * LANES > 2 * LINE ? LINE : LINE / 2)

/* Four turns of the loop of products in one, with AVX2. The 12 products of a k are 19 instructions, what steps on is 4
 * more and a jump: nothing to a core that has no other work, as it waits for products, but up to a quarter of the
 * time where another thread takes turns with it at decoding. An exported model is to stay small. */
#if defined(__GNUC__) && !defined(__clang__) && PYLSTM_VECTOR_BYTES == 32 && !defined(EXPORTED_CELL)
#define FOUR_TURNS _Pragma("GCC unroll 4")
#else
#define FOUR_TURNS
#endif

/* A tile's sizes, which are constants: panels, rows, vectors of each panel. */
struct tile {
    int n_panels, n_rows, n_vectors;
    int first; /* of its vectors among those of `acc` */
};

/* What is multiplied: a[row][k] at data + row * row_step + k * k_step. */
struct operand {
    const real *data;
    ptrdiff_t row_step, k_step;
};

/* By what: the vectors of panel q for k, side by side at data + q * panel_step + k * k_step. */
struct panel {
    const stored *data;
    ptrdiff_t k_step, panel_step;
};

VEC_INLINE struct tile tile_of(int n_panels, int n_rows, int n_vectors)
{
    const struct tile tile = {n_panels, n_rows, n_vectors, 0};
    return tile;
}

VEC_INLINE struct operand operand_of(const real *data, ptrdiff_t row_step, ptrdiff_t k_step)
{
    const struct operand operand = {data, row_step, k_step};
    return operand;
}

VEC_INLINE struct panel panel_of(const stored *data, ptrdiff_t k_step, ptrdiff_t panel_step)
{
    const struct panel panel = {data, k_step, panel_step};
    return panel;
}

/* The loop over v is outside the one over rows so that one weight is live at a time. */
VEC_INLINE void accumulate_asking(bool asks, struct tile tile, ptrdiff_t n_k, struct operand a, struct panel p,
                                  const stored *ahead, vec acc[PANELS][TILE][VECTORS])
{
    FOUR_TURNS
    for (ptrdiff_t k = 0; k < n_k; k++, p.data += p.k_step) {
        if (asks) {
            PREFETCH(ahead);
            ahead += AHEAD(tile.n_panels * tile.n_vectors);
        }
        vec factor[TILE];
        UNROLL
        for (int r = 0; r < tile.n_rows; r++)
            factor[r] = splat(a.data[r * a.row_step + k * a.k_step]);
        UNROLL
        for (int q = 0; q < tile.n_panels; q++) {
            UNROLL
            for (int v = 0; v < tile.n_vectors; v++) {
                vec weight = load_weights(p.data + q * p.panel_step + v * PANEL_LANES);
                if (tile.n_rows > 1) /* else GCC may read it anew for each of them, more often than there are ports */
                    weight = in_register(weight);
                UNROLL
                for (int r = 0; r < tile.n_rows; r++)
                    acc[q][r][tile.first + v] += weight * factor[r];
            }
        }
    }
}

/* acc[panel][row][first + v] += sum over k of a[row][k] * p[panel][k][v]: every product there is. `ahead`, or NULL:
 * what is asked for meanwhile (AHEAD). Always inlined with constant sizes, so that acc lives in registers. */
VEC_INLINE void accumulate(struct tile tile, ptrdiff_t n_k, struct operand a, struct panel p, const stored *ahead,
                           vec acc[PANELS][TILE][VECTORS])
{
    if (ahead)
        accumulate_asking(true, tile, n_k, a, p, ahead, acc);
    else
        accumulate_asking(false, tile, n_k, a, p, NULL, acc);
}

/* acc[panel][row] = start[row], of which a panel's part is start_panel after the one before. */
VEC_INLINE void start_tile(struct tile tile, struct const_rows start, ptrdiff_t start_panel,
                           vec acc[PANELS][TILE][VECTORS])
{
    UNROLL
    for (int q = 0; q < tile.n_panels; q++) {
        UNROLL
        for (int r = 0; r < tile.n_rows; r++) {
            UNROLL
            for (int v = 0; v < tile.n_vectors; v++)
                acc[q][r][v] = load(start.data + r * start.stride + q * start_panel + v * PANEL_LANES);
        }
    }
}

#endif
