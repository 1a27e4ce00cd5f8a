/* The stack: layers over directions over the time loop of layer.c, dropout between. */
#include "dropout.h"
#include "isa.h"
#include "layer.h"
#include "typed.h"

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
        .input_size = at.input_size,
        .hidden_size = at.hidden_size,
        .reverse = direction == 1,
    };
    if (parameters) { /* else only sizes are wanted */
        layer.weight_ih = parameters + at.weight_ih;
        layer.weight_hh = parameters + at.weight_hh;
        layer.bias = parameters + at.bias;
    }
    return layer;
}

/* -------------------------------------------------------------------- tape */

/* The steps of one layer and direction within a tape; carving all of them counts the tape. */
static struct steps carve_tape(const pylstm_net *net, const pylstm_shape *shape, ptrdiff_t layer, ptrdiff_t direction,
                               struct arena *arena)
{
    struct steps carved = {0};
    for (ptrdiff_t l = 0; l <= layer; l++) {
        for (ptrdiff_t d = 0; d < (l == layer ? direction + 1 : net->n_directions); d++) {
            struct layer at = layer_at(net, l, d, NULL);
            carved = NAME(steps_carve)(arena, &at, shape, 1);
        }
    }
    return carved;
}

static struct steps tape_steps(const pylstm_net *net, const pylstm_shape *shape, ptrdiff_t layer, ptrdiff_t direction,
                               pylstm_memory tape)
{
    struct arena arena = arena_at(tape);
    return carve_tape(net, shape, layer, direction, &arena);
}

int NAME(tape_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    carve_tape(net, shape, net->n_layers - 1, net->n_directions - 1, &counting);
    return arena_total(&counting, bytes);
}

int NAME(tape_read)(const pylstm_net *net, const pylstm_shape *shape, ptrdiff_t layer, ptrdiff_t direction,
                    pylstm_memory tape, void *values)
{
    size_t needed;
    int status = NAME(tape_size)(net, shape, &needed);
    if (!status && tape.bytes < needed)
        status = PYLSTM_ERROR_WORKSPACE;
    if (status)
        return status;
    struct layer at = layer_at(net, layer, direction, NULL);
    NAME(steps_read)(&at, shape, tape_steps(net, shape, layer, direction, tape), values);
    return PYLSTM_OK;
}

/* ----------------------------------------------------------------- forward */

/* Arrays of a call follow each other; those of the layers share one place, as large as the largest needs. */
struct forward_memory {
    real *between[2]; /* [N][widest output]: what a layer writes and the next one reads, in turns */
    struct arena per_layer;
};

static struct forward_memory carve_forward(const pylstm_net *net, const pylstm_shape *shape, struct arena *arena)
{
    struct forward_memory carved = {0};
    for (ptrdiff_t k = 0; k < 2; k++)
        carved.between[k] =
            arena_take(arena, k < net->n_layers - 1 ? shape->n_rows : 0, widest_output(net), sizeof(real));
    carved.per_layer = *arena;
    return carved;
}

int NAME(forward_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0}, largest = {0};
    struct forward_memory memory = carve_forward(net, shape, &counting);
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        struct layer layer = layer_at(net, l, 0, NULL);
        struct arena arena = memory.per_layer;
        NAME(steps_carve)(&arena, &layer, shape, 0);
        NAME(layer_forward_carve)(&arena, &layer);
        largest.used = arena.used > largest.used ? arena.used : largest.used;
        largest.overflow |= arena.overflow;
    }
    return arena_total(&largest, bytes);
}

int NAME(forward)(const pylstm_net *net, const pylstm_batch *batch, const void *parameters, const void *x,
                  const void *state_in, void *y, void *state_out, uint64_t dropout_seed, pylstm_memory tape,
                  pylstm_memory workspace)
{
    const pylstm_shape *shape = &batch->shape;
    ptrdiff_t n_sequences = shape->n_sequences;
    struct arena arena = arena_at(workspace);
    struct forward_memory memory = carve_forward(net, shape, &arena);

    const real *input = x;
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        real *output = l == net->n_layers - 1 ? y : memory.between[l % 2];
        ptrdiff_t output_size = net->n_directions * net->hidden_sizes[l];
        for (ptrdiff_t d = 0; d < net->n_directions; d++) {
            pylstm_layer at = pylstm_net_layer(net, l, d);
            struct layer layer = layer_at(net, l, d, parameters);
            arena = memory.per_layer;
            struct steps steps =
                tape.data ? tape_steps(net, shape, l, d, tape) : NAME(steps_carve)(&arena, &layer, shape, 0);
            struct layer_forward_scratch scratch = NAME(layer_forward_carve)(&arena, &layer);
            const real *h0 = state_in ? (const real *)state_in + at.h * n_sequences : NULL;
            const real *c0 = state_in ? (const real *)state_in + at.c * n_sequences : NULL;
            real *hn = state_out ? (real *)state_out + at.h * n_sequences : NULL;
            real *cn = state_out ? (real *)state_out + at.c * n_sequences : NULL;
            struct rows columns = {output + d * at.hidden_size, output_size};
            NAME(layer_forward)(&layer, batch, input, h0, c0, columns, hn, cn, steps, scratch);
        }
        if (tape.data)
            NAME(dropout)(dropout_seed, (uint64_t)l, net->dropout, shape->n_rows * output_size, output);
        input = output;
    }
    return PYLSTM_OK;
}

