/* Training of an exported model on a window of steps, and its steps, by the functions of model.c. */
#ifndef PYLSTM_EXPORTED_LEARN_H
#define PYLSTM_EXPORTED_LEARN_H

#include "interface/typed.h"
#include "model/scaling.h"
#include "support/arena.h"
#include "support/plain_gemm.h"

DEFINE_GEMM(plain_sgemm, float)

static const pylstm_blas plain_blas = {plain_sgemm, NULL};

struct learner {
    pylstm_model model;
    ptrdiff_t window; /* T */
    double max_grad_norm;
    const real *mean, *scale; /* [I]; or NULL */
};

static pylstm_memory rest_of(struct arena arena, pylstm_memory memory)
{
    char *from = arena.base + arena.used;
    return (pylstm_memory){from, memory.bytes - (size_t)(from - (char *)memory.data)};
}

/* n rows of inputs, scaled where the model does that. */
static const real *scaled_inputs(const struct learner *learner, ptrdiff_t n, const real *x, struct arena *arena)
{
    ptrdiff_t n_x = learner->model.net.input_size;
    if (!learner->mean)
        return x;
    real *scaled = arena_take(arena, n, n_x, sizeof(real));
    for (ptrdiff_t t = 0; t < n; t++)
        scale_input(n_x, x + t * n_x, learner->mean, learner->scale, scaled + t * n_x);
    return scaled;
}

/* The loss on a window x [T][I], before a step of SGD; -1 where a label is none. Labels or targets: one or, without
 * pooling, T. The state, or NULL for zeros, goes on. */
static float learn_on(const struct learner *learner, const real *x, const int *labels, const real *targets,
                      float learning_rate, real *parameters, real *state, pylstm_memory workspace)
{
    ptrdiff_t window = learner->window, n_labels = learner->model.pooling == PYLSTM_POOL_NONE ? window : 1;
    const ptrdiff_t first = 0;
    struct arena arena = arena_at(workspace);
    ptrdiff_t *indices = arena_take(&arena, labels ? n_labels : 0, 1, sizeof(ptrdiff_t));
    for (ptrdiff_t k = 0; labels && k < n_labels; k++)
        indices[k] = labels[k];
    const pylstm_dataset dataset = {
        .x = scaled_inputs(learner, window, x, &arena),
        .first = &first,
        .length = &window,
        .n_sequences = 1,
        .labels = indices,
        .targets = targets,
    };
    pylstm_solver solver = {
        .kind = PYLSTM_SGD, .learning_rate = (double)learning_rate, .max_grad_norm = learner->max_grad_norm};
    double loss, weight;
    int status = NAME(train_step)(&learner->model, &plain_blas, &dataset, &first, 1, parameters, &solver, 0, state,
                                  state, &loss, &weight, rest_of(arena, workspace));
    return status ? -1.0f : (float)loss;
}

/* y [n_outputs] of the step x [I]; the state goes on. */
static void predict_row(const struct learner *learner, const real *x, real *y, const real *parameters, real *state,
                        pylstm_memory workspace)
{
    const ptrdiff_t length = 1;
    const pylstm_shape shape = {1, 1, 1};
    const pylstm_memory none = {NULL, 0};
    struct arena arena = arena_at(workspace);
    size_t bytes = 0;
    pylstm_batch_size(&shape, &bytes);
    void *memory = arena_take(&arena, (ptrdiff_t)bytes, 1, 1);
    pylstm_batch batch;
    pylstm_batch_init(&batch, 1, &length, memory, bytes);
    const real *scaled = scaled_inputs(learner, 1, x, &arena);
    NAME(predict)(&learner->model, &batch, parameters, none, scaled, state, y, state, rest_of(arena, workspace));
}

#endif
