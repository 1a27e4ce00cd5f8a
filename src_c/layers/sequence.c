/* The stack: layers over directions over the time loops of forward.c and backward.c, dropout between; for each part of
 * the batch that has a thread of its own (parts.h). */
#include "interface/typed.h"
#include "kernels/isa.h"
#include "layers/batch.h"
#include "layers/dropout.h"
#include "layers/layer.h"
#include "layers/parts.h"
#include "support/threads.h"

#include <string.h>

static ptrdiff_t widest_output(const pylstm_net *net)
{
    ptrdiff_t widest = 0;
    for (ptrdiff_t l = 0; l < net->n_layers; l++)
        if (net->hidden_sizes[l] > widest)
            widest = net->hidden_sizes[l];
    return net->n_directions * widest;
}

static struct layer layer_at(const pylstm_net *net, ptrdiff_t l, ptrdiff_t direction, const real *parameters)
{
    pylstm_layer at = pylstm_net_layer(net, l, direction);
    struct layer layer = {
        .kernels = NAME(kernels)(net->isa),
        .cell = net->cell,
        .input_size = at.input_size,
        .hidden_size = at.hidden_size,
        .reverse = direction == 1,
        .last_first = net->last_first,
        .member = ALONE,
    };
    if (parameters) { /* else only sizes are wanted */
        layer.weight_ih = parameters + at.weight_ih;
        layer.weight_hh = parameters + at.weight_hh;
        layer.bias = parameters + at.bias;
    }
    return layer;
}

/* ------------------------------------------------------------------- parts */

/* Room for one part's batch and, in one place, the arrays of its largest layer. */
struct part_memory {
    pylstm_batch batch;
    struct arena per_layer;
};

typedef void carve_layer(struct arena *arena, const struct layer *layer, const pylstm_shape *bound);

static struct part_memory carve_part(const pylstm_net *net, const pylstm_shape *bound, ptrdiff_t n_members,
                                     carve_layer *carve, struct arena *arena)
{
    struct part_memory part = {.batch = pylstm_batch_carve(arena, bound)};
    part.per_layer = *arena;
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        struct layer layer = layer_at(net, l, 0, NULL);
        layer.member.n_members = n_members;
        struct arena layer_arena = part.per_layer;
        carve(&layer_arena, &layer, bound);
        arena->used = layer_arena.used > arena->used ? layer_arena.used : arena->used;
        arena->overflow |= layer_arena.overflow;
    }
    return part;
}

/* What is the same for all parts of a call, forward or backward. */
struct call {
    const pylstm_net *net;
    const pylstm_batch *batch;
    const real *parameters;
    uint64_t dropout_seed;
    pylstm_memory tape;
    ptrdiff_t n_parts;   /* each on a thread, or ... */
    ptrdiff_t n_members; /* ... so many threads on the only one */
    pylstm_shape bound;  /* of a part */
    struct part_memory parts[MAX_THREADS];
};

static void carve_parts(struct call *call, const pylstm_shape *shape, carve_layer *carve, struct arena *arena)
{
    call->n_parts = pylstm_n_parts(call->net, shape);
    call->n_members = pylstm_n_members(call->net, shape);
    call->bound = pylstm_part_bound(shape, call->n_parts);
    for (ptrdiff_t p = 0; p < call->n_parts; p++)
        call->parts[p] = carve_part(call->net, &call->bound, call->n_members, carve, arena);
}

/* Every part on a thread of its own, or several threads on the only one. */
static void run(const struct call *call, void (*alone)(void *context, ptrdiff_t part),
                void (*together)(void *context, struct member member), void *context)
{
    if (call->n_members > 1)
        pylstm_run_team(call->n_members, together, context);
    else
        pylstm_run_parts(call->n_parts, alone, context);
}

/* The sequences of a part; the whole batch where there is but one. */
static const pylstm_batch *batch_of(struct call *call, ptrdiff_t part)
{
    if (call->n_parts == 1)
        return call->batch;
    pylstm_part_init(&call->parts[part].batch, call->batch, part, call->n_parts);
    return &call->parts[part].batch;
}

static void drop_rows(const struct call *call, const pylstm_batch *batch, ptrdiff_t layer, real *values)
{
    ptrdiff_t width = call->net->n_directions * call->net->hidden_sizes[layer];
    for (ptrdiff_t b = 0; b < batch->shape.n_sequences; b++) {
        ptrdiff_t first = batch->first[b] * width;
        NAME(dropout)(call->dropout_seed, (uint64_t)layer, call->net->dropout, first, batch->length[b] * width,
                      values + first);
    }
}

/* -------------------------------------------------------------------- tape */

