#include "model/pooling.h"

#include <string.h>

/* First of the rows of y that sequence b, in sorted order, has for its own. */
struct place {
    ptrdiff_t first, length, caller;
};

static struct place place_of(const pylstm_batch *batch, ptrdiff_t b)
{
    return (struct place){batch->first[b], batch->length[b], batch->order[b]};
}

struct outputs NAME(outputs_of)(const pylstm_net *net, const pylstm_batch *batch)
{
    return (struct outputs){batch, net->hidden_sizes[net->n_layers - 1], net->n_directions};
}

void NAME(pool_forward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, real *pooled)
{
    ptrdiff_t hidden = outputs->hidden_size, width = hidden * outputs->n_directions;
    for (ptrdiff_t b = 0; b < outputs->batch->shape.n_sequences; b++) {
        struct place at = place_of(outputs->batch, b);
        const real *rows = y + at.first * width;
        real *to = pooled + at.caller * width;
        for (ptrdiff_t j = 0; j < width; j++) {
            if (pooling == PYLSTM_POOL_LAST) { /* the reverse direction ends at the first row */
                to[j] = rows[(j < hidden ? at.length - 1 : 0) * width + j];
                continue;
            }
            real pool = rows[j];
            for (ptrdiff_t s = 1; s < at.length; s++) {
                real value = rows[s * width + j];
                if (pooling == PYLSTM_POOL_MEAN)
                    pool += value;
                else if (value > pool)
                    pool = value;
            }
            to[j] = pooling == PYLSTM_POOL_MEAN ? pool / (real)at.length : pool;
        }
    }
}

void NAME(pool_backward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, const real *pooled,
                         const real *dpooled, real *dy)
{
    ptrdiff_t hidden = outputs->hidden_size, width = hidden * outputs->n_directions;
    for (ptrdiff_t b = 0; b < outputs->batch->shape.n_sequences; b++) {
        struct place at = place_of(outputs->batch, b);
        real *to = dy + at.first * width;
        memset(to, 0, (size_t)(at.length * width) * sizeof *dy);
        for (ptrdiff_t j = 0; j < width; j++) {
            real gradient = dpooled[at.caller * width + j];
            if (pooling == PYLSTM_POOL_LAST) {
                to[(j < hidden ? at.length - 1 : 0) * width + j] = gradient;
                continue;
            }
            for (ptrdiff_t s = 0; s < at.length; s++) {
                if (pooling == PYLSTM_POOL_MEAN) {
                    to[s * width + j] = gradient / (real)at.length;
                } else if (y[(at.first + s) * width + j] == pooled[at.caller * width + j]) {
                    to[s * width + j] = gradient; /* of equal maxima, the first */
                    break;
                }
            }
        }
    }
}