/* ---------------------------------------------------------------- backward */

struct backward_memory {
    real *dy; /* [N][widest output] gradient of a layer's output, ... */
    real *dx; /* ... and of its input, which is the next dy */
    struct arena per_layer;
};

static struct backward_memory carve_backward(const pylstm_net *net, const pylstm_shape *shape, struct arena *arena)
{
    struct backward_memory carved = {
        .dy = arena_take(arena, shape->n_rows, widest_output(net), sizeof(real)),
        .dx = arena_take(arena, net->n_layers > 1 ? shape->n_rows : 0, widest_output(net), sizeof(real)),
    };
    carved.per_layer = *arena;
    return carved;
}

int NAME(backward_size)(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0}, largest = {0};
    struct backward_memory memory = carve_backward(net, shape, &counting);
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        struct layer layer = layer_at(net, l, 0, NULL);
        struct arena arena = memory.per_layer;
        NAME(layer_backward_carve)(&arena, &layer, shape);
        largest.used = arena.used > largest.used ? arena.used : largest.used;
        largest.overflow |= arena.overflow;
    }
    return arena_total(&largest, bytes);
}

int NAME(backward)(const pylstm_net *net, const pylstm_batch *batch, const void *parameters, const void *dy,
                   const void *dstate_out, void *dparameters, void *dx, void *dstate_in, uint64_t dropout_seed,
                   pylstm_memory tape, pylstm_memory workspace)
{
    const pylstm_shape *shape = &batch->shape;
    ptrdiff_t n_sequences = shape->n_sequences;
    struct arena arena = arena_at(workspace);
    struct backward_memory memory = carve_backward(net, shape, &arena);
    memcpy(memory.dy, dy, (size_t)(shape->n_rows * pylstm_net_output_size(net)) * sizeof(real));

    for (ptrdiff_t l = net->n_layers - 1; l >= 0; l--) {
        ptrdiff_t output_size = net->n_directions * net->hidden_sizes[l];
        NAME(dropout)(dropout_seed, (uint64_t)l, net->dropout, shape->n_rows * output_size, memory.dy);
        real *input_gradient = l > 0 ? memory.dx : dx;
        if (input_gradient) /* both directions add to it */
            memset(input_gradient, 0, (size_t)(shape->n_rows * pylstm_net_layer(net, l, 0).input_size) * sizeof(real));
        for (ptrdiff_t d = 0; d < net->n_directions; d++) {
            pylstm_layer at = pylstm_net_layer(net, l, d);
            struct layer layer = layer_at(net, l, d, parameters);
            arena = memory.per_layer;
            struct layer_backward_scratch scratch = NAME(layer_backward_carve)(&arena, &layer, shape);
            const real *dhn = dstate_out ? (const real *)dstate_out + at.h * n_sequences : NULL;
            const real *dcn = dstate_out ? (const real *)dstate_out + at.c * n_sequences : NULL;
            real *dh0 = dstate_in ? (real *)dstate_in + at.h * n_sequences : NULL;
            real *dc0 = dstate_in ? (real *)dstate_in + at.c * n_sequences : NULL;
            real *gradients = dparameters;
            struct const_rows columns = {memory.dy + d * at.hidden_size, output_size};
            NAME(layer_backward)(&layer, batch, columns, dhn, dcn, gradients + at.weight_ih, gradients + at.weight_hh,
                                 gradients + at.bias, input_gradient, dh0, dc0, tape_steps(net, shape, l, d, tape),
                                 scratch);
        }
        real *below = memory.dx;
        memory.dx = memory.dy;
        memory.dy = below;
    }
    return PYLSTM_OK;
}
