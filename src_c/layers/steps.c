/* What the steps of a layer leave behind: its memory, and reading it. */
#include "layers/walk.h"

struct steps NAME(steps_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *shape, int keep)
{
    ptrdiff_t n_sequences = shape->n_sequences, n_rows = keep ? shape->n_rows : chunk_rows(shape);
    ptrdiff_t hidden = padded_hidden(layer);
    struct steps carved = {.keep = keep};
    if (n_rows > PTRDIFF_MAX - n_sequences) {
        arena->overflow = true;
        return carved;
    }
    carved.x = arena_take(arena, n_rows, n_values(layer), sizeof(real));
    if (layer->input != PYLSTM_VALUES)
        carved.tokens = arena_take(arena, n_rows, 1, sizeof(ptrdiff_t));
    carved.gates_rows = n_rows;
    carved.gates = arena_take(arena, n_rows, cell_of(layer)->n_vectors * hidden, sizeof(real));
    carved.h = arena_take(arena, n_sequences + (keep ? n_rows : n_sequences), hidden, sizeof(real));
    if (cell_of(layer)->n_states > 1)
        carved.c = arena_take(arena, n_sequences + (keep ? n_rows : 0), hidden, sizeof(real));
    return carved;
}

void NAME(steps_read)(const struct layer *layer, ptrdiff_t n_sequences, struct steps steps, ptrdiff_t row, real *values,
                      ptrdiff_t stride)
{
    ptrdiff_t hidden = layer->hidden_size, width = padded_hidden(layer);
    struct block_rows gates = gates_from(steps, layer, row, 0);
    for (ptrdiff_t gate = 0; gate < cell_of(layer)->n_kept; gate++, values += stride)
        NAME(unpack_gate)(layer->kernels->lanes, hidden, gate, gates.block_stride, gates.data, values);
    if (steps.c) {
        memcpy(values, steps.c + (n_sequences + row) * width, (size_t)hidden * sizeof(real));
        values += stride;
    }
    memcpy(values, steps.h + (n_sequences + row) * width, (size_t)hidden * sizeof(real));
}
