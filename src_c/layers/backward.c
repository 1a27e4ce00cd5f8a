/* One direction of one layer over all steps of a batch, back through time. */
#include "layers/walk.h"

/* Backward, a batch of up to so many rows reads the weights as they lie, if they are large. The gradient of large ones
 * is summed where it belongs, if the batch is but a chunk: then it is written once, as by unpacking it. */
enum { LARGE_UNPACKED_MOST_ROWS = 16 };

static bool is_backward_unpacked(const struct layer *layer, const pylstm_shape *shape)
{
    return shape->n_rows <= (is_large(layer) ? LARGE_UNPACKED_MOST_ROWS : UNPACKED_MOST_ROWS);
}

static bool is_gradient_unpacked(const struct layer *layer, const pylstm_shape *shape)
{
    return !is_one_hot(layer) && shape->n_rows <= (is_large(layer) ? CHUNK_ROWS : UNPACKED_MOST_ROWS);
}

/* Of the inputs or of h, whose products with dgates are the weights' gradients; padded. */
static ptrdiff_t most_columns(const struct layer *layer)
{
    ptrdiff_t most = n_values(layer) > layer->hidden_size ? n_values(layer) : layer->hidden_size;
    return blocks_of(most, layer->kernels->lanes) * layer->kernels->lanes;
}

/* Rows of a block of dgates: some more than a chunk has, which is often a power of two; the same rows of all blocks,
 * which the backward products read one after the other, would then fall into the same few sets of the cache. */
static ptrdiff_t dgates_rows(const pylstm_shape *shape)
{
    ptrdiff_t chunk = chunk_rows(shape);
    return chunk > PTRDIFF_MAX - 3 ? chunk : chunk + 3; /* so many have no memory either */
}

static bool is_zero(const real *values, ptrdiff_t n)
{
    ptrdiff_t k = 0;
    while (k < n && values[k] == 0)
        k++;
    return k == n;
}

static ptrdiff_t padded_inputs(const struct layer *layer)
{
    return blocks_of(n_values(layer), layer->kernels->lanes) * layer->kernels->lanes;
}

/* ------------------------------------------------- weights, and their gradient */

struct back_panels NAME(back_panels_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *bound,
                                           bool wants_dx)
{
    ptrdiff_t rows = cell_of(layer)->n_gates * padded_hidden(layer);
    if (is_backward_unpacked(layer, bound))
        return (struct back_panels){NULL, NULL};
    return (struct back_panels){
        .ih = wants_dx ? arena_take(arena, rows, padded_inputs(layer), sizeof(real)) : NULL,
        .hh = arena_take(arena, rows, padded_hidden(layer), sizeof(real)),
    };
}

void NAME(pack_back_panels)(const struct layer *layer, struct back_panels panels)
{
    ptrdiff_t n_x = layer->input_size, lanes = layer->kernels->lanes;
    if (panels.hh)
        NAME(pack_backward)(packing_h(layer), own(layer, n_blocks_of(layer)), layer->hidden_size, layer->weight_hh,
                            panels.hh);
    if (panels.ih)
        NAME(pack_backward)(packing_x(layer), own(layer, blocks_of(n_x, lanes)), n_x, layer->weight_ih, panels.ih);
}

struct layer_sums NAME(layer_sums_carve)(struct arena *arena, const struct layer *layer, const pylstm_shape *bound,
                                         real *gradients)
{
    const struct cell *cell = cell_of(layer);
    ptrdiff_t n_x = layer->input_size, hidden = layer->hidden_size, width = padded_hidden(layer);
    struct layer_sums sums = {.bias = arena_take(arena, cell->n_vectors, width, sizeof(real)), .is_empty = true};
    if (!is_gradient_unpacked(layer, bound)) {
        sums.panels = arena_take(arena, n_x + hidden, cell->n_gates * width, sizeof(real));
        return sums;
    }
    if (!gradients)
        gradients = arena_take(arena, cell->n_gates * hidden, n_x + hidden, sizeof(real));
    if (gradients) { /* else memory is only counted */
        sums.weight_ih = gradients;
        sums.weight_hh = gradients + cell->n_gates * hidden * n_x;
    }
    return sums;
}

/* to [n] += from */
static void add_values(ptrdiff_t n, const real *from, real *to)
{
    for (ptrdiff_t k = 0; k < n; k++)
        to[k] += from[k];
}

/* Zeros where the layer's own units have their sums; of those that lie as the weights do, only if `all`: else the first
 * that come take the place of what is there. */
