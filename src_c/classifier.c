/* A net with a softmax layer on top: predicting, and one mini-batch of training. */
#include "adam.h"
#include "arena.h"
#include "head.h"
#include "typed.h"

#include <string.h>

static struct outputs outputs_of(const pylstm_classifier *classifier, const pylstm_batch *batch)
{
    const pylstm_net *net = &classifier->net;
    return (struct outputs){batch, net->hidden_sizes[net->n_layers - 1], net->n_directions};
}

/* logits [B][n_outputs] = pooled weight_out' + bias_out */
static void dense(const pylstm_classifier *classifier, const pylstm_blas *blas, ptrdiff_t n_sequences,
                  const real *parameters, const real *pooled, real *logits)
{
    ptrdiff_t width = pylstm_net_output_size(&classifier->net), n_outputs = classifier->n_outputs;
    const real *weight = parameters + pylstm_net_n_parameters(&classifier->net), *bias = weight + n_outputs * width;
    for (ptrdiff_t b = 0; b < n_sequences; b++)
        memcpy(logits + b * n_outputs, bias, (size_t)n_outputs * sizeof(real));
    gemm(blas, 'N', 'T', n_sequences, n_outputs, width, pooled, width, weight, width, 1, logits, n_outputs);
}

/* ----------------------------------------------------------------- predict */

struct predict_memory {
    real *y, *pooled;
    void *forward; /* [forward_bytes][1] */
    size_t forward_bytes;
};

static int carve_predict(const pylstm_classifier *classifier, const pylstm_shape *shape, struct arena *arena,
                         struct predict_memory *carved)
{
    const pylstm_net *net = &classifier->net;
    int status = NAME(forward_size)(net, shape, &carved->forward_bytes);
    if (status)
        return status;
    carved->y = arena_take(arena, shape->n_rows, pylstm_net_output_size(net), sizeof(real));
    carved->pooled = arena_take(arena, shape->n_sequences, pylstm_net_output_size(net), sizeof(real));
    carved->forward = arena_take(arena, (ptrdiff_t)carved->forward_bytes, 1, 1);
    return PYLSTM_OK;
}

int NAME(predict_size)(const pylstm_classifier *classifier, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    struct predict_memory memory;
    int status = carve_predict(classifier, shape, &counting, &memory);
    return status ? status : arena_total(&counting, bytes);
}

int NAME(predict)(const pylstm_classifier *classifier, const pylstm_blas *blas, const pylstm_batch *batch,
                  const void *parameters, const void *x, void *probabilities, pylstm_memory workspace)
{
    struct arena arena = arena_at(workspace);
    struct predict_memory memory;
    int status = carve_predict(classifier, &batch->shape, &arena, &memory);
    if (!status)
        status = NAME(forward)(&classifier->net, batch, parameters, x, NULL, memory.y, NULL, 0,
                               (pylstm_memory){NULL, 0}, (pylstm_memory){memory.forward, memory.forward_bytes});
    if (status)
        return status;
    struct outputs outputs = outputs_of(classifier, batch);
    NAME(pool_forward)(&outputs, classifier->pooling, memory.y, memory.pooled);
    dense(classifier, blas, batch->shape.n_sequences, parameters, memory.pooled, probabilities);
    NAME(softmax)(batch->shape.n_sequences, classifier->n_outputs, probabilities);
    return PYLSTM_OK;
}

/* ------------------------------------------------------------------- train */

struct train_memory {
    ptrdiff_t *lengths, *labels; /* [B] */
    real *x;                     /* [N][I] the mini-batch */
    real *y, *dy;                /* [N][D * H] */
    real *pooled, *dpooled;      /* [B][D * H] */
    real *logits;                /* [B][n_outputs], then their gradient */
    real *gradient;              /* [n_parameters] */
    pylstm_memory batch, tape, compute;
};

static pylstm_memory take_bytes(struct arena *arena, size_t bytes)
{
    return (pylstm_memory){arena_take(arena, (ptrdiff_t)bytes, 1, 1), bytes};
}

