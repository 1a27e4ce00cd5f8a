/* The time loop: one direction of one layer, forward and back through time.
 *
 * The caller's rows are batch-first; the steps' rows are time-major, alive sequences only. A row of the caller is
 * found as first + step, or from the sequence's end in the reverse direction: nothing else knows of directions, and
 * nothing at all of padding. */
#include "layer.h"

#include "cell.h"

#include <string.h>

/* Rows of dgates whose weight gradient is taken in one product: enough for BLAS to be at its best, few enough to be
 * still in cache. */
enum { CHUNK_ROWS = 256 };

static ptrdiff_t alive(const pylstm_batch *batch, ptrdiff_t step)
{
    return step < batch->shape.n_steps ? batch->offset[step + 1] - batch->offset[step] : 0;
}

static ptrdiff_t caller_row(const struct layer *layer, const pylstm_batch *batch, ptrdiff_t b, ptrdiff_t step)
{
    return batch->first[b] + (layer->reverse ? batch->length[b] - 1 - step : step);
}

static void copy(real *to, const real *from, ptrdiff_t n)
{
    memcpy(to, from, (size_t)n * sizeof *to);
}

static void zero(real *to, ptrdiff_t n)
{
    memset(to, 0, (size_t)n * sizeof *to);
}

struct steps NAME(steps_carve)(struct arena *arena, const pylstm_shape *shape, ptrdiff_t input_size,
                               ptrdiff_t hidden_size, int keep)
{
    ptrdiff_t n_sequences = shape->n_sequences, n_rows = shape->n_rows;
    struct steps carved = {.keep = keep};
    if (keep && n_rows > PTRDIFF_MAX - n_sequences) {
        arena->overflow = true;
        return carved;
    }
    carved.xh = arena_take(arena, keep ? n_rows : 2 * n_sequences, input_size + hidden_size, sizeof(real));
    carved.gates = arena_take(arena, keep ? n_rows : n_sequences, 4 * hidden_size, sizeof(real));
    carved.c = arena_take(arena, n_sequences + (keep ? n_rows : n_sequences), hidden_size, sizeof(real));
    return carved;
}

static real *xh_of(struct steps steps, const struct layer *layer, const pylstm_batch *batch, ptrdiff_t step)
{
    ptrdiff_t row = steps.keep ? batch->offset[step] : step % 2 * batch->shape.n_sequences;
    return steps.xh + row * (layer->input_size + layer->hidden_size);
}

static real *gates_of(struct steps steps, const struct layer *layer, const pylstm_batch *batch, ptrdiff_t step)
{
    return steps.gates + (steps.keep ? batch->offset[step] : 0) * 4 * layer->hidden_size;
}

/* The cell state after a step; after step -1 it is the initial one. */
static real *c_after(struct steps steps, const struct layer *layer, const pylstm_batch *batch, ptrdiff_t step)
{
    ptrdiff_t n_sequences = batch->shape.n_sequences, row = 0;
    if (step >= 0)
        row = steps.keep ? n_sequences + batch->offset[step] : (step + 1) % 2 * n_sequences;
    return steps.c + row * layer->hidden_size;
}

/* ----------------------------------------------------------------- forward */

struct layer_forward_scratch NAME(layer_forward_carve)(struct arena *arena, const pylstm_shape *shape,
                                                       ptrdiff_t input_size, ptrdiff_t hidden_size)
{
    return (struct layer_forward_scratch){
        .packed = arena_take(arena, 4 * hidden_size, input_size + hidden_size, sizeof(real)),
        .h = arena_take(arena, shape->n_sequences, hidden_size, sizeof(real)),
    };
}

/* state [B][H] in the caller's order into rows of the sorted order; NULL is zeros. */
static void gather_state(const pylstm_batch *batch, ptrdiff_t hidden, const real *state, real *sorted, ptrdiff_t stride)
{
    for (ptrdiff_t b = 0; b < batch->shape.n_sequences; b++) {
        if (state)
            copy(sorted + b * stride, state + batch->order[b] * hidden, hidden);
        else
            zero(sorted + b * stride, hidden);
    }
}

void NAME(layer_forward)(const struct layer *layer, const pylstm_blas *blas, const pylstm_batch *batch, const real *x,
                         const real *h0, const real *c0, struct rows y, real *hn, real *cn, struct steps steps,
                         struct layer_forward_scratch scratch)
{
    ptrdiff_t input = layer->input_size, hidden = layer->hidden_size, width = input + hidden;
    for (ptrdiff_t j = 0; j < 4 * hidden; j++) {
        copy(scratch.packed + j * width, layer->weight_ih + j * input, input);
        copy(scratch.packed + j * width + input, layer->weight_hh + j * hidden, hidden);
    }
    gather_state(batch, hidden, h0, xh_of(steps, layer, batch, 0) + input, width);
    gather_state(batch, hidden, c0, c_after(steps, layer, batch, -1), hidden);

    for (ptrdiff_t s = 0; s < batch->shape.n_steps; s++) {
        ptrdiff_t n = alive(batch, s), n_next = alive(batch, s + 1);
        real *xh = xh_of(steps, layer, batch, s), *gates = gates_of(steps, layer, batch, s);
        real *c = c_after(steps, layer, batch, s);
        for (ptrdiff_t b = 0; b < n; b++) {
            copy(xh + b * width, x + caller_row(layer, batch, b, s) * input, input);
            copy(gates + b * 4 * hidden, layer->bias, 4 * hidden);
        }
        gemm(blas, 'T', n, 4 * hidden, width, xh, width, scratch.packed, width, 1, gates, 4 * hidden);
        NAME(cell_forward)(n, hidden, gates, c_after(steps, layer, batch, s - 1), c, scratch.h);

        for (ptrdiff_t b = 0; b < n; b++) {
            const real *h = scratch.h + b * hidden;
            copy(y.data + caller_row(layer, batch, b, s) * y.stride, h, hidden);
            if (b < n_next) {
                copy(xh_of(steps, layer, batch, s + 1) + b * width + input, h, hidden);
            } else if (hn) { /* the sequence's own last step */
                copy(hn + batch->order[b] * hidden, h, hidden);
                copy(cn + batch->order[b] * hidden, c + b * hidden, hidden);
            }
        }
    }
}

