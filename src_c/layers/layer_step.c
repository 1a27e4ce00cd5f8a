/* One step of a layer, which inference, training and streams call; and the packed weights that it reads. */
#include "layers/walk.h"

struct packed NAME(packed_carve)(struct arena *arena, const struct layer *layer)
{
    const struct cell *cell = cell_of(layer);
    ptrdiff_t n_k = layer->input_size + layer->hidden_size, width = padded_hidden(layer);
    return (struct packed){
        .panels = arena_take(arena, n_k, cell->n_gates * width, sizeof(real)),
        .bias = arena_take(arena, cell->n_vectors, width, sizeof(real)),
    };
}

void NAME(pack_layer)(const struct layer *layer, struct packed packed)
{
    ptrdiff_t n_x = layer->input_size, hidden = layer->hidden_size, n_k = n_x + hidden;
    struct range blocks = own(layer, n_blocks_of(layer));
    NAME(pack_forward)(packing_x(layer), blocks, n_x, layer->weight_ih, 0, n_k, packed.panels);
    NAME(pack_forward)(packing_h(layer), blocks, hidden, layer->weight_hh, n_x, n_k, packed.panels);
    NAME(pack_forward)(packing_bias(layer), blocks, 1, layer->bias, 0, 1, packed.bias);
}

struct step_weights NAME(packed_weights)(const struct layer *layer, struct packed packed)
{
    const struct cell *cell = cell_of(layer);
    ptrdiff_t n_x = layer->input_size, hidden = layer->hidden_size;
    struct range blocks = own(layer, n_blocks_of(layer));
    ptrdiff_t first_unit = blocks.from * layer->kernels->lanes;
    return (struct step_weights){
        .cell = (int)layer->cell,
        .n_blocks = blocks.to - blocks.from,
        .n_x = n_x,
        .n_h = hidden,
        .panels = packed.panels + first_unit * cell->n_gates * (n_x + hidden),
        .bias = packed.bias + first_unit * cell->n_vectors,
    };
}

void NAME(layer_step)(const struct layer *layer, const struct step *step)
{
    if (step->weights) {
        layer->kernels->step(step);
        return;
    }
    const struct plain_weights weights = {
        .cell = (int)layer->cell,
        .n_x = layer->input_size,
        .hidden = layer->hidden_size,
        .weight_ih = layer->weight_ih,
        .weight_hh = layer->weight_hh,
        .bias = layer->bias,
    };
    layer->kernels->step_unpacked(&weights, &step->rows);
}