static int carve_train(const pylstm_classifier *classifier, const pylstm_shape *shape, struct arena *arena,
                       struct train_memory *carved)
{
    const pylstm_net *net = &classifier->net;
    ptrdiff_t width = pylstm_net_output_size(net);
    size_t batch_bytes, tape_bytes, forward_bytes, backward_bytes;
    int status = pylstm_batch_size(shape, &batch_bytes);
    if (!status)
        status = NAME(tape_size)(net, shape, &tape_bytes);
    if (!status)
        status = NAME(forward_size)(net, shape, &forward_bytes);
    if (!status)
        status = NAME(backward_size)(net, shape, &backward_bytes);
    if (status)
        return status;
    carved->lengths = arena_take(arena, shape->n_sequences, 1, sizeof(ptrdiff_t));
    carved->labels = arena_take(arena, shape->n_sequences, 1, sizeof(ptrdiff_t));
    carved->x = arena_take(arena, shape->n_rows, net->input_size, sizeof(real));
    carved->y = arena_take(arena, shape->n_rows, width, sizeof(real));
    carved->dy = arena_take(arena, shape->n_rows, width, sizeof(real));
    carved->pooled = arena_take(arena, shape->n_sequences, width, sizeof(real));
    carved->dpooled = arena_take(arena, shape->n_sequences, width, sizeof(real));
    carved->logits = arena_take(arena, shape->n_sequences, classifier->n_outputs, sizeof(real));
    carved->gradient = arena_take(arena, pylstm_classifier_n_parameters(classifier), 1, sizeof(real));
    carved->batch = take_bytes(arena, batch_bytes);
    carved->tape = take_bytes(arena, tape_bytes);
    carved->compute = take_bytes(arena, forward_bytes > backward_bytes ? forward_bytes : backward_bytes);
    return PYLSTM_OK;
}

int NAME(train_step_size)(const pylstm_classifier *classifier, const pylstm_shape *bound, size_t *bytes)
{
    struct arena counting = {0};
    struct train_memory memory;
    int status = carve_train(classifier, bound, &counting, &memory);
    return status ? status : arena_total(&counting, bytes);
}

/* alpha / 2 * sum(weights^2) / n_sequences over everything but biases; adds its gradient. */
static double weight_decay(const pylstm_classifier *classifier, double alpha, ptrdiff_t n_sequences,
                           const real *parameters, real *gradient)
{
    const pylstm_net *net = &classifier->net;
    double squares = 0, scale = alpha / (double)n_sequences;
    for (ptrdiff_t l = 0; l <= net->n_layers; l++) {
        int is_head = l == net->n_layers;
        for (ptrdiff_t d = 0; d < (is_head ? 1 : net->n_directions); d++) {
            ptrdiff_t from = pylstm_net_n_parameters(net);
            ptrdiff_t to = from + classifier->n_outputs * pylstm_net_output_size(net);
            if (!is_head) {
                pylstm_layer at = pylstm_net_layer(net, l, d);
                from = at.weight_ih;
                to = at.bias;
            }
            for (ptrdiff_t k = from; k < to; k++) {
                squares += (double)parameters[k] * (double)parameters[k];
                gradient[k] += (real)scale * parameters[k];
            }
        }
    }
    return scale / 2 * squares;
}

/* The shape of a mini-batch, with everything checked that the data decides. */
static int minibatch_shape(const pylstm_classifier *classifier, const pylstm_dataset *dataset, const ptrdiff_t *indices,
                           ptrdiff_t n_indices, pylstm_shape *shape)
{
    *shape = (pylstm_shape){.n_sequences = n_indices};
    for (ptrdiff_t b = 0; b < n_indices; b++) {
        if (indices[b] < 0 || indices[b] >= dataset->n_sequences)
            return PYLSTM_ERROR_INDEX;
        ptrdiff_t label = dataset->labels[indices[b]];
        if (label < 0 || label >= classifier->n_outputs)
            return PYLSTM_ERROR_LABEL;
        ptrdiff_t length = dataset->first[indices[b] + 1] - dataset->first[indices[b]];
        if (length < 1)
            return PYLSTM_ERROR_LENGTH;
        if (length > PTRDIFF_MAX - shape->n_rows)
            return PYLSTM_ERROR_OVERFLOW;
        shape->n_rows += length;
        shape->n_steps = length > shape->n_steps ? length : shape->n_steps;
    }
    return PYLSTM_OK;
}