/* The steps of one part, layer and direction within a tape; carving all of them counts the tape. */
static struct steps carve_tape(const pylstm_net *net, const pylstm_shape *bound, ptrdiff_t part, ptrdiff_t layer,
                               ptrdiff_t direction, struct arena *arena)
{
    struct steps carved = {0};
    for (ptrdiff_t p = 0; p <= part; p++) {
        ptrdiff_t last_layer = p == part ? layer : net->n_layers - 1;
        for (ptrdiff_t l = 0; l <= last_layer; l++) {
            ptrdiff_t last_direction = p == part && l == layer ? direction : net->n_directions - 1;
            for (ptrdiff_t d = 0; d <= last_direction; d++) {
                struct layer at = layer_at(net, l, d, NULL);
                carved = NAME(steps_carve)(arena, &at, bound, 1);
            }
        }
    }
    return carved;
}

static struct steps tape_steps(const pylstm_net *net, const pylstm_shape *bound, ptrdiff_t part, ptrdiff_t layer,
                               ptrdiff_t direction, pylstm_memory tape)
{
    struct arena arena = arena_at(tape);
    return carve_tape(net, bound, part, layer, direction, &arena);
}

int NAME(tape_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    ptrdiff_t n_parts = pylstm_n_parts(net, shape);
    pylstm_shape bound = pylstm_part_bound(shape, n_parts);
    carve_tape(net, &bound, n_parts - 1, net->n_layers - 1, net->n_directions - 1, &counting);
    return arena_total(&counting, bytes);
}

int NAME(tape_read)(const pylstm_net *net, const pylstm_batch *batch, ptrdiff_t layer, ptrdiff_t direction,
                    pylstm_memory tape, void *values)
{
    struct layer at = layer_at(net, layer, direction, NULL);
    ptrdiff_t n_parts = pylstm_n_parts(net, &batch->shape), stride = batch->shape.n_rows * at.hidden_size;
    pylstm_shape bound = pylstm_part_bound(&batch->shape, n_parts);
    for (ptrdiff_t part = 0; part < n_parts; part++) {
        struct steps steps = tape_steps(net, &bound, part, layer, direction, tape);
        ptrdiff_t n_sequences = (batch->shape.n_sequences - part + n_parts - 1) / n_parts, row = 0;
        for (ptrdiff_t s = 0; s < batch->length[part]; s++) {
            for (ptrdiff_t b = part; b < batch->offset[s + 1] - batch->offset[s]; b += n_parts, row++) {
                ptrdiff_t to = batch->first[b] + (at.reverse ? batch->length[b] - 1 - s : s);
                NAME(steps_read)(&at, n_sequences, steps, row, (real *)values + to * at.hidden_size, stride);
            }
        }
    }
    return PYLSTM_OK;
}

/* ------------------------------------------------------------------ packed */

/* The packed weights of one layer and direction; carving those of the last counts all. */
static struct packed carve_packed(const pylstm_net *net, ptrdiff_t layer, ptrdiff_t direction, struct arena *arena)
{
    struct packed carved = {NULL, NULL};
    for (ptrdiff_t l = 0; l <= layer; l++) {
        for (ptrdiff_t d = 0; d <= (l == layer ? direction : net->n_directions - 1); d++) {
            struct layer at = layer_at(net, l, d, NULL);
            carved = NAME(packed_carve)(arena, &at);
        }
    }
    return carved;
}

static struct packed packed_of(const pylstm_net *net, ptrdiff_t layer, ptrdiff_t direction, pylstm_memory packed)
{
    struct arena arena = arena_at(packed);
    return carve_packed(net, layer, direction, &arena);
}

int NAME(packed_size)(const pylstm_net *net, size_t *bytes)
{
    struct arena counting = {0};
    carve_packed(net, net->n_layers - 1, net->n_directions - 1, &counting);
    return arena_total(&counting, bytes);
}

void NAME(pack)(const pylstm_net *net, const void *parameters, pylstm_memory packed)
{
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        for (ptrdiff_t d = 0; d < net->n_directions; d++) {
            struct layer layer = layer_at(net, l, d, parameters);
            NAME(pack_layer)(&layer, packed_of(net, l, d, packed));
        }
    }
}

/* ----------------------------------------------------------------- forward */

struct forward_call {
    struct call call;
    pylstm_memory packed;
    const real *x, *state_in, *held; /* as pylstm_trace has it */
    real *y, *state_out;
    real *between[2]; /* [N][widest output]: what a layer writes and the next one reads, in turns */
};

static void carve_forward_layer(struct arena *arena, const struct layer *layer, const pylstm_shape *bound)
{
    NAME(steps_carve)(arena, layer, bound, 0);
    NAME(layer_forward_carve)(arena, layer, bound);
}

