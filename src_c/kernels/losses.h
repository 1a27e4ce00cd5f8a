/* The losses, each of one row of outputs; exported models that learn have them too. What a row holds afterwards is
 * share times the gradient of its loss by the outputs of the dense layer. */
#ifndef PYLSTM_LOSSES_H
#define PYLSTM_LOSSES_H

#include "kernels/softmax.h"

/* What a row of outputs should have been: a label, or values [n]. Where one is NaN, which is not known, an output has
 * no loss and no gradient. */
struct target {
    ptrdiff_t label;
    const real *values;
};

/* outputs [n]: in, of the dense layer; out, share times the gradient. Returns the row's loss, not times share.
 * parameter: huber's delta, or the quantile; the others do not read it. */
typedef wide loss_row(ptrdiff_t n, real *outputs, struct target target, wide share, wide parameter);

/* With p = softmax(outputs): -log p[label], by differences of the outputs, so that it is finite and right where p is
 * too small to be a number;  p - onehot. */
static inline wide cross_entropy_row(ptrdiff_t n, real *outputs, struct target target, wide share, wide parameter)
{
    (void)parameter;
    real own = outputs[target.label], largest, sum = exponentials(n, outputs, &largest), scale = (real)share / sum;
    for (ptrdiff_t j = 0; j < n; j++)
        outputs[j] *= scale;
    outputs[target.label] -= (real)share;
    return (wide)LOG(sum) + ((wide)largest - (wide)own);
}

/* The losses of a residual r = output - target: their mean over the row. Each says its slope, the derivative, and what
 * to multiply that by for the loss. */
struct slope {
    wide value, times;
};

typedef struct slope slope_at(wide residual, wide parameter);

static inline wide residuals_row(slope_at *slope_of, ptrdiff_t n, real *outputs, const real *targets, wide share,
                                 wide parameter)
{
    wide loss = 0, scale = share / (wide)n;
    for (ptrdiff_t j = 0; j < n; j++) {
        wide residual = IS_NAN(targets[j]) ? 0 : (wide)outputs[j] - (wide)targets[j];
        struct slope slope = slope_of(residual, parameter);
        loss += slope.value * slope.times;
        outputs[j] = (real)(slope.value * scale);
    }
    return loss / (wide)n;
}

/* r^2 / 2 */
static inline struct slope squared_error_slope(wide residual, wide parameter)
{
    struct slope slope = {residual, residual / 2};
    (void)parameter;
    return slope;
}

static inline wide squared_error_row(ptrdiff_t n, real *outputs, struct target target, wide share, wide parameter)
{
    return residuals_row(squared_error_slope, n, outputs, target.values, share, parameter);
}

/* |r|; its slope at 0 is 0 */
static inline struct slope absolute_error_slope(wide residual, wide parameter)
{
    struct slope slope = {(wide)((residual > 0) - (residual < 0)), residual};
    (void)parameter;
    return slope;
}

static inline wide absolute_error_row(ptrdiff_t n, real *outputs, struct target target, wide share, wide parameter)
{
    return residuals_row(absolute_error_slope, n, outputs, target.values, share, parameter);
}

/* r^2 / 2 up to delta, then straight on: delta (|r| - delta / 2) */
static inline struct slope huber_slope(wide residual, wide delta)
{
    wide value = residual > delta ? delta : residual < -delta ? -delta : residual;
    struct slope slope = {value, residual - value / 2};
    return slope;
}

static inline wide huber_row(ptrdiff_t n, real *outputs, struct target target, wide share, wide parameter)
{
    return residuals_row(huber_slope, n, outputs, target.values, share, parameter);
}

/* The pinball: quantile |r| where the output is too small, (1 - quantile) |r| where it is too large; slope 0 at 0 */
static inline struct slope quantile_slope(wide residual, wide quantile)
{
    struct slope slope = {residual > 0 ? 1 - quantile : residual < 0 ? -quantile : 0, residual};
    return slope;
}

static inline wide quantile_row(ptrdiff_t n, real *outputs, struct target target, wide share, wide parameter)
{
    return residuals_row(quantile_slope, n, outputs, target.values, share, parameter);
}

/* log(1 + u) for u in [0, 1], as exact for small u: what 1 + u loses, the quotient gives back. */
static inline wide log_of_1_and(real u)
{
    real rounded = 1 + u;
    return rounded == 1 ? (wide)u : (wide)LOG(rounded) * ((wide)u / ((wide)rounded - 1));
}

/* Each output by itself says yes or no; with p = sigmoid(output), the mean over the row of
 * -target log p - (1 - target) log(1 - p);  p - target. No p is computed that could round to 0 or 1. */
static inline wide sigmoid_row(ptrdiff_t n, real *outputs, struct target target, wide share, wide parameter)
{
    wide loss = 0, scale = share / (wide)n;
    (void)parameter;
    for (ptrdiff_t j = 0; j < n; j++) {
        if (IS_NAN(target.values[j])) {
            outputs[j] = 0;
            continue;
        }
        wide z = (wide)outputs[j], wanted = (wide)target.values[j];
        real u = EXP(z > 0 ? -outputs[j] : outputs[j]); /* e^-|z| */
        wide p = (z > 0 ? 1 : (wide)u) / (1 + (wide)u);
        loss += (z > 0 ? z : 0) - z * wanted + log_of_1_and(u);
        outputs[j] = (real)((p - wanted) * scale);
    }
    return loss / (wide)n;
}

#endif
