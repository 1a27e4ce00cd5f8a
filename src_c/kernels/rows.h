/* Rows at equal distances, row r of an array is data + r * stride; and asking for memory before it is used. */
#ifndef PYLSTM_ROWS_H
#define PYLSTM_ROWS_H

#include "support/real.h"

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address, 0, 2)
#define PREFETCH_TO_CHANGE(address) __builtin_prefetch(address, 1, 3)
#else
#define PREFETCH(address) ((void)(address))
#define PREFETCH_TO_CHANGE(address) ((void)(address))
#endif
enum { LINE = 64 / sizeof(real) }; /* elements in a cache line */

/* Weights: reals; or, with PYLSTM_WEIGHT_BITS of 8, bytes, which each row's scale makes reals of. */
#if defined(PYLSTM_WEIGHT_BITS) && PYLSTM_WEIGHT_BITS == 8
typedef int8_t stored;
#else
typedef real stored;
#endif

struct rows {
    real *data;
    ptrdiff_t stride;
};

struct const_rows {
    const real *data;
    ptrdiff_t stride;
};

/* Rows of [n_blocks][V][lanes] (kernels.h), a block of all rows after the other or row by row: row r of block b is at
 * data + b * block_stride + r * stride. One that is the same for all rows has a stride of 0. */
struct block_rows {
    real *data;
    ptrdiff_t stride, block_stride;
};

struct const_block_rows {
    const real *data;
    ptrdiff_t stride, block_stride;
};

#endif
