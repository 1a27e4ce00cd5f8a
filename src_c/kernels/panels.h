/* Weights in the order in which the kernels read them (kernels.h), and gradients back from it. */
#ifndef PYLSTM_PANELS_H
#define PYLSTM_PANELS_H

#include "kernels/rows.h"

#include <string.h>

static inline ptrdiff_t blocks_of(ptrdiff_t n, ptrdiff_t lanes)
{
    return (n + lanes - 1) / lanes;
}

/* n elements, then zeros up to width. A line at a time: the call of a memcpy of any size takes as long as the copy. */
static inline void copy_padded(ptrdiff_t n, ptrdiff_t width, const real *from, real *to)
{
    ptrdiff_t k = 0;
    for (; k + LINE <= n; k += LINE)
        memcpy(to + k, from + k, LINE * sizeof(real));
    for (; k < width; k++)
        to[k] = k < n ? from[k] : 0;
}

/* What follows works on the blocks of units, or vectors of columns, from <= b < to. */
struct range {
    ptrdiff_t from, to;
};

/* How weights [n_gates * H][...] lie in panels: in blocks of `lanes` units, the gates in another order. */
struct packing {
    ptrdiff_t lanes, hidden, n_gates;
    const ptrdiff_t *gates; /* [n_gates] of the weights, in the order of the panels */
};

/* weight [n_gates * H][n_k] to the inputs first_k .. first_k + n_k of forward panels of panel_k inputs. A bias is
 * weights of one input. */
void NAME(pack_forward)(struct packing as, struct range blocks, ptrdiff_t n_k, const real *weight, ptrdiff_t first_k,
                        ptrdiff_t panel_k, real *panels);

/* Its inverse, for gradients. */
void NAME(unpack_forward)(struct packing as, struct range blocks, ptrdiff_t n_k, real *weight, ptrdiff_t first_k,
                          ptrdiff_t panel_k, const real *panels);

/* weight [n_gates * H][columns] to backward panels; `vectors` starts at a multiple of 4. */
void NAME(pack_backward)(struct packing as, struct range vectors, ptrdiff_t columns, const real *weight, real *panels);

/* One gate (0 .. V - 1) of a row, whose blocks [V][lanes] are block_stride apart, to [H], and from it: there what is
 * padding stays. */
void NAME(unpack_gate)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t gate, ptrdiff_t block_stride, const real *packed,
                       real *values);
void NAME(pack_gate)(ptrdiff_t lanes, ptrdiff_t hidden, ptrdiff_t gate, ptrdiff_t block_stride, const real *values,
                     real *packed);

#endif
