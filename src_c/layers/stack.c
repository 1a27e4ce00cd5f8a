#include "layers/stack.h"
#include "kernels/isa.h"
#include "layers/batch.h"
#include "layers/dropout.h"
#include "layers/parts.h"
#include "layers/passes.h"
#include "layers/walk.h"
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

static struct layer layer_at(const pylstm_net *net, const pylstm_layer *at, const real *parameters)
{
    struct layer layer = {
        .kernels = NAME(kernels)(net->isa),
        .cell = net->cell,
        .input_size = at->input_size,
        .hidden_size = at->hidden_size,
        .input = at->layer == 0 ? net->input : PYLSTM_VALUES,
        .reverse = at->direction == 1,
        .last_first = net->last_first,
        .member = ALONE,
    };
    if (parameters) { /* else only sizes are wanted */
        layer.weight_ih = parameters + at->weight_ih;
        layer.weight_hh = parameters + at->weight_hh;
        layer.bias = parameters + at->bias;
    }
    return layer;
}

/* ------------------------------------------------------------------- parts */

typedef void carve_layer(struct arena *arena, const struct layer *layer, const pylstm_shape *bound);

static struct part_memory carve_part(const pylstm_net *net, const pylstm_shape *bound, ptrdiff_t n_members,
                                     carve_layer *carve, struct arena *arena)
{
    struct part_memory part = {.batch = pylstm_batch_carve(arena, bound)};
    part.per_layer = *arena;
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        struct layer layer = layer_at(net, &at, NULL);
        layer.member.n_members = n_members;
        struct arena layer_arena = part.per_layer;
        carve(&layer_arena, &layer, bound);
        arena->used = layer_arena.used > arena->used ? layer_arena.used : arena->used;
        arena->overflow |= layer_arena.overflow;
    }
    return part;
}

static void carve_parts(struct pass *pass, const pylstm_shape *shape, carve_layer *carve, struct arena *arena)
{
    pass->n_parts = pylstm_n_parts(pass->net, shape);
    pass->n_members = pylstm_n_members(pass->net, shape);
    pass->bound = pylstm_part_bound(shape, pass->n_parts);
    for (ptrdiff_t p = 0; p < pass->n_parts; p++)
        pass->parts[p] = carve_part(pass->net, &pass->bound, pass->n_members, carve, arena);
}

/* The whole batch where there is but one part. */
const pylstm_batch *NAME(batch_of_part)(struct pass *pass, ptrdiff_t part)
{
    if (pass->n_parts == 1)
        return pass->batch;
    pylstm_part_init(&pass->parts[part].batch, pass->batch, part, pass->n_parts);
    return &pass->parts[part].batch;
}

static void drop_rows(const struct pass *pass, const pylstm_batch *batch, ptrdiff_t layer, real *values)
{
    ptrdiff_t width = pass->net->n_directions * pass->net->hidden_sizes[layer];
    for (ptrdiff_t b = 0; b < batch->shape.n_sequences; b++) {
        ptrdiff_t row = pass->dropout_rows ? pass->dropout_rows[batch->order[b]] : batch->first[b];
        NAME(dropout)(pass->dropout_seed, (uint64_t)layer, pass->net->dropout, row * width, batch->length[b] * width,
                      values + batch->first[b] * width);
    }
}

/* -------------------------------------------------------------------- tape */

/* The steps of each layer and direction of the first parts within a tape; carving those of all counts the tape. */
static void carve_tape(const pylstm_net *net, const pylstm_shape *bound, ptrdiff_t n_parts, struct arena *arena)
{
    for (ptrdiff_t p = 0; p < n_parts; p++) {
        pylstm_layer at = {0};
        while (pylstm_net_next(net, &at)) {
            struct layer layer = layer_at(net, &at, NULL);
            NAME(steps_carve)(arena, &layer, bound, 1);
        }
    }
}

