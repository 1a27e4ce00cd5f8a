/* The stack: layers over directions over the time loops of forward.c and backward.c, dropout between; for each part of
 * the batch that has a thread of its own, or for each of the threads that share the units of one sequence (parts.h). */
#ifndef PYLSTM_STACK_H
#define PYLSTM_STACK_H

#include "layers/layer.h"
#include "layers/table.h"

/* Room for one part's batch and, in one place, the arrays of its largest layer. */
struct part_memory {
    pylstm_batch batch;
    struct arena per_layer;
};

/* What is the same for all parts of a pass over a batch, forward or back. */
struct pass {
    const pylstm_net *net;
    const pylstm_batch *batch;
    const real *parameters;
    uint64_t dropout_seed;
    const ptrdiff_t *dropout_rows; /* [B] caller's order: the first row of each sequence, as dropout counts them; or
                                      NULL: as the batch does */
    pylstm_memory tape;            /* NULL data: inference */
    ptrdiff_t n_parts;             /* each on a thread, or ... */
    ptrdiff_t n_members;           /* ... so many threads on the only one */
    pylstm_shape bound;            /* of a part */
    struct part_memory parts[MAX_THREADS];
};

/* The sequences of a part, in the memory that is carved for it. */
const pylstm_batch *NAME(batch_of_part)(struct pass *pass, ptrdiff_t part);

struct forward_pass {
    struct pass pass;
    pylstm_memory packed; /* as pylstm_forward has it */
    struct inputs inputs;
    const real *state_in, *held; /* as pylstm_trace has it */
    real *y, *state_out;
    real *between[2]; /* [N][widest output]: what a layer writes and the next one reads, in turns */
};

/* Whether batches of this shape are worth weights that are packed. */
bool NAME(reads_packed)(const pylstm_shape *shape);

/* What a pass of this shape needs; its net is known. */
void NAME(forward_carve)(struct forward_pass *pass, const pylstm_shape *shape, struct arena *arena);

/* One part, on one thread; or the only one, on a team. */
void NAME(forward_part)(struct forward_pass *pass, ptrdiff_t part, struct member member);

/* Packs the weights for inference or training; each member of a team its share. */
void NAME(pack_stack)(const pylstm_net *net, const real *parameters, pylstm_memory packed, struct member member);

/* What passes back gave to the gradient of the net's parameters, summed up: by each part its own, for batches within a
 * bound; and the weights in the order in which they read them. */
struct stack_sums {
    const pylstm_net *net;
    ptrdiff_t n_parts;
    bool wants_dx;              /* the gradient of the net's input too */
    struct layer_sums *layers;  /* [n_parts][n_layers][D] */
    struct back_panels *panels; /* [n_layers][D] */
};

/* Takes the memory of sums of batches within `bound`, for gradients [n_parameters]; NULL while counting. */
void NAME(sums_carve)(struct stack_sums *sums, const pylstm_shape *bound, real *gradients, struct arena *arena);

/* Nothing is summed up. By one thread. */
void NAME(sums_clear)(struct stack_sums *sums);

/* By all members of a team: the weights into the order of the way back; the sums to gradients [n_parameters]. */
void NAME(sums_pack)(struct stack_sums *sums, const real *parameters, struct member member);
void NAME(sums_finish)(struct stack_sums *sums, real *gradients, struct member member);

struct backward_pass {
    struct pass pass;
    const real *dy, *dstate_out;
    real *dx, *dstate_in;
    struct stack_sums *sums; /* added to */
    real *between[2];        /* [N][widest output]: gradients that a layer leaves for the one below, in turns */
};

void NAME(backward_carve)(struct backward_pass *pass, const pylstm_shape *shape, struct arena *arena);
void NAME(backward_part)(struct backward_pass *pass, ptrdiff_t part, struct member member);

/* What a training forward fills for the way back. */
void NAME(tape_carve)(const pylstm_net *net, const pylstm_shape *shape, struct arena *arena);

#endif
