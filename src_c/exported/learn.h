/* An exported model that learns: a window of steps forward, back through time, and a step of SGD, in plain loops over
 * weights that lie as the library's do (pylstm.h). What the steps leave behind stands on a tape. */
#ifndef PYLSTM_EXPORTED_LEARN_H
#define PYLSTM_EXPORTED_LEARN_H

#include "exported/descent.h"
#include "exported/pool.h"
#include "exported/targets.h"
#include "exported/tokens.h"
#include "kernels/derivatives.h"
#include "kernels/losses.h"
#include "kernels/scaling.h"

/* --------------------------------------------------------------- the cells */

/* Where vector v of a unit (gates.h) stands in the order of the bias. */
#define PLACE(v) (EXPORTED_CELL == PYLSTM_GRU && (v) < 3 ? ((v) + 2) % 3 : (v))

enum { V = N_VECTORS(EXPORTED_CELL), IS_RELU = EXPORTED_CELL == PYLSTM_RNN_RELU };

/* Of a layer's state, what units remember of themselves. */
#define OWN(hidden) (EXPORTED_CELL == PYLSTM_LSTM ? (hidden) : 0)

/* From the pre-activations of step t to gates and the next state. */
static void apply_cell(const struct learner *learner, const struct layer *layer, ptrdiff_t t, real *tape)
{
    ptrdiff_t hidden = layer->hidden;
    real *gates = tape + layer->gates + t * V * hidden, *h = tape + layer->units + t * learner->state_size;
    const real *own_prev = h + OWN(hidden);
    h += learner->state_size;
    for (ptrdiff_t u = 0; u < hidden; u++) {
        real z[V], kept[V];
        UNROLL
        for (int v = 0; v < V; v++)
            z[v] = gates[PLACE(v) * hidden + u];
        const struct run unit = {1, 1, own_prev + u, h + OWN(hidden) + u, h + u, {V > 1 ? kept : NULL, 0}};
        apply_gates(EXPORTED_CELL, false, unit, z);
        finish(EXPORTED_CELL, IS_RELU, false, unit, z);
        UNROLL
        for (int v = 0; v < V && V > 1; v++)
            gates[v * hidden + u] = kept[v];
    }
}

/* And back: from dh and dc to the gradients of the pre-activations, and what of dh and dc goes past them. */
static void back_through_cell(const struct learner *learner, const struct layer *layer, ptrdiff_t t, real *tape)
{
    ptrdiff_t hidden = layer->hidden;
    real *gates = tape + layer->gates + t * V * hidden, *dh = tape + learner->dstate;
    const real *own = tape + layer->units + t * learner->state_size + OWN(hidden);
    for (ptrdiff_t u = 0; u < hidden; u++) {
        real gate[V], dz[V];
        UNROLL
        for (int v = 0; v < V; v++)
            gate[v] = gates[v * hidden + u];
        const struct unit_back unit = {gate, own + u, own + learner->state_size + u, dh + u, dh + OWN(hidden) + u, dz};
        unit_backward(EXPORTED_CELL, IS_RELU, unit);
        UNROLL
        for (int v = 0; v < V; v++)
            gates[PLACE(v) * hidden + u] = dz[v];
    }
}

/* -------------------------------------------------------------- the window */

/* The pool goes on over the steps from `first`: from behind the layers' state, and back to there; or with NULL from no
 * steps. */
static inline void run_pool(const struct learner *learner, ptrdiff_t first, real *state, const struct memory *memory)
{
    const struct layer *last = learner->layers + learner->n_layers - 1;
    ptrdiff_t hidden = last->hidden, n_state = learner->state_size;
    const real *h = memory->tape + last->units;
    real *pool = memory->tape + learner->pool, *count = pool + hidden, *set_at = count + 1 + hidden;
    size_t bytes = (size_t)(hidden + 1) * sizeof *pool;
    memset(pool, 0, bytes);
    if (state)
        memcpy(pool, state + n_state, bytes);
    for (ptrdiff_t u = 0; u < hidden && !IS_MEAN; u++)
        set_at[u] = -1;
    for (ptrdiff_t t = first; t < learner->window; t++)
        pool_step(hidden, h + (t + 1) * n_state, pool, count, (real)t, set_at);
    if (state)
        memcpy(state + n_state, pool, bytes);
    if (IS_MEAN)
        pool_mean(hidden, pool, count, count + 1);
}

/* Runs the layers over the steps from `first` to the window's end, x [T - first][I] or tokens [T - first], from a state
 * and on to the next; or with NULL from zeros. Not if an input is infinite or NaN, or a token none: then it says false,
 * and the state is as it was. */
static bool run_layers(const struct learner *learner, ptrdiff_t first, const reading *x, real *state,
                       const struct memory *memory)
{
    ptrdiff_t n_x = learner->input_size;
    real *tape = memory->tape, *row = tape + learner->states + first * learner->state_size;
    const reading *tokens = x;
    for (ptrdiff_t t = first; t < learner->window; t++, x += READS_TOKENS ? 1 : n_x) {
        real *in = tape + 1 + t * n_x;
        if (READS_TOKENS) {
            if ((uint32_t)*x >= EXPORTED_TOKENS)
                return false;
            if (!IS_ONE_HOT)
                read_token(learner, *x, memory, in);
        } else if (learner->mean)
            scale_input(n_x, x, learner->mean, learner->scale, in);
        else
            for (ptrdiff_t k = 0; k < n_x; k++)
                in[k] = (real)x[k];
    }
    if (!READS_TOKENS && !all_finite((learner->window - first) * n_x, tape + 1 + first * n_x))
        return false;
    size_t bytes = (size_t)learner->state_size * sizeof(real);
    memset(row, 0, bytes);
    if (state)
        memcpy(row, state, bytes);
    *tape = 1;
    for (ptrdiff_t l = 0; l < learner->n_layers; l++) {
        const struct layer *layer = learner->layers + l;
        for (ptrdiff_t t = first; t < learner->window; t++) {
            real *gates = tape + layer->gates + t * V * layer->hidden;
            memset(gates, 0, (size_t)(V * layer->hidden) * sizeof *gates);
            if (IS_ONE_HOT && l == 0)
                read_token(learner, tokens[t - first], memory, gates);
            for (ptrdiff_t k = 0; k < MATRICES; k++)
                add_product(learner->matrices + l * MATRICES + k, t, memory);
            apply_cell(learner, layer, t, tape);
        }
    }
    if (state)
        memcpy(state, tape + learner->states + learner->window * learner->state_size, bytes);
    if (IS_POOLED)
        run_pool(learner, first, state, memory);
    return true;
}