/* Those of one part, layer and direction. */
static struct steps tape_steps(const pylstm_net *net, const pylstm_shape *bound, ptrdiff_t part,
                               const pylstm_layer *wanted, pylstm_memory tape)
{
    struct arena arena = arena_at(tape);
    struct steps steps = {0};
    carve_tape(net, bound, part, &arena);
    pylstm_layer at = {0};
    while (at.bias < wanted->bias && pylstm_net_next(net, &at)) {
        struct layer layer = layer_at(net, &at, NULL);
        steps = NAME(steps_carve)(&arena, &layer, bound, 1);
    }
    return steps;
}

void NAME(tape_carve)(const pylstm_net *net, const pylstm_shape *shape, struct arena *arena)
{
    ptrdiff_t n_parts = pylstm_n_parts(net, shape);
    pylstm_shape bound = pylstm_part_bound(shape, n_parts);
    carve_tape(net, &bound, n_parts, arena);
}

int NAME(tape_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    NAME(tape_carve)(net, shape, &counting);
    return arena_total(&counting, bytes);
}

int NAME(tape_read)(const pylstm_net *net, const pylstm_batch *batch, ptrdiff_t layer, ptrdiff_t direction,
                    pylstm_memory tape, void *values)
{
    pylstm_layer place = pylstm_net_layer(net, layer, direction);
    struct layer at = layer_at(net, &place, NULL);
    ptrdiff_t n_parts = pylstm_n_parts(net, &batch->shape), stride = batch->shape.n_rows * at.hidden_size;
    pylstm_shape bound = pylstm_part_bound(&batch->shape, n_parts);
    for (ptrdiff_t part = 0; part < n_parts; part++) {
        struct steps steps = tape_steps(net, &bound, part, &place, tape);
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

bool NAME(reads_packed)(const pylstm_shape *shape)
{
    return !is_unpacked(shape);
}

int NAME(packed_size)(const pylstm_net *net, size_t *bytes)
{
    struct arena counting = {0};
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        struct layer layer = layer_at(net, &at, NULL);
        NAME(packed_carve)(&counting, &layer);
    }
    return arena_total(&counting, bytes);
}

void NAME(pack_stack)(const pylstm_net *net, const real *parameters, pylstm_memory packed, struct member member)
{
    struct arena arena = arena_at(packed);
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        struct layer layer = layer_at(net, &at, parameters);
        layer.member = member;
        NAME(pack_layer)(&layer, NAME(packed_carve)(&arena, &layer));
    }
}

void NAME(pack)(const pylstm_net *net, const void *parameters, pylstm_memory packed)
{
    NAME(pack_stack)(net, parameters, packed, ALONE);
}

/* ----------------------------------------------------------------- forward */

static void carve_forward_layer(struct arena *arena, const struct layer *layer, const pylstm_shape *bound)
{
    NAME(steps_carve)(arena, layer, bound, 0);
    NAME(layer_forward_carve)(arena, layer, bound);
}

void NAME(forward_carve)(struct forward_pass *forward, const pylstm_shape *shape, struct arena *arena)
{
    const pylstm_net *net = forward->pass.net;
    for (ptrdiff_t k = 0; k < 2; k++)
        forward->between[k] =
            arena_take(arena, k < net->n_layers - 1 ? shape->n_rows : 0, widest_output(net), sizeof(real));
    carve_parts(&forward->pass, shape, carve_forward_layer, arena);
}

int NAME(forward_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    struct forward_pass forward = {.pass.net = net};
    NAME(forward_carve)(&forward, shape, &counting);
    return arena_total(&counting, bytes);
}

