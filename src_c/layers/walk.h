/* What both time loops ask of a layer and a batch: which rows are alive, where they lie, whose share they are.
 *
 * The caller's rows are batch-first; the steps' rows are time-major, alive sequences only. Those of the caller are
 * found by `callers`, from the sequence's end in the reverse direction: nothing else knows of directions, and nothing
 * at all of padding. */
#ifndef PYLSTM_WALK_H
#define PYLSTM_WALK_H

#include "kernels/panels.h"
#include "layers/layer.h"

#include <string.h>

/* Rows whose inputs are projected ahead, or whose weight gradients are taken, in one go: enough that weights read for
 * them are used often, few enough that what lies between is still in cache. */
enum { CHUNK_ROWS = 256 };

/* A batch of so few rows in all reads the weights as they lie: packing them would cost more than it saves. */
enum { UNPACKED_MOST_ROWS = 4 };

/* Weights of more bytes than this fall out of the cache from one step to the next. */
#define LARGE_PANEL_BYTES 1048576.0

static inline ptrdiff_t alive(const pylstm_batch *batch, ptrdiff_t step)
{
    return step < batch->shape.n_steps ? batch->offset[step + 1] - batch->offset[step] : 0;
}

/* The caller's rows of a step, of the b-th sequence and those after it. */
static inline struct places callers(const struct layer *layer, const pylstm_batch *batch, ptrdiff_t b, ptrdiff_t step)
{
    return (struct places){batch->first + b, layer->reverse ? batch->length + b : NULL, step};
}

/* Their rows of a state, which are as the caller's sequences. */
static inline struct places callers_states(const pylstm_batch *batch, ptrdiff_t b)
{
    return (struct places){batch->order + b, NULL, 0};
}

static inline void zero(real *to, ptrdiff_t n)
{
    memset(to, 0, (size_t)n * sizeof *to);
}

static inline ptrdiff_t n_blocks_of(const struct layer *layer)
{
    return blocks_of(layer->hidden_size, layer->kernels->lanes);
}

static inline ptrdiff_t padded_hidden(const struct layer *layer)
{
    return n_blocks_of(layer) * layer->kernels->lanes;
}

static inline const struct cell *cell_of(const struct layer *layer)
{
    return pylstm_cell_of(layer->cell);
}

static inline bool is_one_hot(const struct layer *layer)
{
    return layer->input == PYLSTM_ONE_HOT;
}

/* Values of a row that it reads. */
static inline ptrdiff_t n_values(const struct layer *layer)
{
    return is_one_hot(layer) ? 0 : layer->input_size;
}

static inline bool is_large(const struct layer *layer)
{
    double n_k = (double)layer->input_size + (double)layer->hidden_size;
    double n_weights = n_k * (double)cell_of(layer)->n_gates * (double)layer->hidden_size;
    return n_weights * (double)sizeof(real) > LARGE_PANEL_BYTES;
}

/* How W, R and the bias lie in panels. */
static inline struct packing packing_x(const struct layer *layer)
{
    const struct cell *cell = cell_of(layer);
    return (struct packing){layer->kernels->lanes, layer->hidden_size, cell->n_gates, cell->x_gate};
}

static inline struct packing packing_h(const struct layer *layer)
{
    const struct cell *cell = cell_of(layer);
    return (struct packing){layer->kernels->lanes, layer->hidden_size, cell->n_gates, h_gates(cell)};
}

static inline struct packing packing_bias(const struct layer *layer)
{
    const struct cell *cell = cell_of(layer);
    return (struct packing){layer->kernels->lanes, layer->hidden_size, cell->n_vectors, cell->bias};
}

/* The layer's share of n blocks of units or vectors of columns: whole panels of the backward product, which takes 4. */
static inline struct range own(const struct layer *layer, ptrdiff_t n)
{
    ptrdiff_t n_panels = (n + 3) / 4, of = layer->member.n_members, m = layer->member.index;
    ptrdiff_t from = n_panels * m / of * 4, to = n_panels * (m + 1) / of * 4;
    return (struct range){from, to < n ? to : n};
}

/* Of the layer's blocks of units, the units that exist. */
static inline ptrdiff_t n_units_of(const struct layer *layer, struct range blocks)
{
    ptrdiff_t from = blocks.from * layer->kernels->lanes, to = blocks.to * layer->kernels->lanes;
    return (to < layer->hidden_size ? to : layer->hidden_size) - from;
}

/* What members of a team do once for all: true for one of them. */
static inline bool first_of_team(const struct layer *layer)
{
    return layer->member.index == 0;
}

static inline void wait_for_team(const struct layer *layer)
{
    pylstm_wait_for_team(layer->member);
}

/* Of a batch, which may have fewer; at least one whole step. */
static inline ptrdiff_t chunk_rows(const pylstm_shape *shape)
{
    ptrdiff_t most = shape->n_rows < CHUNK_ROWS ? shape->n_rows : CHUNK_ROWS;
    return shape->n_sequences > most ? shape->n_sequences : most;
}

/* The state after a step, at [rows][H']; after step -1 it is the initial one. */
static inline real *h_after(struct steps steps, const struct layer *layer, const pylstm_batch *batch, ptrdiff_t step)
{
    ptrdiff_t n_sequences = batch->shape.n_sequences, row = (step & 1) * n_sequences; /* -1 & 1 is 1 */
    if (steps.keep)
        row = step < 0 ? 0 : n_sequences + batch->offset[step];
    return steps.h + row * padded_hidden(layer);
}

/* Its gates from a row on, and from a block on. */
static inline struct block_rows gates_from(struct steps steps, const struct layer *layer, ptrdiff_t row,
                                           ptrdiff_t block)
{
    ptrdiff_t stride = cell_of(layer)->n_vectors * layer->kernels->lanes, block_stride = steps.gates_rows * stride;
    return (struct block_rows){steps.gates + block * block_stride + row * stride, stride, block_stride};
}

/* Its units from first_unit on; NULL where the cell has none. */
static inline real *c_after(struct steps steps, const struct layer *layer, const pylstm_batch *batch, ptrdiff_t step,
                            ptrdiff_t first_unit)
{
    if (!steps.c)
        return NULL;
    ptrdiff_t row = steps.keep && step >= 0 ? batch->shape.n_sequences + batch->offset[step] : 0;
    return steps.c + row * padded_hidden(layer) + first_unit;
}

/* What units remember of themselves: c of an LSTM, else h. */
static inline real *own_after(struct steps steps, const struct layer *layer, const pylstm_batch *batch, ptrdiff_t step,
                              ptrdiff_t first_unit)
{
    return steps.c ? c_after(steps, layer, batch, step, first_unit) : h_after(steps, layer, batch, step) + first_unit;
}

/* state [B][H] in the caller's order into rows [B][H'] of the sorted order; NULL is zeros. */
static inline void gather_state(const struct layer *layer, const pylstm_batch *batch, const real *state, real *sorted)
{
    ptrdiff_t hidden = layer->hidden_size, width = padded_hidden(layer), n = batch->shape.n_sequences;
    if (!state || hidden < width)
        zero(sorted, n * width);
    if (state)
        layer->kernels->gather(n, hidden, false, (struct const_rows){state, hidden}, callers_states(batch, 0),
                               (struct rows){sorted, width});
}

static inline bool is_unpacked(const pylstm_shape *shape)
{
    return shape->n_rows <= UNPACKED_MOST_ROWS;
}

#endif