/* The dense layer's outputs of its step t. */
static real *run_head(const struct learner *learner, ptrdiff_t t, const struct memory *memory)
{
    const struct matrix *head = learner->matrices + learner->n_layers * MATRICES;
    real *outputs = memory->tape + head->out + t * head->out_step;
    memset(outputs, 0, (size_t)head->n_rows * sizeof *outputs);
    add_product(head + BIAS, t, memory);
    add_product(head + INPUTS, t, memory);
    return outputs;
}

/* The gradient by what is pooled, which takes the place of a sum that has been divided, or of a mean that is none. */
static inline real *pool_gradient(const struct learner *learner, ptrdiff_t hidden, const struct memory *memory)
{
    real *dpool = memory->tape + learner->pool + (IS_MEAN ? 0 : hidden + 1);
    memset(dpool, 0, (size_t)hidden * sizeof *dpool);
    add_back(learner->matrices + learner->n_layers * MATRICES + INPUTS, 0, memory, dpool);
    return dpool;
}

/* dh [H] += its part in step t */
static inline void add_pool_back(const struct learner *learner, ptrdiff_t hidden, ptrdiff_t t, const real *dpool,
                                 const struct memory *memory, real *dh)
{
    const real *count = memory->tape + learner->pool + hidden, *set_at = count + 1 + hidden;
    for (ptrdiff_t u = 0; u < hidden; u++) {
        if (IS_MEAN)
            dh[u] += dpool[u] / *count;
        else if (set_at[u] == (real)t)
            dh[u] += dpool[u];
    }
}

/* From the gradient by the dense layer's outputs to those by all pre-activations. */
static void run_back(const struct learner *learner, const struct memory *memory)
{
    real *dh = memory->tape + learner->dstate;
    const struct layer *last = learner->layers + learner->n_layers - 1;
    const real *dpool = IS_POOLED ? pool_gradient(learner, last->hidden, memory) : NULL;
    for (ptrdiff_t l = learner->n_layers; l-- > 0;) {
        const struct layer *layer = learner->layers + l;
        const struct matrix *own = learner->matrices + l * MATRICES, *above = own + MATRICES + INPUTS;
        memset(dh, 0, (size_t)(layer->hidden + OWN(layer->hidden)) * sizeof *dh);
        for (ptrdiff_t t = learner->window; t-- > 0;) {
            ptrdiff_t of_above = t - (learner->window - above->n_steps); /* which may have the last step only */
            if (EXPORTED_CELL != PYLSTM_GRU)
                memset(dh, 0, (size_t)layer->hidden * sizeof *dh);
            for (ptrdiff_t k = RECURRENT; k < MATRICES && t + 1 < learner->window; k++)
                add_back(own + k, t + 1, memory, dh);
            if (IS_POOLED && layer == last)
                add_pool_back(learner, layer->hidden, t, dpool, memory, dh);
            else if (of_above >= 0)
                add_back(above, of_above, memory, dh);
            back_through_cell(learner, layer, t, memory->tape);
        }
    }
}

/* Trains on a window x [T][I], or tokens [T]. The answers, one for each step of the dense layer: labels, or values
 * [n_outputs]. Returns the loss before that; -1 where a label or a token is none. */
static float learn_all(const struct learner *learner, const reading *x, const choice *labels, const answer *values,
                       float learning_rate, real *state, const struct memory *memory)
{
    const struct matrix *head = learner->matrices + learner->n_layers * MATRICES;
    for (ptrdiff_t t = 0; labels && t < head->n_steps; t++) {
        const ptrdiff_t label = (ptrdiff_t)labels[t];
        if (label < 0 || label >= head->n_rows)
            return -1;
    }
    real loss = 0;
    if (!run_layers(learner, 0, x, state, memory)) {
        if (READS_TOKENS)
            return -1;
        no_numbers(1, &loss);
        return loss;
    }
    for (ptrdiff_t t = 0; t < head->n_steps; t++) {
        struct target target = {labels ? (ptrdiff_t)labels[t] : 0, NULL};
        if (values)
            target.values = targets_of(head->n_rows, values + t * head->n_rows, learner->target_mean,
                                       learner->target_scale, memory->tape + learner->target);
        loss += LOSS_ROW(head->n_rows, run_head(learner, t, memory), target, 1 / (wide)head->n_steps, LOSS_PARAMETER);
    }
    loss /= (real)head->n_steps;
    run_back(learner, memory);
    real squares = descend_all(learner, 0, memory);
    if (LEARNS_ROWS)
        squares += descend_tokens(learner, x, 0, memory);
    real rate = descent_rate(squares, learner->max_norm, learning_rate, &loss);
    if (LEARNS_ROWS && rate != 0)
        descend_tokens(learner, x, rate, memory);
    if (rate != 0)
        descend_all(learner, rate, memory);
    return loss;
}

#endif
