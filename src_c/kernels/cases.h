/* One copy of a kernel for each cell, and each number of rows of a tile: all have constants there. */
#ifndef PYLSTM_CASES_H
#define PYLSTM_CASES_H

#include "kernels/tile.h"

#define TILE_CASE(n)                                                                                                   \
    case n:                                                                                                            \
        TILE_CALL(n);                                                                                                  \
        break;

#if PYLSTM_VECTOR_BYTES == 64
#define CASES_OF_WIDE_TILES TILE_CASE(6) TILE_CASE(5) TILE_CASE(4)
#else
#define CASES_OF_WIDE_TILES
#endif

/* Runs TILE_CALL(n) with the constant n = n_rows. */
#define FOR_TILE(n_rows)                                                                                               \
    switch (n_rows) {                                                                                                  \
        CASES_OF_WIDE_TILES                                                                                            \
        TILE_CASE(3)                                                                                                   \
        TILE_CASE(2)                                                                                                   \
    default:                                                                                                           \
        TILE_CALL(1);                                                                                                  \
    }

/* Rows of the next tile, when `left` rows are left: the last two as equal as possible, as a short one wastes most. No
 * division: where the next tile's rows are would wait for it. */
static inline ptrdiff_t next_tile(ptrdiff_t left)
{
    if (left >= 2 * TILE)
        return TILE;
    return left > TILE ? (left + 1) / 2 : left;
}

/* Calls function(cell, ...) with a constant cell, of an RNN that with tanh. */
#define FOR_CELL(cell, function, ...)                                                                                  \
    switch (cell) {                                                                                                    \
    case PYLSTM_LSTM:                                                                                                  \
        function(PYLSTM_LSTM, __VA_ARGS__);                                                                            \
        break;                                                                                                         \
    case PYLSTM_GRU:                                                                                                   \
        function(PYLSTM_GRU, __VA_ARGS__);                                                                             \
        break;                                                                                                         \
    default:                                                                                                           \
        function(PYLSTM_RNN_TANH, __VA_ARGS__);                                                                        \
    }

#endif
