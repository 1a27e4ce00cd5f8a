/* The dense layer on top in training: outputs, losses, and the gradients of weights, bias and features, of a chunk of
 * rows while it is in cache.
 *
 * Threads share the rows, each with sums of its own; or, where those would be larger than a cache, the outputs, each
 * with all rows: then they wait for each other where a softmax needs the sum over all outputs. The shares are fixed by
 * n_threads of pylstm_head, so the bits are the same for any number of members that there are to take them. */
#ifndef PYLSTM_HEAD_PASS_H
#define PYLSTM_HEAD_PASS_H

#include "kernels/isa.h"
#include "support/arena.h"
#include "support/threads.h"

/* One pass over outputs of a mini-batch. */
struct head_pass {
    ptrdiff_t n_rows;        /* E */
    const real *features;    /* [E][width] */
    const ptrdiff_t *labels; /* [E], or else */
    const real *targets;     /* [E][n_outputs] */
    const double *weights;   /* [E], or NULL: ones */
    double total;            /* weight of the whole mini-batch, of which these may be a part */
    real *dfeatures;         /* [E][width], out */
};

struct head_share;

struct head {
    const pylstm_head *of;
    const struct head_kernels *kernels;
    ptrdiff_t lanes;
    const pylstm_blas *blas; /* or NULL: the products are the kernels' */
    const real *weight, *bias;
    bool splits_outputs, keeps_values;
    ptrdiff_t n_shares;
    ptrdiff_t chunk;     /* rows at once, at most */
    ptrdiff_t block;     /* outputs at once, at most */
    real *weight_panels; /* of all blocks; where outputs are split, each share packs a block when it needs it */
    struct head_share *shares;
};

/* Takes what passes of up to n_rows rows need: scratch of at most 4 MB however many outputs and threads; sums, and
 * packed weights, where they fit into a cache. A BLAS, if there is one, gets the products at which it is as fast. */
void NAME(head_carve)(const pylstm_head *of, const pylstm_blas *blas, ptrdiff_t n_rows, struct arena *arena,
                      struct head *head);

/* By one thread: weight [n_outputs][width] and bias [n_outputs] are what the passes to come read, dweight and dbias
 * alike what they sum up in, from zero; to be read after head_finish. */
void NAME(head_begin)(struct head *head, const real *weight, const real *bias, real *dweight, real *dbias);

/* By all members of a team. */
void NAME(head_add)(struct head *head, const struct head_pass *pass, struct member member);
void NAME(head_finish)(struct head *head, struct member member);

/* Of all passes since head_begin: the sum over the rows of weight / total times loss. After head_finish. */
double NAME(head_loss)(const struct head *head);

#endif
