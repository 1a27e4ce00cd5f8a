#include "panels.h"

#include <string.h>

/* The units of block b that exist. */
static ptrdiff_t units_of_block(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t b)
{
    ptrdiff_t left = hidden - b * lanes;
    return left < lanes ? left : lanes;
}

/* A few inputs at a time, so that the lines of the weight rows read stay in cache until they are used up. */
enum { PACK_K = 16 };

void NAME(pack_forward)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t n_k, const real *weight, ptrdiff_t first_k,
                        ptrdiff_t panel_k, real *panels)
{
    for (ptrdiff_t b = 0; b < blocks_of(hidden, lanes); b++) {
        ptrdiff_t n_units = units_of_block(lanes, hidden, b);
        real *panel = panels + (b * panel_k + first_k) * 4 * lanes;
        for (ptrdiff_t k0 = 0; k0 < n_k; k0 += PACK_K) {
            ptrdiff_t k1 = n_k - k0 < PACK_K ? n_k : k0 + PACK_K;
            for (ptrdiff_t gate = 0; gate < 4; gate++) {
                const real *rows = weight + (gate * hidden + b * lanes) * n_k;
                for (ptrdiff_t k = k0; k < k1; k++) {
                    real *to = panel + (k * 4 + gate) * lanes;
                    for (ptrdiff_t u = 0; u < n_units; u++)
                        to[u] = rows[u * n_k + k];
                    for (ptrdiff_t u = n_units; u < lanes; u++)
                        to[u] = 0;
                }
            }
        }
    }
}

void NAME(unpack_forward)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t n_k, real *weight, ptrdiff_t first_k,
                          ptrdiff_t panel_k, const real *panels)
{
    for (ptrdiff_t b = 0; b < blocks_of(hidden, lanes); b++) {
        ptrdiff_t n_units = units_of_block(lanes, hidden, b);
        const real *panel = panels + (b * panel_k + first_k) * 4 * lanes;
        for (ptrdiff_t k0 = 0; k0 < n_k; k0 += PACK_K) {
            ptrdiff_t k1 = n_k - k0 < PACK_K ? n_k : k0 + PACK_K;
            for (ptrdiff_t gate = 0; gate < 4; gate++) {
                real *rows = weight + (gate * hidden + b * lanes) * n_k;
                for (ptrdiff_t u = 0; u < n_units; u++)
                    for (ptrdiff_t k = k0; k < k1; k++)
                        rows[u * n_k + k] = panel[(k * 4 + gate) * lanes + u];
            }
        }
    }
}

void NAME(pack_bias)(ptrdiff_t lanes, ptrdiff_t hidden, const real *bias, real *packed)
{
    NAME(pack_forward)(lanes, hidden, 1, bias, 0, 1, packed);
}

void NAME(unpack_bias)(ptrdiff_t lanes, ptrdiff_t hidden, real *bias, const real *packed)
{
    NAME(unpack_forward)(lanes, hidden, 1, bias, 0, 1, packed);
}

void NAME(unpack_gate)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t gate, const real *packed, real *values)
{
    for (ptrdiff_t b = 0; b < blocks_of(hidden, lanes); b++)
        memcpy(values + b * lanes, packed + (b * 4 + gate) * lanes,
               (size_t)units_of_block(lanes, hidden, b) * sizeof *values);
}

void NAME(pack_backward)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t columns, const real *weight, real *panels)
{
    ptrdiff_t n_vectors = blocks_of(columns, lanes), n_blocks = blocks_of(hidden, lanes);
    real *to = panels;
    for (ptrdiff_t v = 0; v < n_vectors; v += 4) {
        ptrdiff_t width = (n_vectors - v < 4 ? n_vectors - v : 4) * lanes, first = v * lanes;
        ptrdiff_t n_columns = columns - first < width ? columns - first : width;
        for (ptrdiff_t row = 0; row < n_blocks * 4 * lanes; row++, to += width) {
            ptrdiff_t b = row / (4 * lanes), gate = row / lanes % 4, u = b * lanes + row % lanes;
            ptrdiff_t n = u < hidden ? n_columns : 0;
            if (n > 0)
                memcpy(to, weight + (gate * hidden + u) * columns + first, (size_t)n * sizeof *to);
            memset(to + n, 0, (size_t)(width - n) * sizeof *to);
        }
    }
}