/* ---------------------------------------------------------------- backward */

struct layer_backward_scratch NAME(layer_backward_carve)(struct arena *arena, const pylstm_shape *shape,
                                                         ptrdiff_t input_size, ptrdiff_t hidden_size)
{
    /* At least one whole step. */
    ptrdiff_t chunk = shape->n_sequences > CHUNK_ROWS ? shape->n_sequences : CHUNK_ROWS;
    return (struct layer_backward_scratch){
        .chunk_rows = chunk,
        .dgates = arena_take(arena, chunk, 4 * hidden_size, sizeof(real)),
        .dx = arena_take(arena, chunk, input_size, sizeof(real)),
        .dh = arena_take(arena, shape->n_sequences, hidden_size, sizeof(real)),
        .dc = arena_take(arena, shape->n_sequences, hidden_size, sizeof(real)),
        .dpacked = arena_take(arena, 4 * hidden_size, input_size + hidden_size, sizeof(real)),
    };
}

/* Adds what the steps [from, to), whose dgates are complete, give to the weights' and the input's gradients. */
static void flush_chunk(const struct layer *layer, const pylstm_blas *blas, const pylstm_batch *batch, ptrdiff_t from,
                        ptrdiff_t to, const real *dgates, real *dbias, real *dx, struct steps steps,
                        struct layer_backward_scratch scratch)
{
    ptrdiff_t input = layer->input_size, hidden = layer->hidden_size, width = input + hidden;
    ptrdiff_t n = batch->offset[to] - batch->offset[from];
    gemm_outer(blas, 4 * hidden, width, n, dgates, 4 * hidden, xh_of(steps, layer, batch, from), width, scratch.dpacked,
               width);
    for (ptrdiff_t r = 0; r < n; r++)
        for (ptrdiff_t j = 0; j < 4 * hidden; j++)
            dbias[j] += dgates[r * 4 * hidden + j];
    if (!dx)
        return;
    gemm(blas, 'N', n, input, 4 * hidden, dgates, 4 * hidden, layer->weight_ih, input, 0, scratch.dx, input);
    const real *from_row = scratch.dx;
    for (ptrdiff_t s = from; s < to; s++) {
        for (ptrdiff_t b = 0; b < alive(batch, s); b++, from_row += input) {
            real *to_row = dx + caller_row(layer, batch, b, s) * input;
            for (ptrdiff_t k = 0; k < input; k++)
                to_row[k] += from_row[k];
        }
    }
}

void NAME(layer_backward)(const struct layer *layer, const pylstm_blas *blas, const pylstm_batch *batch, struct rows dy,
                          const real *dhn, const real *dcn, real *dweight_ih, real *dweight_hh, real *dbias, real *dx,
                          real *dh0, real *dc0, struct steps steps, struct layer_backward_scratch scratch)
{
    ptrdiff_t input = layer->input_size, hidden = layer->hidden_size, width = input + hidden;
    zero(dbias, 4 * hidden);
    zero(scratch.dpacked, 4 * hidden * width);
    /* A sequence's rows are first read at its own last step: until then they hold the final state's gradient. */
    gather_state(batch, hidden, dhn, scratch.dh, hidden);
    gather_state(batch, hidden, dcn, scratch.dc, hidden);

    /* The chunk fills from its end, as time runs backwards: its rows then lie as the tape's do. */
    ptrdiff_t chunk_end = batch->shape.n_steps;
    for (ptrdiff_t s = batch->shape.n_steps - 1; s >= 0; s--) {
        ptrdiff_t n = alive(batch, s);
        for (ptrdiff_t b = 0; b < n; b++) {
            const real *dy_row = dy.data + caller_row(layer, batch, b, s) * dy.stride;
            for (ptrdiff_t u = 0; u < hidden; u++)
                scratch.dh[b * hidden + u] += dy_row[u];
        }
        ptrdiff_t place = scratch.chunk_rows - (batch->offset[chunk_end] - batch->offset[s]);
        real *dgates = scratch.dgates + place * 4 * hidden;
        NAME(cell_backward)(n, hidden, gates_of(steps, layer, batch, s), c_after(steps, layer, batch, s - 1),
                            c_after(steps, layer, batch, s), scratch.dh, scratch.dc, dgates);
        gemm(blas, 'N', n, hidden, 4 * hidden, dgates, 4 * hidden, layer->weight_hh, hidden, 0, scratch.dh, hidden);
        if (s == 0 || place < alive(batch, s - 1)) {
            flush_chunk(layer, blas, batch, s, chunk_end, dgates, dbias, dx, steps, scratch);
            chunk_end = s;
        }
    }

    for (ptrdiff_t j = 0; j < 4 * hidden; j++) {
        copy(dweight_ih + j * input, scratch.dpacked + j * width, input);
        copy(dweight_hh + j * hidden, scratch.dpacked + j * width + input, hidden);
    }
    for (ptrdiff_t b = 0; dh0 && b < batch->shape.n_sequences; b++) {
        copy(dh0 + batch->order[b] * hidden, scratch.dh + b * hidden, hidden);
        copy(dc0 + batch->order[b] * hidden, scratch.dc + b * hidden, hidden);
    }
}