static void carve_forward(struct forward_call *call, const pylstm_shape *shape, struct arena *arena)
{
    const pylstm_net *net = call->call.net;
    for (ptrdiff_t k = 0; k < 2; k++)
        call->between[k] =
            arena_take(arena, k < net->n_layers - 1 ? shape->n_rows : 0, widest_output(net), sizeof(real));
    carve_parts(&call->call, shape, carve_forward_layer, arena);
}

int NAME(forward_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    struct forward_call call = {.call.net = net};
    carve_forward(&call, shape, &counting);
    return arena_total(&counting, bytes);
}

static void forward_part(struct forward_call *forward, ptrdiff_t part, struct member member)
{
    struct call *call = &forward->call;
    const pylstm_net *net = call->net;
    const pylstm_batch *batch = batch_of(call, part);
    ptrdiff_t n_sequences = call->batch->shape.n_sequences; /* states are laid out for all */

    const real *input = forward->x, *held = forward->held;
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        real *output = l == net->n_layers - 1 ? forward->y : forward->between[l % 2];
        for (ptrdiff_t d = 0; d < net->n_directions; d++) {
            pylstm_layer at = pylstm_net_layer(net, l, d);
            struct layer layer = layer_at(net, l, d, call->parameters);
            layer.member = member;
            struct arena arena = call->parts[part].per_layer;
            struct steps steps = call->tape.data ? tape_steps(net, &call->bound, part, l, d, call->tape)
                                                 : NAME(steps_carve)(&arena, &layer, &call->bound, 0);
            if (held) {
                steps.held = held;
                steps.held_stride = call->batch->shape.n_rows * layer.hidden_size;
                held += pylstm_cell_of(net->cell)->n_kept * steps.held_stride;
            }
            bool is_packed = forward->packed.data != NULL;
            struct packed packed = is_packed ? packed_of(net, l, d, forward->packed)
                                             : NAME(layer_forward_carve)(&arena, &layer, &call->bound);
            const real *h0 = forward->state_in ? forward->state_in + at.h * n_sequences : NULL;
            const real *c0 = forward->state_in ? forward->state_in + at.c * n_sequences : NULL;
            real *hn = forward->state_out ? forward->state_out + at.h * n_sequences : NULL;
            real *cn = forward->state_out ? forward->state_out + at.c * n_sequences : NULL;
            struct rows columns = {output + d * at.hidden_size, net->n_directions * at.hidden_size};
            NAME(layer_forward)(&layer, batch, input, h0, c0, columns, hn, cn, steps, packed, is_packed);
        }
        if (call->tape.data && member.index == 0)
            drop_rows(call, batch, l, output);
        pylstm_wait_for_team(member);
        input = output;
    }
}

static void forward_alone(void *context, ptrdiff_t part)
{
    forward_part(context, part, ALONE);
}

static void forward_together(void *context, struct member member)
{
    forward_part(context, 0, member);
}

static int run_forward(struct forward_call *call, pylstm_memory workspace)
{
    struct arena arena = arena_at(workspace);
    carve_forward(call, &call->call.batch->shape, &arena);
    run(&call->call, forward_alone, forward_together, call);
    return PYLSTM_OK;
}

int NAME(forward)(const pylstm_net *net, const pylstm_batch *batch, const void *parameters, pylstm_memory packed,
                  const void *x, const void *state_in, void *y, void *state_out, uint64_t dropout_seed,
                  pylstm_memory tape, pylstm_memory workspace)
{
    struct forward_call call = {
        .call = {.net = net, .batch = batch, .parameters = parameters, .dropout_seed = dropout_seed, .tape = tape},
        .packed = packed,
        .x = x,
        .state_in = state_in,
        .y = y,
        .state_out = state_out,
    };
    return run_forward(&call, workspace);
}

int NAME(trace)(const pylstm_net *net, const pylstm_batch *batch, const void *parameters, pylstm_memory packed,
                const void *x, const void *state_in, const void *held, void *y, void *state_out, pylstm_memory tape,
                pylstm_memory workspace)
{
    pylstm_net undropped = *net;
    undropped.dropout = 0;
    struct forward_call call = {
        .call = {.net = &undropped, .batch = batch, .parameters = parameters, .tape = tape},
        .packed = packed,
        .x = x,
        .state_in = state_in,
        .held = held,
        .y = y,
        .state_out = state_out,
    };
    return run_forward(&call, workspace);
}

/* ---------------------------------------------------------------- backward */

struct backward_call {
    struct call call;
    const real *dy_given, *dstate_out;
    real *dx_given, *dstate_in;
    real *between[2];               /* [N][widest output]: gradients that a layer leaves for the one below, in turns */
    real *dparameters[MAX_THREADS]; /* [n_parameters] of each part; the first's is the caller's */
};

