#include "head.h"
#include "softmax.h"

#include <float.h>
#include <string.h>

/* First of the rows of y that sequence b, in sorted order, has for its own. */
struct span {
    ptrdiff_t first, length, caller;
};

static struct span span_of(const pylstm_batch *batch, ptrdiff_t b)
{
    return (struct span){batch->first[b], batch->length[b], batch->order[b]};
}

void NAME(pool_forward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, real *pooled)
{
    ptrdiff_t hidden = outputs->hidden_size, width = hidden * outputs->n_directions;
    for (ptrdiff_t b = 0; b < outputs->batch->shape.n_sequences; b++) {
        struct span span = span_of(outputs->batch, b);
        const real *rows = y + span.first * width;
        real *to = pooled + span.caller * width;
        for (ptrdiff_t j = 0; j < width; j++) {
            if (pooling == PYLSTM_POOL_LAST) { /* the reverse direction ends at the first row */
                to[j] = rows[(j < hidden ? span.length - 1 : 0) * width + j];
                continue;
            }
            real pool = rows[j];
            for (ptrdiff_t s = 1; s < span.length; s++) {
                real value = rows[s * width + j];
                if (pooling == PYLSTM_POOL_MEAN)
                    pool += value;
                else if (value > pool)
                    pool = value;
            }
            to[j] = pooling == PYLSTM_POOL_MEAN ? pool / (real)span.length : pool;
        }
    }
}

void NAME(pool_backward)(const struct outputs *outputs, pylstm_pooling pooling, const real *y, const real *pooled,
                         const real *dpooled, real *dy)
{
    ptrdiff_t hidden = outputs->hidden_size, width = hidden * outputs->n_directions;
    memset(dy, 0, (size_t)(outputs->batch->shape.n_rows * width) * sizeof *dy);
    for (ptrdiff_t b = 0; b < outputs->batch->shape.n_sequences; b++) {
        struct span span = span_of(outputs->batch, b);
        real *to = dy + span.first * width;
        for (ptrdiff_t j = 0; j < width; j++) {
            real gradient = dpooled[span.caller * width + j];
            if (pooling == PYLSTM_POOL_LAST) {
                to[(j < hidden ? span.length - 1 : 0) * width + j] = gradient;
                continue;
            }
            for (ptrdiff_t s = 0; s < span.length; s++) {
                if (pooling == PYLSTM_POOL_MEAN) {
                    to[s * width + j] = gradient / (real)span.length;
                } else if (y[(span.first + s) * width + j] == pooled[span.caller * width + j]) {
                    to[s * width + j] = gradient; /* of equal maxima, the first */
                    break;
                }
            }
        }
    }
}

void NAME(softmax)(ptrdiff_t rows, ptrdiff_t columns, real *values)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        softmax_row(columns, values + r * columns);
}

double NAME(cross_entropy)(ptrdiff_t rows, ptrdiff_t columns, real *probabilities, const ptrdiff_t *labels,
                           const double *weights, double total)
{
    double loss = 0;
    for (ptrdiff_t r = 0; r < rows; r++, probabilities += columns) {
        real p = probabilities[labels[r]], scale = (real)(weights[r] / total);
        loss -= weights[r] * (double)LOG(p < FLT_MIN ? FLT_MIN : p); /* finite where the softmax underflowed */
        probabilities[labels[r]] -= 1;
        for (ptrdiff_t j = 0; j < columns; j++)
            probabilities[j] *= scale;
    }
    return loss / total;
}

double NAME(squared_error)(ptrdiff_t rows, ptrdiff_t columns, real *values, const real *targets, const double *weights,
                           double total)
{
    double loss = 0;
    for (ptrdiff_t r = 0; r < rows; r++, values += columns, targets += columns) {
        double squares = 0, scale = weights[r] / total / (double)columns;
        for (ptrdiff_t j = 0; j < columns; j++) {
            double residual = (double)values[j] - (double)targets[j];
            squares += residual * residual;
            values[j] = (real)(residual * scale);
        }
        loss += scale / 2 * squares;
    }
    return loss;
}