static void clear_own(const struct layer *layer, const struct layer_sums *sums, struct range blocks, bool all)
{
    const struct cell *cell = cell_of(layer);
    ptrdiff_t n_x = layer->input_size, hidden = layer->hidden_size, lanes = layer->kernels->lanes;
    ptrdiff_t first = blocks.from * lanes, n = (blocks.to - blocks.from) * lanes;
    ptrdiff_t per_unit = (n_x + hidden) * cell->n_gates, n_units = n_units_of(layer, blocks);
    zero(sums->bias + cell->n_vectors * first, cell->n_vectors * n);
    if (sums->panels)
        zero(sums->panels + per_unit * first, per_unit * n);
    for (ptrdiff_t g = 0; !sums->panels && all && g < cell->n_gates; g++) {
        zero(sums->weight_ih + (g * hidden + first) * n_x, n_units * n_x);
        zero(sums->weight_hh + (g * hidden + first) * hidden, n_units * hidden);
    }
}

/* The layer's own rows [n_units] of each gate of a gradient [GH][n_k]: += those of another. */
static void add_rows(const struct layer *layer, struct range blocks, ptrdiff_t n_k, const real *from, real *to)
{
    ptrdiff_t first = blocks.from * layer->kernels->lanes;
    for (ptrdiff_t g = 0; g < cell_of(layer)->n_gates; g++) {
        ptrdiff_t at = (g * layer->hidden_size + first) * n_k;
        add_values(n_units_of(layer, blocks) * n_k, from + at, to + at);
    }
}

void NAME(layer_sums_finish)(const struct layer *layer, const struct layer_sums *sums, ptrdiff_t n, ptrdiff_t stride,
                             real *gradients)
{
    const struct cell *cell = cell_of(layer);
    ptrdiff_t n_x = layer->input_size, hidden = layer->hidden_size, n_k = n_x + hidden, lanes = layer->kernels->lanes;
    struct range blocks = own(layer, n_blocks_of(layer));
    ptrdiff_t n_own = (blocks.to - blocks.from) * lanes, first_unit = blocks.from * lanes;
    real *dweight_hh = gradients + cell->n_gates * hidden * n_x, *dbias = dweight_hh + cell->n_gates * hidden * hidden;
    ptrdiff_t own_panels = first_unit * n_k * cell->n_gates, own_bias = first_unit * cell->n_vectors;
    if (sums->is_empty)
        clear_own(layer, sums, blocks, true);
    for (ptrdiff_t p = 1; p < n; p++) {
        const struct layer_sums *more = sums + p * stride;
        if (more->is_empty)
            continue;
        add_values(n_own * cell->n_vectors, more->bias + own_bias, sums->bias + own_bias);
        if (more->panels) {
            add_values(n_own * n_k * cell->n_gates, more->panels + own_panels, sums->panels + own_panels);
        } else {
            add_rows(layer, blocks, n_x, more->weight_ih, sums->weight_ih);
            add_rows(layer, blocks, hidden, more->weight_hh, sums->weight_hh);
        }
    }
    if (sums->panels) {
        NAME(unpack_forward)(packing_x(layer), blocks, n_x, gradients, 0, n_k, sums->panels);
        NAME(unpack_forward)(packing_h(layer), blocks, hidden, dweight_hh, n_x, n_k, sums->panels);
    }
    NAME(unpack_forward)(packing_bias(layer), blocks, 1, dbias, 0, 1, sums->bias);
}

/* ------------------------------------------------------------------ the steps */

struct layer_backward_scratch NAME(layer_backward_carve)(struct arena *arena, const struct layer *layer,
                                                         const pylstm_shape *shape)
{
    ptrdiff_t chunk = chunk_rows(shape), width = padded_hidden(layer), n_members = layer->member.n_members;
    ptrdiff_t n_vectors = cell_of(layer)->n_vectors;
    return (struct layer_backward_scratch){
        .dgates = arena_take(arena, dgates_rows(shape), n_vectors * width, sizeof(real)),
        .segments = arena_take(arena, chunk > n_members ? chunk : n_members, 1, sizeof(struct segment)),
        .columns = arena_take(arena, chunk, n_members * most_columns(layer), sizeof(real)),
        .dx = arena_take(arena, chunk, padded_inputs(layer), sizeof(real)),
        .dh = arena_take(arena, shape->n_sequences, width, sizeof(real)),
        .dc = arena_take(arena, cell_of(layer)->n_states > 1 ? shape->n_sequences : 0, width, sizeof(real)),
    };
}