static void carve_backward_layer(struct arena *arena, const struct layer *layer, const pylstm_shape *bound)
{
    NAME(layer_backward_carve)(arena, layer, bound);
}

static void carve_backward(struct backward_call *call, const pylstm_shape *shape, struct arena *arena)
{
    const pylstm_net *net = call->call.net;
    ptrdiff_t n_turns = net->n_layers - 1 + (net->dropout > 0); /* the last layer's too, where dropout changes it */
    for (ptrdiff_t k = 0; k < 2; k++)
        call->between[(k + 1) % 2] =
            arena_take(arena, k < n_turns ? shape->n_rows : 0, widest_output(net), sizeof(real));
    carve_parts(&call->call, shape, carve_backward_layer, arena);
    for (ptrdiff_t p = 1; p < call->call.n_parts; p++)
        call->dparameters[p] = arena_take(arena, pylstm_net_n_parameters(net), 1, sizeof(real));
}

int NAME(backward_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    struct backward_call call = {.call.net = net};
    carve_backward(&call, shape, &counting);
    return arena_total(&counting, bytes);
}

static void backward_part(struct backward_call *backward, ptrdiff_t part, struct member member)
{
    struct call *call = &backward->call;
    const pylstm_net *net = call->net;
    const pylstm_batch *batch = batch_of(call, part);
    ptrdiff_t n_sequences = call->batch->shape.n_sequences;
    real *gradients = backward->dparameters[part];
    ptrdiff_t width = pylstm_net_output_size(net);
    for (ptrdiff_t b = 0; net->dropout > 0 && b < batch->shape.n_sequences && member.index == 0; b++)
        memcpy(backward->between[net->n_layers % 2] + batch->first[b] * width,
               backward->dy_given + batch->first[b] * width, (size_t)(batch->length[b] * width) * sizeof(real));

    for (ptrdiff_t l = net->n_layers - 1; l >= 0; l--) {
        const real *dy = backward->between[(l + 1) % 2];
        if (net->dropout == 0 && l == net->n_layers - 1)
            dy = backward->dy_given;
        else if (member.index == 0)
            drop_rows(call, batch, l, backward->between[(l + 1) % 2]);
        for (ptrdiff_t d = 0; d < net->n_directions; d++) {
            pylstm_layer at = pylstm_net_layer(net, l, d);
            struct layer layer = layer_at(net, l, d, call->parameters);
            layer.member = member;
            struct arena arena = call->parts[part].per_layer;
            struct layer_backward_scratch scratch = NAME(layer_backward_carve)(&arena, &layer, &call->bound);
            const real *dhn = backward->dstate_out ? backward->dstate_out + at.h * n_sequences : NULL;
            const real *dcn = backward->dstate_out ? backward->dstate_out + at.c * n_sequences : NULL;
            real *dh0 = backward->dstate_in ? backward->dstate_in + at.h * n_sequences : NULL;
            real *dc0 = backward->dstate_in ? backward->dstate_in + at.c * n_sequences : NULL;
            struct const_rows columns = {dy + d * at.hidden_size, net->n_directions * at.hidden_size};
            NAME(layer_backward)(&layer, batch, columns, dhn, dcn, gradients + at.weight_ih, gradients + at.weight_hh,
                                 gradients + at.bias, l > 0 ? backward->between[l % 2] : backward->dx_given, d > 0, dh0,
                                 dc0, tape_steps(net, &call->bound, part, l, d, call->tape), scratch);
        }
    }
}

static void backward_alone(void *context, ptrdiff_t part)
{
    backward_part(context, part, ALONE);
}

static void backward_together(void *context, struct member member)
{
    backward_part(context, 0, member);
}

int NAME(backward)(const pylstm_net *net, const pylstm_batch *batch, const void *parameters, const void *dy,
                   const void *dstate_out, void *dparameters, void *dx, void *dstate_in, uint64_t dropout_seed,
                   pylstm_memory tape, pylstm_memory workspace)
{
    struct backward_call call = {
        .call = {.net = net, .batch = batch, .parameters = parameters, .dropout_seed = dropout_seed, .tape = tape},
        .dy_given = dy,
        .dstate_out = dstate_out,
        .dx_given = dx,
        .dstate_in = dstate_in,
        .dparameters = {dparameters},
    };
    struct arena arena = arena_at(workspace);
    carve_backward(&call, &batch->shape, &arena);
    run(&call.call, backward_alone, backward_together, &call);
    ptrdiff_t n_parameters = pylstm_net_n_parameters(net);
    for (ptrdiff_t p = 1; p < call.call.n_parts; p++)
        for (ptrdiff_t k = 0; k < n_parameters; k++)
            call.dparameters[0][k] += call.dparameters[p][k];
    return PYLSTM_OK;
}
