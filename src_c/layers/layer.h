/* One direction of one layer over all steps of a batch; on a team of threads, each calls the same with its member. */
#ifndef PYLSTM_LAYER_H
#define PYLSTM_LAYER_H

#include "kernels/cell.h"
#include "kernels/kernels.h"
#include "layers/inputs.h"
#include "support/arena.h"
#include "support/real.h"
#include "support/threads.h"

struct layer {
    const struct kernels *kernels;
    pylstm_cell cell;
    ptrdiff_t input_size, hidden_size;
    pylstm_input input;                       /* of the first layer; the others read values */
    int reverse;                              /* reads each sequence from its end */
    const real *weight_ih, *weight_hh, *bias; /* [GH][I], [GH][H], [VH] */
    bool last_first;      /* the first step goes through its panels from the last; every step turns round */
    struct member member; /* whose share of the units is meant; a team of several works on batches of one sequence */
};

/* What the steps leave behind, time-major: for backward every step's (the tape). Inference keeps the x of a chunk of
 * steps (C rows), and the state before and after a step. Units are padded and ordered as kernels.h says. */
struct steps {
    int keep;          /* a tape */
    real *x;           /* [N or C][I]; none of one-hot tokens */
    ptrdiff_t *tokens; /* [N or C]; NULL: values */
    real *gates;       /* [n_blocks][N or C][V][lanes], a block's rows one after the other, as they are written and read
                        * back; in inference pre-activations of the inputs, projected ahead */
    ptrdiff_t gates_rows;  /* N or C, of the shape that it was carved for */
    real *h;               /* [B + N or 2B][H'], the initial state first */
    real *c;               /* [B + N or B][H'], the initial state first; NULL where the cell has none */
    const real *held;      /* [n_kept][rows of the caller][H] what gates are held at, NaN where they are not; or NULL */
    ptrdiff_t held_stride; /* elements from one gate to the next */
};

struct steps NAME(steps_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *shape, int keep);

/* The weights as a step reads them. */
struct packed {
    real *panels; /* forward panels of [W R] */
    real *bias;   /* [VH'] */
};

struct packed NAME(packed_carve)(struct arena *arena, const struct layer *layer);

/* Packs the layer's weights; each member of a team its own units. */
void NAME(pack_layer)(const struct layer *layer, struct packed packed);

/* Those of the member's units, as steps read them. */
struct step_weights NAME(packed_weights)(const struct layer *layer, struct packed packed);

/* One step of the member's units; where step->weights is NULL, from the layer's weights as they lie. Whatever runs a
 * layer, over a batch or step after step, does it by this. */
void NAME(layer_step)(const struct layer *layer, const struct step *step);

/* Room for packed weights in a forward of this shape, if it is none of so few rows that it reads the weights as they
 * lie. */
struct packed NAME(layer_forward_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *shape);

/* A batch's way through a layer. */
struct layer_forward {
    struct inputs inputs;
    const real *h0, *c0; /* [B][H], caller's order, or NULL: zeros      may be hn, cn */
    struct rows y;       /* [N] rows of H, out */
    real *hn, *cn;       /* [B][H], out, or NULL */
    struct steps steps;
    struct packed packed; /* room for the weights, or the packed weights themselves if */
    bool is_packed;       /* as they are where gates are held */
};

void NAME(layer_forward)(const struct layer *layer, const pylstm_batch *batch, const struct layer_forward *pass);

/* W and R in the order in which the way back reads them. */
struct back_panels {
    real *ih, *hh; /* NULL: they are read as they lie */
};

/* Those that a way back of batches within `bound` reads; ih where the input's gradient is asked for. */
struct back_panels NAME(back_panels_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *bound,
                                           bool wants_dx);

/* Fills them; each member of a team its own share. */
void NAME(pack_back_panels)(const struct layer *layer, struct back_panels panels);

/* What batches gave to the gradient of one direction of a layer, summed up. The weights' is in the order of forward
 * panels until layer_sums_finish; that of large weights from short batches is where it belongs from the start. */
struct layer_sums {
    real *panels;                /* [n_blocks][I + H][G][lanes]; or NULL, and */
    real *weight_ih, *weight_hh; /* [GH][I], [GH][H] */
    real *bias;                  /* [VH'] */
    bool is_empty;               /* nothing has been added: what is there is not to be read */
};

/* Sums of batches within `bound`. `gradients`: where weight_ih lies, weight_hh behind it, if they are the caller's. */
struct layer_sums NAME(layer_sums_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *bound,
                                         real *gradients);

/* The sums of all n, which lie `stride` apart, in order, to dweight_ih [GH][I], dweight_hh, and dbias [VH], one after
 * the other; each member of a team its own units. */
void NAME(layer_sums_finish)(const struct layer *layer, const struct layer_sums *sums, ptrdiff_t n, ptrdiff_t stride,
                             real *gradients);

struct layer_backward_scratch {
    real *dgates;             /* [n_blocks][C + 3][V][lanes] of the steps in flight */
    struct segment *segments; /* [C], or one for each member of the team */
    real *columns;            /* [C][I' or H', the larger], for each member of the team */
    real *dx;                 /* [C][I'] */
    real *dh, *dc;            /* [B][H'] */
};

struct layer_backward_scratch NAME(layer_backward_carve)(struct arena *arena, const struct layer *layer,
                                                         const pylstm_shape *shape);

/* And its way back. */
struct layer_backward {
    struct const_rows dy;  /* [N] rows of H */
    const real *dhn, *dcn; /* [B][H], or NULL: zeros */
    real *dx;              /* [N][I], out, or added to if `adds_dx`; or NULL */
    bool adds_dx;
    real *dh0, *dc0; /* [B][H], out, or NULL      may be dhn, dcn */
    struct steps steps;
    struct back_panels panels;
    struct layer_sums *sums; /* added to */
    struct layer_backward_scratch scratch;
};

void NAME(layer_backward)(const struct layer *layer, const pylstm_batch *batch, const struct layer_backward *pass);

/* One row of a tape of n_sequences, out: what pylstm_tape_read says, each [H] and `stride` elements after the one
 * before. */
void NAME(steps_read)(const struct layer *layer, ptrdiff_t n_sequences, struct steps steps, ptrdiff_t row, real *values,
                      ptrdiff_t stride);

#endif