int NAME(train_step)(const pylstm_classifier *classifier, const pylstm_blas *blas, const pylstm_dataset *dataset,
                     const ptrdiff_t *indices, ptrdiff_t n_indices, void *parameters, pylstm_adam *adam,
                     uint64_t dropout_seed, double *loss, pylstm_memory workspace)
{
    const pylstm_net *net = &classifier->net;
    ptrdiff_t input_size = net->input_size, width = pylstm_net_output_size(net), n_outputs = classifier->n_outputs;
    pylstm_shape shape;
    size_t needed;
    int status = minibatch_shape(classifier, dataset, indices, n_indices, &shape);
    if (!status)
        status = NAME(train_step_size)(classifier, &shape, &needed);
    if (!status && workspace.bytes < needed)
        status = PYLSTM_ERROR_WORKSPACE;
    if (status)
        return status;
    struct arena arena = arena_at(workspace);
    struct train_memory memory;
    carve_train(classifier, &shape, &arena, &memory);

    ptrdiff_t row = 0;
    for (ptrdiff_t b = 0; b < n_indices; b++) {
        ptrdiff_t first = dataset->first[indices[b]], length = dataset->first[indices[b] + 1] - first;
        memcpy(memory.x + row * input_size, (const real *)dataset->x + first * input_size,
               (size_t)(length * input_size) * sizeof(real));
        memory.lengths[b] = length;
        memory.labels[b] = dataset->labels[indices[b]];
        row += length;
    }
    pylstm_batch batch;
    status = pylstm_batch_init(&batch, n_indices, memory.lengths, memory.batch.data, memory.batch.bytes);
    if (!status)
        status = NAME(forward)(net, &batch, parameters, memory.x, NULL, memory.y, NULL, dropout_seed, memory.tape,
                               memory.compute);
    if (status)
        return status;

    struct outputs outputs = outputs_of(classifier, &batch);
    NAME(pool_forward)(&outputs, classifier->pooling, memory.y, memory.pooled);
    dense(classifier, blas, n_indices, parameters, memory.pooled, memory.logits);
    NAME(softmax)(n_indices, n_outputs, memory.logits);
    *loss = NAME(cross_entropy)(n_indices, n_outputs, memory.logits, memory.labels);

    real *dlogits = memory.logits;
    ptrdiff_t at_weight = pylstm_net_n_parameters(net), at_bias = at_weight + n_outputs * width;
    ptrdiff_t n_parameters = at_bias + n_outputs;
    memset(memory.gradient + at_bias, 0, (size_t)n_outputs * sizeof(real));
    gemm(blas, 'T', 'N', n_outputs, width, n_indices, dlogits, n_outputs, memory.pooled, width, 0,
         memory.gradient + at_weight, width);
    for (ptrdiff_t b = 0; b < n_indices; b++)
        for (ptrdiff_t j = 0; j < n_outputs; j++)
            memory.gradient[at_bias + j] += dlogits[b * n_outputs + j];
    gemm(blas, 'N', 'N', n_indices, width, n_outputs, dlogits, n_outputs, (const real *)parameters + at_weight, width,
         0, memory.dpooled, width);
    NAME(pool_backward)(&outputs, classifier->pooling, memory.y, memory.pooled, memory.dpooled, memory.dy);

    status = NAME(backward)(net, &batch, parameters, memory.dy, NULL, memory.gradient, NULL, NULL, dropout_seed,
                            memory.tape, memory.compute);
    if (status)
        return status;
    *loss += weight_decay(classifier, adam->alpha, n_indices, parameters, memory.gradient);
    NAME(clip_norm)(n_parameters, memory.gradient, adam->max_grad_norm);
    NAME(adam_step)(n_parameters, parameters, memory.gradient, adam);
    return PYLSTM_OK;
}