void NAME(forward_part)(struct forward_pass *forward, ptrdiff_t part, struct member member)
{
    struct pass *pass = &forward->pass;
    const pylstm_net *net = pass->net;
    const pylstm_batch *batch = NAME(batch_of_part)(pass, part);
    ptrdiff_t n_sequences = pass->batch->shape.n_sequences; /* states are laid out for all */

    struct inputs inputs = forward->inputs;
    const real *held = forward->held;
    pylstm_layer at = {0};
    struct arena tape = {0}, packed_weights = {0};
    if (forward->packed.data)
        packed_weights = arena_at(forward->packed);
    if (pass->tape.data) {
        tape = arena_at(pass->tape);
        carve_tape(net, &pass->bound, part, &tape);
    }
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        real *output = l == net->n_layers - 1 ? forward->y : forward->between[l % 2];
        for (ptrdiff_t d = 0; d < net->n_directions && pylstm_net_next(net, &at); d++) {
            struct layer layer = layer_at(net, &at, pass->parameters);
            layer.member = member;
            struct arena arena = pass->parts[part].per_layer;
            struct steps steps = pass->tape.data ? NAME(steps_carve)(&tape, &layer, &pass->bound, 1)
                                                 : NAME(steps_carve)(&arena, &layer, &pass->bound, 0);
            if (held) {
                steps.held = held;
                steps.held_stride = pass->batch->shape.n_rows * layer.hidden_size;
                held += pylstm_cell_of(net->cell)->n_kept * steps.held_stride;
            }
            bool is_packed = forward->packed.data != NULL;
            struct packed packed = is_packed ? NAME(packed_carve)(&packed_weights, &layer)
                                             : NAME(layer_forward_carve)(&arena, &layer, &pass->bound);
            struct layer_forward through = {
                .inputs = inputs,
                .y = {output + d * at.hidden_size, net->n_directions * at.hidden_size},
                .steps = steps,
                .packed = packed,
                .is_packed = is_packed,
            };
            if (forward->state_in) {
                through.h0 = forward->state_in + at.h * n_sequences;
                through.c0 = forward->state_in + at.c * n_sequences;
            }
            if (forward->state_out) {
                through.hn = forward->state_out + at.h * n_sequences;
                through.cn = forward->state_out + at.c * n_sequences;
            }
            NAME(layer_forward)(&layer, batch, &through);
        }
        if (pass->tape.data && member.index == 0)
            drop_rows(pass, batch, l, output);
        pylstm_wait_for_team(member);
        inputs = (struct inputs){.rows = output};
    }
}

static void forward_alone(void *context, ptrdiff_t part)
{
    NAME(forward_part)(context, part, ALONE);
}

static void forward_together(void *context, struct member member)
{
    NAME(forward_part)(context, 0, member);
}

/* Every part on a thread of its own, or several threads on the only one. */
static int run_forward(struct forward_pass *forward, pylstm_memory workspace)
{
    struct arena arena = arena_at(workspace);
    NAME(forward_carve)(forward, &forward->pass.batch->shape, &arena);
    if (forward->pass.n_members > 1)
        pylstm_run_team(forward->pass.n_members, forward_together, forward);
    else
        pylstm_run_parts(forward->pass.n_parts, forward_alone, forward);
    return PYLSTM_OK;
}

static struct forward_pass forward_of(const pylstm_net *net, const pylstm_forward_pass *given)
{
    return (struct forward_pass){
        .pass = {.net = net,
                 .batch = given->batch,
                 .parameters = given->parameters,
                 .dropout_seed = given->dropout_seed,
                 .tape = given->tape},
        .packed = given->packed,
        .inputs = inputs_of(net, given->parameters, given->x, given->token_size),
        .state_in = given->state_in,
        .y = given->y,
        .state_out = given->state_out,
    };
}

int NAME(forward)(const pylstm_net *net, const pylstm_forward_pass *pass)
{
    struct forward_pass forward = forward_of(net, pass);
    return run_forward(&forward, pass->workspace);
}

int NAME(trace)(const pylstm_net *net, const pylstm_forward_pass *pass)
{
    pylstm_net undropped = *net;
    undropped.dropout = 0;
    struct forward_pass forward = forward_of(&undropped, pass);
    forward.held = pass->held;
    return run_forward(&forward, pass->workspace);
}

/* ---------------------------------------------------------------- backward */

static void carve_backward_layer(struct arena *arena, const struct layer *layer, const pylstm_shape *bound)
{
    NAME(layer_backward_carve)(arena, layer, bound);
}

/* For each part, layer and direction. */
static ptrdiff_t n_directions_of_layers(const pylstm_net *net)
{
    return net->n_layers * net->n_directions;
}

