#include "kernels/panels.h"

#include <string.h>

/* The units of block b that exist. */
static ptrdiff_t units_of_block(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t b)
{
    ptrdiff_t left = hidden - b * lanes;
    return left < lanes ? left : lanes;
}

/* Blocks of SQUARE x SQUARE are transposed in registers: element by element, packing would cost as much as several
 * steps.
 */
enum { SQUARE = 16 / sizeof(real) };

static void transpose_block(const real *from, ptrdiff_t from_stride, real *to, ptrdiff_t to_stride)
{
#if defined(__GNUC__) && PYLSTM_REAL_BITS == 32
    typedef real quad __attribute__((vector_size(16)));
    quad row[SQUARE];
    for (ptrdiff_t i = 0; i < SQUARE; i++)
        memcpy(&row[i], from + i * from_stride, sizeof(quad));
    quad a = __builtin_shufflevector(row[0], row[1], 0, 4, 1, 5),
         b = __builtin_shufflevector(row[2], row[3], 0, 4, 1, 5);
    quad c = __builtin_shufflevector(row[0], row[1], 2, 6, 3, 7),
         d = __builtin_shufflevector(row[2], row[3], 2, 6, 3, 7);
    row[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    row[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    row[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    row[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
    for (ptrdiff_t i = 0; i < SQUARE; i++)
        memcpy(to + i * to_stride, &row[i], sizeof(quad));
#else
    for (ptrdiff_t i = 0; i < SQUARE; i++)
        for (ptrdiff_t j = 0; j < SQUARE; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
#endif
}

/* to [n_columns] rows = the transpose of from [n_rows][n_columns]. */
static void transpose(ptrdiff_t n_rows, ptrdiff_t n_columns, const real *from, ptrdiff_t from_stride, real *to,
                      ptrdiff_t to_stride)
{
    ptrdiff_t whole_rows = n_rows - n_rows % SQUARE, whole_columns = n_columns - n_columns % SQUARE;
    for (ptrdiff_t i = 0; i < whole_rows; i += SQUARE)
        for (ptrdiff_t j = 0; j < whole_columns; j += SQUARE)
            transpose_block(from + i * from_stride + j, from_stride, to + j * to_stride + i, to_stride);
    for (ptrdiff_t i = 0; i < n_rows; i++)
        for (ptrdiff_t j = i < whole_rows ? whole_columns : 0; j < n_columns; j++)
            to[j * to_stride + i] = from[i * from_stride + j];
}

/* A line of inputs at a time, so that those of all units' weights stay until they are used up. Lines PACK_AHEAD later
 * are asked for: the rows of the weights are more streams than the hardware follows. */
enum { PACK_K = LINE, PACK_AHEAD = 4 * LINE };

static void ask_for_rows(ptrdiff_t n_rows, const real *from, ptrdiff_t stride, ptrdiff_t left)
{
    for (ptrdiff_t i = 0; left > PACK_AHEAD && i < n_rows; i++)
        PREFETCH(from + i * stride + PACK_AHEAD);
}

static ptrdiff_t columns_at_once(ptrdiff_t k, ptrdiff_t n_k)
{
    return n_k - k < PACK_K ? n_k - k : PACK_K;
}

void NAME(pack_forward)(struct packing as, struct range blocks, ptrdiff_t n_k, const real *weight, ptrdiff_t first_k,
                        ptrdiff_t panel_k, real *panels)
{
    ptrdiff_t lanes = as.lanes, stride = as.n_gates * lanes;
    for (ptrdiff_t b = blocks.from; b < blocks.to; b++) {
        ptrdiff_t n_units = units_of_block(lanes, as.hidden, b);
        real *panel = panels + (b * panel_k + first_k) * stride;
        if (n_units < lanes)
            memset(panel, 0, (size_t)(n_k * stride) * sizeof *panel);
        for (ptrdiff_t k = 0; k < n_k; k += PACK_K)
            for (ptrdiff_t g = 0; g < as.n_gates; g++) {
                const real *rows = weight + (as.gates[g] * as.hidden + b * lanes) * n_k + k;
                ask_for_rows(n_units, rows, n_k, n_k - k);
                transpose(n_units, columns_at_once(k, n_k), rows, n_k, panel + k * stride + g * lanes, stride);
            }
    }
}

void NAME(unpack_forward)(struct packing as, struct range blocks, ptrdiff_t n_k, real *weight, ptrdiff_t first_k,
                          ptrdiff_t panel_k, const real *panels)
{
    ptrdiff_t lanes = as.lanes, stride = as.n_gates * lanes;
    for (ptrdiff_t b = blocks.from; b < blocks.to; b++) {
        ptrdiff_t n_units = units_of_block(lanes, as.hidden, b);
        const real *panel = panels + (b * panel_k + first_k) * stride;
        for (ptrdiff_t k = 0; k < n_k; k += PACK_K)
            for (ptrdiff_t g = 0; g < as.n_gates; g++) {
                real *rows = weight + (as.gates[g] * as.hidden + b * lanes) * n_k + k;
                ask_for_rows(n_units, rows, n_k, n_k - k);
                transpose(columns_at_once(k, n_k), n_units, panel + k * stride + g * lanes, stride, rows, n_k);
            }
    }
}

void NAME(unpack_gate)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t gate, ptrdiff_t block_stride, const real *packed,
                       real *values)
{
    for (ptrdiff_t b = 0; b < blocks_of(hidden, lanes); b++)
        memcpy(values + b * lanes, packed + b * block_stride + gate * lanes,
               (size_t)units_of_block(lanes, hidden, b) * sizeof *values);
}

void NAME(pack_gate)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t gate, ptrdiff_t block_stride, const real *values,
                     real *packed)
{
    for (ptrdiff_t b = 0; b < blocks_of(hidden, lanes); b++)
        memcpy(packed + b * block_stride + gate * lanes, values + b * lanes,
               (size_t)units_of_block(lanes, hidden, b) * sizeof *values);
}

void NAME(pack_backward)(struct packing as, struct range vectors, ptrdiff_t columns, const real *weight, real *panels)
{
    ptrdiff_t lanes = as.lanes, n_blocks = blocks_of(as.hidden, lanes), n_rows = n_blocks * as.n_gates * lanes;
    for (ptrdiff_t b = 0, row = 0; b < n_blocks; b++)
        for (ptrdiff_t g = 0; g < as.n_gates; g++, row += lanes) {
            /* these rows, one after the other, stay in cache until all panels have theirs of them */
            const real *rows = weight + (as.gates[g] * as.hidden + b * lanes) * columns;
            ptrdiff_t n_units = units_of_block(lanes, as.hidden, b);
            for (ptrdiff_t v = vectors.from; v < vectors.to; v += 4) {
                ptrdiff_t width = (vectors.to - v < 4 ? vectors.to - v : 4) * lanes, first = v * lanes;
                ptrdiff_t n_columns = columns - first < width ? columns - first : width;
                real *to = panels + first * n_rows + row * width;
                for (ptrdiff_t u = 0; u < lanes; u++)
                    copy_padded(u < n_units ? n_columns : 0, width, rows + u * columns + first, to + u * width);
            }
        }
}
