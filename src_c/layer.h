/* One direction of one layer over all steps of a batch. */
#ifndef PYLSTM_LAYER_H
#define PYLSTM_LAYER_H

#include "arena.h"
#include "real.h"

struct layer {
    ptrdiff_t input_size, hidden_size;
    int reverse;                              /* reads each sequence from its end */
    const real *weight_ih, *weight_hh, *bias; /* [4H][I], [4H][H], [4H] */
};

/* What the steps leave behind, time-major: for backward every step's (the tape), in inference those of the last two
 * steps. h_{t-1} stands beside x_t, so that one product with [W R] gives a step's pre-activations, and one product of a
 * whole stretch of rows with the gates' gradients gives [dW dR]. */
struct steps {
    int keep;    /* a tape */
    real *xh;    /* [N or 2B][I + H] */
    real *gates; /* [N or B][4H] */
    real *c;     /* [B + N or 2B][H], the initial cell state first */
};

struct steps NAME(steps_carve)(struct arena *arena, const pylstm_shape *shape, ptrdiff_t input_size,
                               ptrdiff_t hidden_size, int keep);

/* An array of rows of which the layer reads or writes a band of columns. */
struct rows {
    real *data;
    ptrdiff_t stride;
};

struct layer_forward_scratch {
    real *packed; /* [4H][I + H] the weights side by side */
    real *h;      /* [B][H] */
};

struct layer_forward_scratch NAME(layer_forward_carve)(struct arena *arena, const pylstm_shape *shape,
                                                       ptrdiff_t input_size, ptrdiff_t hidden_size);

/*   x       [N] rows of I, caller's order
 *   h0, c0  [B][H], caller's order, or NULL: zeros      may be hn, cn
 *   y       [N] rows of H, out
 *   hn, cn  [B][H], out, or NULL */
void NAME(layer_forward)(const struct layer *layer, const pylstm_blas *blas, const pylstm_batch *batch, const real *x,
                         const real *h0, const real *c0, struct rows y, real *hn, real *cn, struct steps steps,
                         struct layer_forward_scratch scratch);

struct layer_backward_scratch {
    ptrdiff_t chunk_rows; /* C */
    real *dgates;         /* [C][4H] of the steps in flight */
    real *dx;             /* [C][I] */
    real *dh, *dc;        /* [B][H] */
    real *dpacked;        /* [4H][I + H] */
};

struct layer_backward_scratch NAME(layer_backward_carve)(struct arena *arena, const pylstm_shape *shape,
                                                         ptrdiff_t input_size, ptrdiff_t hidden_size);

/*   dy        [N] rows of H
 *   dhn, dcn  [B][H], or NULL: zeros
 *   dweight_ih, dweight_hh, dbias  out
 *   dx        [N][I], added to, or NULL
 *   dh0, dc0  [B][H], out, or NULL      may be dhn, dcn */
void NAME(layer_backward)(const struct layer *layer, const pylstm_blas *blas, const pylstm_batch *batch, struct rows dy,
                          const real *dhn, const real *dcn, real *dweight_ih, real *dweight_hh, real *dbias, real *dx,
                          real *dh0, real *dc0, struct steps steps, struct layer_backward_scratch scratch);

#endif