static ptrdiff_t place_of(const pylstm_net *net, const pylstm_layer *at)
{
    return at->layer * net->n_directions + at->direction;
}

void NAME(sums_carve)(struct stack_sums *sums, const pylstm_shape *bound, real *gradients, struct arena *arena)
{
    const pylstm_net *net = sums->net;
    ptrdiff_t n = n_directions_of_layers(net);
    sums->n_parts = pylstm_n_parts(net, bound);
    pylstm_shape of_part = pylstm_part_bound(bound, sums->n_parts);
    sums->layers = arena_take(arena, sums->n_parts, n, sizeof(struct layer_sums));
    sums->panels = arena_take(arena, n, 1, sizeof(struct back_panels));
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        ptrdiff_t k = place_of(net, &at);
        struct layer layer = layer_at(net, &at, NULL);
        struct back_panels panels = NAME(back_panels_carve)(arena, &layer, &of_part, at.layer > 0 || sums->wants_dx);
        if (sums->panels)
            sums->panels[k] = panels;
        for (ptrdiff_t p = 0; p < sums->n_parts; p++) {
            real *own = p == 0 && gradients ? gradients + at.weight_ih : NULL;
            struct layer_sums carved = NAME(layer_sums_carve)(arena, &layer, &of_part, own);
            if (sums->layers)
                sums->layers[p * n + k] = carved;
        }
    }
}

void NAME(sums_clear)(struct stack_sums *sums)
{
    for (ptrdiff_t k = 0; k < sums->n_parts * n_directions_of_layers(sums->net); k++)
        sums->layers[k].is_empty = true;
}

void NAME(sums_pack)(struct stack_sums *sums, const real *parameters, struct member member)
{
    const pylstm_net *net = sums->net;
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        struct layer layer = layer_at(net, &at, parameters);
        layer.member = member;
        NAME(pack_back_panels)(&layer, sums->panels[place_of(net, &at)]);
    }
}

void NAME(sums_finish)(struct stack_sums *sums, real *gradients, struct member member)
{
    const pylstm_net *net = sums->net;
    pylstm_layer at = {0};
    while (pylstm_net_next(net, &at)) {
        struct layer layer = layer_at(net, &at, NULL);
        layer.member = member;
        NAME(layer_sums_finish)(&layer, sums->layers + place_of(net, &at), sums->n_parts, n_directions_of_layers(net),
                                gradients + at.weight_ih);
    }
}

void NAME(backward_carve)(struct backward_pass *backward, const pylstm_shape *shape, struct arena *arena)
{
    const pylstm_net *net = backward->pass.net;
    ptrdiff_t n_turns = net->n_layers - 1 + (net->dropout > 0); /* the last layer's too, where dropout changes it */
    for (ptrdiff_t k = 0; k < 2; k++)
        backward->between[(k + 1) % 2] =
            arena_take(arena, k < n_turns ? shape->n_rows : 0, widest_output(net), sizeof(real));
    carve_parts(&backward->pass, shape, carve_backward_layer, arena);
}