/* Whether the step starts from an initial state of zeros, which gives nothing to the gradient of R. */
static bool starts_at_zero(const struct layer *layer, const pylstm_batch *batch, struct steps steps, ptrdiff_t step)
{
    return step == 0 && is_zero(h_after(steps, layer, batch, -1), batch->shape.n_sequences * padded_hidden(layer));
}

/* The rows of h_{t-1} of the steps [from, to), in as few stretches as they lie in: one where as many sequences are
 * alive as in the step before. */
static ptrdiff_t h_segments(const struct layer *layer, const pylstm_batch *batch, struct steps steps, ptrdiff_t from,
                            ptrdiff_t to, struct segment *segments)
{
    ptrdiff_t n_segments = 0;
    for (ptrdiff_t s = from; s < to; s++) {
        ptrdiff_t n = alive(batch, s);
        if (n_segments > 0 && alive(batch, s - 1) == (s > 1 ? alive(batch, s - 2) : batch->shape.n_sequences)) {
            segments[n_segments - 1].n_rows += n;
        } else {
            segments[n_segments++] = (struct segment){
                .a = h_after(steps, layer, batch, s - 1),
                .n_rows = n,
            };
        }
    }
    return n_segments;
}

/* Of n_rows rows, all blocks. */
static struct dgates dgates_of(const struct layer *layer, const pylstm_batch *batch, const real *data, ptrdiff_t n_rows)
{
    ptrdiff_t n_vectors = cell_of(layer)->n_vectors;
    return (struct dgates){
        .data = data,
        .n_rows = n_rows,
        .n_blocks = n_blocks_of(layer),
        .block_rows = dgates_rows(&batch->shape),
        .n_vectors = n_vectors,
        .n_used = n_vectors,
    };
}

/* Those of the pre-activations that the inputs, or h_{t-1}, go into. */
static struct dgates x_part(const struct cell *cell, struct dgates dgates)
{
    dgates.first = 0;
    dgates.n_used = cell->n_gates;
    return dgates;
}

static struct dgates h_part(const struct cell *cell, struct dgates dgates)
{
    dgates.first = cell->n_vectors - cell->n_gates;
    dgates.n_used = cell->n_gates;
    return dgates;
}

static struct dgates of_blocks(struct dgates dgates, struct range blocks, ptrdiff_t lanes)
{
    dgates.data += blocks.from * dgates.block_rows * dgates.n_vectors * lanes;
    dgates.n_blocks = blocks.to - blocks.from;
    return dgates;
}

static struct dgates from_row(struct dgates dgates, ptrdiff_t row, ptrdiff_t lanes)
{
    dgates.data += row * dgates.n_vectors * lanes;
    dgates.n_rows -= row;
    return dgates;
}

/* Rows of dx, and of weights, that stay in the first-level cache together. */
#define UNPACKED_ROWS_BYTES ((ptrdiff_t)16 << 10)

/* out += dgates times columns of weights [GH][...] as they lie; gates: of the used vectors. */
static void unpacked_back_product(const struct layer *layer, struct dgates dgates, const ptrdiff_t *gates,
                                  struct const_rows weight, ptrdiff_t n_columns, struct rows out)
{
    ptrdiff_t lanes = layer->kernels->lanes, hidden = layer->hidden_size, row = dgates.n_vectors * lanes;
    for (ptrdiff_t u = 0; u < hidden; u += lanes) {
        const real *block = dgates.data + (u / lanes * dgates.block_rows * dgates.n_vectors + dgates.first) * lanes;
        for (ptrdiff_t v = 0; v < dgates.n_used; v++)
            layer->kernels->back_unpacked(dgates.n_rows, hidden - u < lanes ? hidden - u : lanes, n_columns,
                                          (struct const_rows){block + v * lanes, row},
                                          rows_from(weight, gates[v] * hidden + u, 0), out);
    }
}

