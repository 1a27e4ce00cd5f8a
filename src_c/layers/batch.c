/* The batch layout: sequences sorted by length, and the rows that are alive at each step. */
#include "layers/batch.h"

#include <limits.h>

int pylstm_shape_init(pylstm_shape *shape, ptrdiff_t n_sequences, const ptrdiff_t *lengths)
{
    if (!shape || !lengths)
        return PYLSTM_ERROR_NULL;
    if (n_sequences < 1)
        return PYLSTM_ERROR_SIZE;
    if (n_sequences > INT_MAX) /* the rows of one step are a dimension of BLAS calls */
        return PYLSTM_ERROR_OVERFLOW;
    pylstm_shape found = {.n_sequences = n_sequences};
    for (ptrdiff_t b = 0; b < n_sequences; b++) {
        if (lengths[b] < 1)
            return PYLSTM_ERROR_LENGTH;
        if (lengths[b] > PTRDIFF_MAX - found.n_rows)
            return PYLSTM_ERROR_OVERFLOW;
        found.n_rows += lengths[b];
        if (lengths[b] > found.n_steps)
            found.n_steps = lengths[b];
    }
    *shape = found;
    return PYLSTM_OK;
}

pylstm_batch pylstm_batch_carve(struct arena *arena, const pylstm_shape *bound)
{
    ptrdiff_t n_offsets = bound->n_steps < PTRDIFF_MAX ? bound->n_steps + 1 : -1;
    return (pylstm_batch){
        .order = arena_take(arena, bound->n_sequences, 1, sizeof(ptrdiff_t)),
        .first = arena_take(arena, bound->n_sequences, 1, sizeof(ptrdiff_t)),
        .length = arena_take(arena, bound->n_sequences, 1, sizeof(ptrdiff_t)),
        .offset = arena_take(arena, n_offsets, 1, sizeof(ptrdiff_t)),
    };
}

int pylstm_batch_size(const pylstm_shape *shape, size_t *bytes)
{
    if (!shape || !bytes)
        return PYLSTM_ERROR_NULL;
    struct arena counting = {0};
    pylstm_batch_carve(&counting, shape);
    return arena_total(&counting, bytes);
}

void pylstm_batch_fill(pylstm_batch *batch, const pylstm_shape *of, const ptrdiff_t *lengths)
{
    pylstm_shape shape = batch->shape = *of;

    /* A counting sort in the memory of `offset`: how many sequences have exactly, then at least, s steps. */
    ptrdiff_t *count = batch->offset;
    for (ptrdiff_t s = 0; s <= shape.n_steps; s++)
        count[s] = 0;
    for (ptrdiff_t b = 0; b < shape.n_sequences; b++)
        count[lengths[b]]++;
    for (ptrdiff_t s = shape.n_steps; s > 0; s--)
        count[s - 1] += count[s];
    /* Those with s steps end at place count[s]. Filling from their end, last sequence first, keeps ties in order and
     * leaves count[s] at the number with more than s steps: the sequences alive at step s. */
    ptrdiff_t row = shape.n_rows;
    for (ptrdiff_t b = shape.n_sequences - 1; b >= 0; b--) {
        ptrdiff_t place = --count[lengths[b]];
        row -= lengths[b];
        batch->order[place] = b;
        batch->first[place] = row;
        batch->length[place] = lengths[b];
    }
    ptrdiff_t before = 0;
    for (ptrdiff_t s = 0; s <= shape.n_steps; s++) {
        ptrdiff_t alive = batch->offset[s];
        batch->offset[s] = before;
        before += alive;
    }
}

int pylstm_batch_init(pylstm_batch *batch, ptrdiff_t n_sequences, const ptrdiff_t *lengths, void *memory, size_t bytes)
{
    if (!batch || !memory)
        return PYLSTM_ERROR_NULL;
    pylstm_shape shape;
    size_t needed;
    int status = pylstm_shape_init(&shape, n_sequences, lengths);
    if (!status)
        status = pylstm_batch_size(&shape, &needed);
    if (!status && bytes < needed)
        status = PYLSTM_ERROR_WORKSPACE;
    if (status)
        return status;

    struct arena arena = arena_at((pylstm_memory){memory, bytes});
    *batch = pylstm_batch_carve(&arena, &shape);
    pylstm_batch_fill(batch, &shape, lengths);
    return PYLSTM_OK;
}