void NAME(backward_part)(struct backward_pass *backward, ptrdiff_t part, struct member member)
{
    struct pass *pass = &backward->pass;
    const pylstm_net *net = pass->net;
    const pylstm_batch *batch = NAME(batch_of_part)(pass, part);
    ptrdiff_t n_sequences = pass->batch->shape.n_sequences, width = pylstm_net_output_size(net);
    struct layer_sums *sums = backward->sums->layers + part * n_directions_of_layers(net);
    for (ptrdiff_t b = 0; net->dropout > 0 && b < batch->shape.n_sequences && member.index == 0; b++)
        memcpy(backward->between[net->n_layers % 2] + batch->first[b] * width, backward->dy + batch->first[b] * width,
               (size_t)(batch->length[b] * width) * sizeof(real));

    for (ptrdiff_t l = net->n_layers - 1; l >= 0; l--) {
        const real *dy = backward->between[(l + 1) % 2];
        if (net->dropout == 0 && l == net->n_layers - 1)
            dy = backward->dy;
        else if (member.index == 0)
            drop_rows(pass, batch, l, backward->between[(l + 1) % 2]);
        for (ptrdiff_t d = 0; d < net->n_directions; d++) {
            pylstm_layer at = pylstm_net_layer(net, l, d);
            struct layer layer = layer_at(net, &at, pass->parameters);
            layer.member = member;
            struct arena arena = pass->parts[part].per_layer;
            struct layer_backward through = {
                .dy = {dy + d * at.hidden_size, net->n_directions * at.hidden_size},
                .dx = l > 0 ? backward->between[l % 2] : backward->dx,
                .adds_dx = d > 0,
                .steps = tape_steps(net, &pass->bound, part, &at, pass->tape),
                .panels = backward->sums->panels[place_of(net, &at)],
                .sums = sums + place_of(net, &at),
                .scratch = NAME(layer_backward_carve)(&arena, &layer, &pass->bound),
            };
            if (backward->dstate_out) {
                through.dhn = backward->dstate_out + at.h * n_sequences;
                through.dcn = backward->dstate_out + at.c * n_sequences;
            }
            if (backward->dstate_in) {
                through.dh0 = backward->dstate_in + at.h * n_sequences;
                through.dc0 = backward->dstate_in + at.c * n_sequences;
            }
            NAME(layer_backward)(&layer, batch, &through);
        }
    }
}

struct backward_call {
    struct backward_pass backward;
    struct stack_sums sums;
    real *gradients;
    struct table_rows table;
};

static void backward_by(void *context, struct member member)
{
    struct backward_call *call = context;
    struct pass *pass = &call->backward.pass;
    NAME(sums_pack)(&call->sums, pass->parameters, member);
    pylstm_wait_for_team(member);
    if (pass->n_members > 1)
        NAME(backward_part)(&call->backward, 0, member);
    else
        for (ptrdiff_t part = member.index; part < pass->n_parts; part += member.n_members)
            NAME(backward_part)(&call->backward, part, ALONE);
    pylstm_wait_for_team(member);
    NAME(sums_finish)(&call->sums, call->gradients, member);
    if (learns_table(pass->net))
        NAME(add_to_table)(pass->net, &call->table, call->gradients, member);
}

static void carve_backward(struct backward_call *call, const pylstm_shape *shape, struct arena *arena)
{
    call->sums.net = call->backward.pass.net;
    NAME(sums_carve)(&call->sums, shape, call->gradients, arena);
    NAME(backward_carve)(&call->backward, shape, arena);
    call->table = NAME(table_rows_carve)(call->sums.net, shape, arena);
}

int NAME(backward_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    struct backward_call call = {.backward.pass.net = net, .sums.wants_dx = true};
    carve_backward(&call, shape, &counting);
    return arena_total(&counting, bytes);
}

int NAME(backward)(const pylstm_net *net, const pylstm_backward_pass *given)
{
    struct backward_call call = {
        .backward =
            {
                .pass = {.net = net,
                         .batch = given->batch,
                         .parameters = given->parameters,
                         .dropout_seed = given->dropout_seed,
                         .tape = given->tape},
                .dy = given->dy,
                .dstate_out = given->dstate_out,
                .dx = given->dx,
                .dstate_in = given->dstate_in,
                .sums = &call.sums,
            },
        .sums.wants_dx = given->dx != NULL || learns_table(net),
        .gradients = given->dparameters,
    };
    struct arena arena = arena_at(given->workspace);
    carve_backward(&call, &given->batch->shape, &arena);
    struct inputs inputs = inputs_of(net, given->parameters, given->x, given->token_size);
    for (ptrdiff_t row = 0; row < call.table.n_rows; row++)
        call.table.places[row] = token_at(&inputs, row);
    if (learns_table(net))
        call.backward.dx = call.table.dx;
    memset(call.gradients, 0, (size_t)pylstm_net_table_size(net) * sizeof(real));
    const struct pass *pass = &call.backward.pass;
    pylstm_run_team(pass->n_members > pass->n_parts ? pass->n_members : pass->n_parts, backward_by, &call);
    return PYLSTM_OK;
}