/* The input's gradient, for the layer's share of the columns; panels: NULL where W is read as it lies. */
static void back_to_inputs(const struct layer *layer, struct dgates dgates, struct range vectors, ptrdiff_t n_columns,
                           const real *panels, struct rows dx)
{
    ptrdiff_t lanes = layer->kernels->lanes, n_x = layer->input_size, n = dgates.n_rows;
    ptrdiff_t column = vectors.from * lanes;
    if (panels) {
        layer->kernels->back_product(&dgates, panels + column * dgates.n_blocks * dgates.n_used * lanes,
                                     vectors.to - vectors.from, false, false, dx);
        return;
    }
    ptrdiff_t at_once = UNPACKED_ROWS_BYTES / ((ptrdiff_t)sizeof(real) * n_x);
    at_once = at_once < 2 ? 2 : at_once / 2 * 2;
    for (ptrdiff_t done = 0; done < n; done += at_once) {
        struct dgates here = from_row(dgates, done, lanes);
        here.n_rows = n - done < at_once ? n - done : at_once;
        for (ptrdiff_t r = 0; r < here.n_rows; r++)
            zero(dx.data + r * dx.stride, n_columns);
        unpacked_back_product(layer, here, cell_of(layer)->x_gate, (struct const_rows){layer->weight_ih + column, n_x},
                              n_columns, dx);
        dx.data += here.n_rows * dx.stride;
    }
}

/* What the steps [from, to), whose dgates are complete, give to the weights' gradients; and the input's of them. */
static void flush_chunk(const struct layer *layer, const pylstm_batch *batch, ptrdiff_t from, ptrdiff_t to,
                        const real *dgates, const struct layer_backward *pass)
{
    const struct kernels *kernels = layer->kernels;
    const struct cell *cell = cell_of(layer);
    const struct layer_sums *sums = pass->sums;
    struct steps steps = pass->steps;
    ptrdiff_t lanes = kernels->lanes, n_blocks = n_blocks_of(layer), width = padded_hidden(layer);
    ptrdiff_t n_x = layer->input_size, hidden = layer->hidden_size, n_k = n_x + hidden, n_gates = cell->n_gates;
    ptrdiff_t n = batch->offset[to] - batch->offset[from];
    struct range blocks = own(layer, n_blocks), vectors = own(layer, blocks_of(n_x, lanes));
    ptrdiff_t first_unit = blocks.from * lanes;
    struct segment *segments = pass->scratch.segments + layer->member.index; /* one sequence makes one stretch */
    struct segment x_rows = {.a = steps.x + batch->offset[from] * n_values(layer), .n_rows = n};
    ptrdiff_t first = from + starts_at_zero(layer, batch, steps, from);
    struct stretches of_x = {&x_rows, 1, n_x, n_x};
    struct stretches of_h = {segments, h_segments(layer, batch, steps, first, to, segments), width, hidden};
    struct dgates all = dgates_of(layer, batch, dgates, n), own_dgates = of_blocks(all, blocks, lanes);
    struct dgates own_x = x_part(cell, own_dgates);
    struct dgates own_h = from_row(h_part(cell, own_dgates), batch->offset[first] - batch->offset[from], lanes);
    real *columns = pass->scratch.columns + layer->member.index * chunk_rows(&batch->shape) * most_columns(layer);
    if (!sums->panels) {
        struct plain_gradient gradient = {
            .hidden = hidden,
            .n_units = n_units_of(layer, blocks),
            .adds = !sums->is_empty || to < batch->shape.n_steps,
        };
        gradient.gates = cell->x_gate;
        gradient.first = sums->weight_ih + first_unit * n_x;
        kernels->outer_unpacked(&of_x, &own_x, columns, &gradient);
        gradient.gates = h_gates(cell);
        gradient.first = sums->weight_hh + first_unit * hidden;
        kernels->outer_unpacked(&of_h, &own_h, columns, &gradient);
    } else {
        real *own_dpanels = sums->panels + first_unit * n_k * n_gates;
        if (is_one_hot(layer))
            kernels->outer_tokens(steps.tokens + batch->offset[from], &own_x, own_dpanels, n_k);
        else
            kernels->outer(&of_x, &own_x, columns, own_dpanels, n_k);
        kernels->outer(&of_h, &own_h, columns, own_dpanels + n_x * n_gates * lanes, n_k);
    }
    kernels->column_sums(&own_dgates, sums->bias + first_unit * cell->n_vectors);
    if (!pass->dx)
        return;
    ptrdiff_t column = vectors.from * lanes, stride = blocks_of(n_x, lanes) * lanes;
    ptrdiff_t n_columns = (vectors.to * lanes < n_x ? vectors.to * lanes : n_x) - column;
    struct rows dx_rows = {pass->scratch.dx + column, stride};
    back_to_inputs(layer, x_part(cell, all), vectors, n_columns, pass->panels.ih, dx_rows);
    struct const_rows dx_here = {dx_rows.data, stride};
    for (ptrdiff_t s = from; s < to; dx_here = rows_from(dx_here, alive(batch, s++), 0))
        kernels->scatter(alive(batch, s), n_columns, pass->adds_dx, dx_here, (struct rows){pass->dx + column, n_x},
                         callers(layer, batch, 0, s));
}

