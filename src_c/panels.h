/* Weights in the order in which the kernels read them (kernels.h), and gradients back from it. */
#ifndef PYLSTM_PANELS_H
#define PYLSTM_PANELS_H

#include "real.h"

static inline ptrdiff_t blocks_of(ptrdiff_t n, ptrdiff_t lanes)
{
    return (n + lanes - 1) / lanes;
}

/* What follows works on the blocks of units, or vectors of columns, from <= b < to. */
struct range {
    ptrdiff_t from, to;
};

/* weight [4H][n_k] to the inputs first_k .. first_k + n_k of forward panels of panel_k inputs. */
void NAME(pack_forward)(struct range blocks, ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t n_k, const real *weight,
                        ptrdiff_t first_k, ptrdiff_t panel_k, real *panels);

/* bias [4H] to [4H']. */
void NAME(pack_bias)(struct range blocks, ptrdiff_t lanes, ptrdiff_t hidden, const real *bias, real *packed);

/* weight [4H][columns] to backward panels; `vectors` starts at a multiple of 4. */
void NAME(pack_backward)(struct range vectors, ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t columns, const real *weight,
                         real *panels);

/* The inverses of the first two, for gradients. */
void NAME(unpack_forward)(struct range blocks, ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t n_k, real *weight,
                          ptrdiff_t first_k, ptrdiff_t panel_k, const real *panels);
void NAME(unpack_bias)(struct range blocks, ptrdiff_t lanes, ptrdiff_t hidden, real *bias, const real *packed);

/* One gate (0 to 3) of a row [4H'] to [H]. */
void NAME(unpack_gate)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t gate, const real *packed, real *values);

#endif
