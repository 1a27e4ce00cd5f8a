#include "kernels/gather.h"

#include "kernels/vector.h"

/* to = from, or the sum of both, n values: a constant. */
VEC_INLINE void move_few(int n, bool adds, const real *from, real *to)
{
    real moved[LANES], there[LANES];
    memcpy(moved, from, (size_t)n * sizeof(real));
    memcpy(there, to, (size_t)n * sizeof(real));
    for (int k = 0; adds && k < n; k++)
        moved[k] += there[k];
    memcpy(to, moved, (size_t)n * sizeof(real));
}

/* Rows are often shorter than a vector, and too short for a call to be worth it. */
VEC_INLINE void move(ptrdiff_t n, bool adds, const real *from, real *to)
{
    for (; n >= LANES; n -= LANES, from += LANES, to += LANES)
        store(to, adds ? load(to) + load(from) : load(from));
    UNROLL
    for (int few = (int)LANES / 2; few > 0; few /= 2) {
        if (n & few) {
            move_few(few, adds, from, to);
            from += few;
            to += few;
        }
    }
}

/* With a constant `adds`. */
VEC_INLINE void move_row(ptrdiff_t n, bool adds, const real *from, real *to)
{
    if (adds)
        move(n, true, from, to);
    else
        move(n, false, from, to);
}

void ISA_NAME(gather)(ptrdiff_t n_rows, ptrdiff_t n, bool adds, struct const_rows from, struct places at,
                      struct rows to)
{
    for (ptrdiff_t r = 0; r < n_rows; r++)
        move_row(n, adds, from.data + row_at(at, r) * from.stride, to.data + r * to.stride);
}

void ISA_NAME(scatter)(ptrdiff_t n_rows, ptrdiff_t n, bool adds, struct const_rows from, struct rows to,
                       struct places at)
{
    for (ptrdiff_t r = 0; r < n_rows; r++)
        move_row(n, adds, from.data + r * from.stride, to.data + row_at(at, r) * to.stride);
}
