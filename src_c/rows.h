/* Rows at equal distances, row r of an array is data + r * stride; and asking for memory before it is used. */
#ifndef PYLSTM_ROWS_H
#define PYLSTM_ROWS_H

#include "real.h"

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define PREFETCH(address) ((void)(address))
#endif
enum { LINE = 64 / sizeof(real) }; /* elements in a cache line */

struct rows {
    real *data;
    ptrdiff_t stride;
};

struct const_rows {
    const real *data;
    ptrdiff_t stride;
};

static inline struct const_rows rows_from(struct const_rows rows, ptrdiff_t row, ptrdiff_t column)
{
    rows.data += row * rows.stride + column;
    return rows;
}

#endif
