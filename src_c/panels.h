/* Weights in the order in which the kernels read them (kernels.h), and gradients back from it. */
#ifndef PYLSTM_PANELS_H
#define PYLSTM_PANELS_H

#include "real.h"

static inline ptrdiff_t blocks_of(ptrdiff_t n, ptrdiff_t lanes)
{
    return (n + lanes - 1) / lanes;
}

/* weight [4H][n_k] to the inputs first_k .. first_k + n_k of forward panels of panel_k inputs. */
void NAME(pack_forward)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t n_k, const real *weight, ptrdiff_t first_k,
                        ptrdiff_t panel_k, real *panels);

/* bias [4H] to [4H']. */
void NAME(pack_bias)(ptrdiff_t lanes, ptrdiff_t hidden, const real *bias, real *packed);

/* weight [4H][columns] to backward panels. */
void NAME(pack_backward)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t columns, const real *weight, real *panels);

/* The inverses of the first two, for gradients. */
void NAME(unpack_forward)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t n_k, real *weight, ptrdiff_t first_k,
                          ptrdiff_t panel_k, const real *panels);
void NAME(unpack_bias)(ptrdiff_t lanes, ptrdiff_t hidden, real *bias, const real *packed);

/* One gate (0 to 3) of a row [4H'] to [H]. */
void NAME(unpack_gate)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t gate, const real *packed, real *values);

#endif
