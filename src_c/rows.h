/* Rows at equal distances: row r of an array is data + r * stride. */
#ifndef PYLSTM_ROWS_H
#define PYLSTM_ROWS_H

#include "real.h"

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