void NAME(layer_backward)(const struct layer *layer, const pylstm_batch *batch, const struct layer_backward *pass)
{
    const struct kernels *kernels = layer->kernels;
    const struct cell *cell = cell_of(layer);
    const struct layer_backward_scratch scratch = pass->scratch;
    struct layer_sums *sums = pass->sums;
    struct steps steps = pass->steps;
    ptrdiff_t lanes = kernels->lanes, n_blocks = n_blocks_of(layer), width = padded_hidden(layer);
    ptrdiff_t hidden = layer->hidden_size, chunk = chunk_rows(&batch->shape), block_rows = dgates_rows(&batch->shape);
    ptrdiff_t n_gates = cell->n_gates, n_vectors = cell->n_vectors;
    struct range blocks = own(layer, n_blocks);
    ptrdiff_t n_own = blocks.to - blocks.from, first_unit = blocks.from * lanes;
    ptrdiff_t n_units = n_units_of(layer, blocks);
    if (sums->is_empty)
        clear_own(layer, sums, blocks, false);
    /* A sequence's rows are first read at its own last step: until then they hold the final state's gradient. */
    if (first_of_team(layer)) {
        gather_state(layer, batch, pass->dhn, scratch.dh);
        if (steps.c)
            gather_state(layer, batch, pass->dcn, scratch.dc);
    }
    wait_for_team(layer);

    /* The chunk fills from its end, as time runs backwards: its rows then lie as the tape's do. */
    ptrdiff_t chunk_end = batch->shape.n_steps;
    for (ptrdiff_t s = batch->shape.n_steps - 1; s >= 0; s--) {
        ptrdiff_t n = alive(batch, s);
        kernels->gather(n, n_units, true, rows_from(pass->dy, 0, first_unit), callers(layer, batch, 0, s),
                        (struct rows){scratch.dh + first_unit, width});
        ptrdiff_t place = chunk - (batch->offset[chunk_end] - batch->offset[s]);
        real *dgates = scratch.dgates + place * n_vectors * lanes;
        struct block_rows gates = gates_from(steps, layer, batch->offset[s], blocks.from);
        const struct back_rows rows = {
            .n = n,
            .n_blocks = n_own,
            .gates = {gates.data, gates.stride, gates.block_stride},
            .own_prev = own_after(steps, layer, batch, s - 1, first_unit),
            .own = own_after(steps, layer, batch, s, first_unit),
            .dh = scratch.dh + first_unit,
            .dc = steps.c ? scratch.dc + first_unit : NULL,
            .dgates = {dgates + first_unit * n_vectors * block_rows, n_vectors * lanes, block_rows * n_vectors * lanes},
        };
        kernels->cell_backward(layer->cell, &rows);
        wait_for_team(layer);
        struct dgates h_dgates = h_part(cell, dgates_of(layer, batch, dgates, n));
        struct rows dh = {scratch.dh + first_unit, width};
        if ((s > 0 || pass->dh0) && !pass->panels.hh) {
            for (ptrdiff_t b = 0; b < n && !cell->passes_on; b++)
                zero(dh.data + b * width, n_units);
            unpacked_back_product(layer, h_dgates, h_gates(cell),
                                  (struct const_rows){layer->weight_hh + first_unit, hidden}, n_units, dh);
        } else if (s > 0 || pass->dh0) {
            kernels->back_product(&h_dgates, pass->panels.hh + first_unit * n_blocks * n_gates * lanes, n_own, s & 1,
                                  cell->passes_on, dh);
        }
        if (s == 0 || place < alive(batch, s - 1)) {
            flush_chunk(layer, batch, s, chunk_end, dgates, pass);
            chunk_end = s;
            wait_for_team(layer); /* until all have read the dgates */
        }
    }

    if (pass->dh0)
        kernels->scatter(batch->shape.n_sequences, n_units, false, (struct const_rows){scratch.dh + first_unit, width},
                         (struct rows){pass->dh0 + first_unit, hidden}, callers_states(batch, 0));
    if (pass->dh0 && steps.c)
        kernels->scatter(batch->shape.n_sequences, n_units, false, (struct const_rows){scratch.dc + first_unit, width},
                         (struct rows){pass->dc0 + first_unit, hidden}, callers_states(batch, 0));
    wait_for_team(layer); /* the next layer uses the same scratch */
    if (first_of_team(layer))
        sums->is_empty = false;
}
