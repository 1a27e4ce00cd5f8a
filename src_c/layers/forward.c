/* One direction of one layer over all steps of a batch, forward. */
#include "layers/walk.h"

#include <math.h>

/* Inputs are projected a chunk ahead where that reads the input weights less often than every step would, and these are
 * worth it: with few rows per step, or weights that fall out of the cache before the next step. */
enum { FEW_ROWS = 12 };

/* The steps from `from` on whose rows fit a chunk. */
static ptrdiff_t chunk_end_of(const pylstm_batch *batch, ptrdiff_t from)
{
    ptrdiff_t to = from + 1, room = chunk_rows(&batch->shape);
    while (to < batch->shape.n_steps && batch->offset[to + 1] - batch->offset[from] <= room)
        to++;
    return to;
}

struct packed NAME(layer_forward_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *shape)
{
    return is_unpacked(shape) ? (struct packed){NULL, NULL} : NAME(packed_carve)(arena, layer);
}

/* What the gates of one row, the caller's, are held at, to where the step looks for it: a row of the tape. */
static void hold_gates(const struct layer *layer, struct steps steps, ptrdiff_t callers, struct block_rows row)
{
    ptrdiff_t hidden = layer->hidden_size;
    for (ptrdiff_t b = 0; b < n_blocks_of(layer); b++)
        for (ptrdiff_t k = 0; k < row.stride; k++)
            row.data[b * row.block_stride + k] = (real)NAN;
    for (ptrdiff_t gate = 0; gate < cell_of(layer)->n_kept; gate++)
        NAME(pack_gate)(layer->kernels->lanes, hidden, gate, row.block_stride,
                        steps.held + gate * steps.held_stride + callers * hidden, row.data);
}

/* What the step's rows read, side by side from `row` on. */
static void gather_inputs(const struct layer *layer, const pylstm_batch *batch, ptrdiff_t step,
                          const struct layer_forward *pass, ptrdiff_t row)
{
    struct steps steps = pass->steps;
    struct places places = callers(layer, batch, 0, step);
    ptrdiff_t n = alive(batch, step), n_x = n_values(layer);
    for (ptrdiff_t b = 0; steps.tokens && b < n; b++)
        steps.tokens[row + b] = token_at(&pass->inputs, row_at(places, b));
    if (steps.tokens)
        places = (struct places){steps.tokens + row, NULL, 0};
    if (n_x > 0)
        layer->kernels->gather(n, n_x, false, (struct const_rows){pass->inputs.rows, n_x}, places,
                               (struct rows){steps.x + row * n_x, n_x});
}

void NAME(layer_forward)(const struct layer *layer, const pylstm_batch *batch, const struct layer_forward *pass)
{
    const struct kernels *kernels = layer->kernels;
    struct steps steps = pass->steps;
    ptrdiff_t n_x = n_values(layer), hidden = layer->hidden_size, width = padded_hidden(layer);
    struct range blocks = own(layer, n_blocks_of(layer));
    ptrdiff_t first_unit = blocks.from * kernels->lanes, n_units = n_units_of(layer, blocks);
    bool unpacked = !pass->is_packed && is_unpacked(&batch->shape);
    if (!unpacked && !pass->is_packed)
        NAME(pack_layer)(layer, pass->packed);
    if (first_of_team(layer)) {
        gather_state(layer, batch, pass->h0, h_after(steps, layer, batch, -1));
        if (steps.c)
            gather_state(layer, batch, pass->c0, c_after(steps, layer, batch, -1, 0));
    }

    struct step_weights weights = {0};
    struct step step = {.holds = steps.held != NULL};
    if (!unpacked) {
        weights = NAME(packed_weights)(layer, pass->packed);
        step.weights = &weights;
    }
    struct rows y_own = {pass->y.data + first_unit, pass->y.stride};
    for (ptrdiff_t from = 0, to; from < batch->shape.n_steps; from = to) {
        to = chunk_end_of(batch, from);
        ptrdiff_t kept = steps.keep ? batch->offset[from] : 0; /* first of the chunk's rows in x and gates */
        for (ptrdiff_t s = from; s < to && first_of_team(layer); s++) {
            gather_inputs(layer, batch, s, pass, kept + batch->offset[s] - batch->offset[from]);
            for (ptrdiff_t b = 0; steps.held && b < alive(batch, s); b++)
                hold_gates(layer, steps, row_at(callers(layer, batch, 0, s), b),
                           gates_from(steps, layer, batch->offset[s] + b, 0));
        }
        wait_for_team(layer);

        bool few_rows = alive(batch, from) <= FEW_ROWS;
        bool ahead = !unpacked && !steps.held && n_x > 0 && to - from > 1 && (few_rows || is_large(layer));
        if (ahead) {
            step.rows = (struct step_rows){
                .n = batch->offset[to] - batch->offset[from],
                .x = {steps.x + kept * n_x, n_x},
                .gates = gates_from(steps, layer, kept, blocks.from),
            };
            kernels->project(&weights, &step.rows);
        }

        for (ptrdiff_t s = from; s < to; s++) {
            ptrdiff_t n = alive(batch, s), n_next = alive(batch, s + 1);
            ptrdiff_t row = kept + batch->offset[s] - batch->offset[from];
            struct block_rows gates = gates_from(steps, layer, row, blocks.from);
            real *h = h_after(steps, layer, batch, s) + first_unit, *c = c_after(steps, layer, batch, s, first_unit);
            step.rows = (struct step_rows){
                .n = n,
                .x = {steps.x + row * n_x, n_x},
                .tokens = is_one_hot(layer) ? steps.tokens + row : NULL,
                .h_prev = s == 0 && !pass->h0 ? NULL : h_after(steps, layer, batch, s - 1),
                .own_prev = own_after(steps, layer, batch, s - 1, first_unit),
                .c = c,
                .h = h,
                .gates = {steps.keep ? gates.data : NULL, gates.stride, gates.block_stride},
            };
            step.projected = (struct const_block_rows){ahead ? gates.data : NULL, gates.stride, gates.block_stride};
            step.last_first = (s & 1) != layer->last_first;
            NAME(layer_step)(layer, &step);

            struct const_rows h_rows = {h, width}, ended = {h + n_next * width, width};
            kernels->scatter(n, n_units, false, h_rows, y_own, callers(layer, batch, 0, s));
            if (pass->hn) /* where it was the sequence's last step */
                kernels->scatter(n - n_next, n_units, false, ended, (struct rows){pass->hn + first_unit, hidden},
                                 callers_states(batch, n_next));
            if (pass->hn && c)
                kernels->scatter(n - n_next, n_units, false, (struct const_rows){c + n_next * width, width},
                                 (struct rows){pass->cn + first_unit, hidden}, callers_states(batch, n_next));
            wait_for_team(layer);
        }
    }
}
