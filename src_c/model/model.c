/* A net with a dense layer on top: predicting, and one mini-batch of training. */
#include "interface/typed.h"
#include "kernels/descent.h"
#include "kernels/isa.h"
#include "model/dense_gradient.h"
#include "model/head.h"
#include "support/arena.h"

#include <string.h>

static struct outputs outputs_of(const pylstm_model *model, const pylstm_batch *batch)
{
    const pylstm_net *net = &model->net;
    return (struct outputs){batch, net->hidden_sizes[net->n_layers - 1], net->n_directions};
}

static bool is_pooled(const pylstm_model *model)
{
    return model->pooling != PYLSTM_POOL_NONE;
}

/* E: one per sequence, or one per step. */
static ptrdiff_t n_predictions(const pylstm_model *model, const pylstm_shape *shape)
{
    return is_pooled(model) ? shape->n_sequences : shape->n_rows;
}

/* outputs [n][n_outputs] = features [n][D * H] weight_out' + bias_out, then softmax for probabilities */
static void apply_head(const pylstm_model *model, ptrdiff_t n, const real *parameters, const real *features,
                       real *outputs)
{
    ptrdiff_t width = pylstm_net_output_size(&model->net), n_outputs = model->n_outputs;
    const real *weight = parameters + pylstm_net_n_parameters(&model->net), *bias = weight + n_outputs * width;
    NAME(kernels)(model->net.isa)
        ->dense(n, n_outputs, width, (struct const_rows){features, width}, weight, bias,
                (struct rows){outputs, n_outputs});
    if (model->loss == PYLSTM_CROSS_ENTROPY)
        NAME(softmax)(n, n_outputs, outputs);
}

/* ----------------------------------------------------------------- predict */

struct predict_memory {
    real *y;       /* [N][D * H] */
    real *pooled;  /* [B][D * H] */
    void *forward; /* [forward_bytes][1] */
    size_t forward_bytes;
};

static int carve_predict(const pylstm_model *model, const pylstm_shape *shape, struct arena *arena,
                         struct predict_memory *carved)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t width = pylstm_net_output_size(net);
    int status = NAME(forward_size)(net, shape, &carved->forward_bytes);
    if (status)
        return status;
    carved->y = arena_take(arena, shape->n_rows, width, sizeof(real));
    carved->pooled = arena_take(arena, is_pooled(model) ? shape->n_sequences : 0, width, sizeof(real));
    carved->forward = arena_take(arena, (ptrdiff_t)carved->forward_bytes, 1, 1);
    return PYLSTM_OK;
}

int NAME(predict_size)(const pylstm_model *model, const pylstm_shape *shape, size_t *bytes)
{
    struct arena counting = {0};
    struct predict_memory memory;
    int status = carve_predict(model, shape, &counting, &memory);
    return status ? status : arena_total(&counting, bytes);
}

static void read_out(const pylstm_model *model, const pylstm_batch *batch, const real *parameters, const real *y,
                     real *outputs, real *pooled)
{
    struct outputs all = outputs_of(model, batch);
    if (is_pooled(model))
        NAME(pool_forward)(&all, model->pooling, y, pooled);
    apply_head(model, n_predictions(model, &batch->shape), parameters, is_pooled(model) ? pooled : y, outputs);
}

int NAME(predict)(const pylstm_model *model, const pylstm_batch *batch, const void *parameters, pylstm_memory packed,
                  const void *x, const void *state_in, void *outputs, void *state_out, pylstm_memory workspace)
{
    struct arena arena = arena_at(workspace);
    struct predict_memory memory;
    int status = carve_predict(model, &batch->shape, &arena, &memory);
    if (!status)
        status = NAME(forward)(&model->net, batch, parameters, packed, x, state_in, memory.y, state_out, 0,
                               (pylstm_memory){NULL, 0}, (pylstm_memory){memory.forward, memory.forward_bytes});
    if (!status)
        read_out(model, batch, parameters, memory.y, outputs, memory.pooled);
    return status;
}

int NAME(read_out)(const pylstm_model *model, const pylstm_batch *batch, const void *parameters, const void *y,
                   void *outputs, pylstm_memory workspace)
{
    struct arena arena = arena_at(workspace);
    struct predict_memory memory;
    int status = carve_predict(model, &batch->shape, &arena, &memory);
    if (!status)
        read_out(model, batch, parameters, y, outputs, memory.pooled);
    return status;
}

/* ------------------------------------------------------------------- train */

struct train_memory {
    ptrdiff_t *lengths;     /* [B] */
    real *x;                /* [N][I] the mini-batch */
    ptrdiff_t *labels;      /* [E] */
    real *targets;          /* [E][n_outputs] */
    double *weights;        /* [E] */
    real *y, *dy;           /* [N][D * H] */
    real *pooled, *dpooled; /* [B][D * H]; without pooling y and dy */
    real *outputs;          /* [E][n_outputs], then their gradient */
    real *gradient;         /* [n_parameters] */
    pylstm_memory batch, tape, compute;
};

static pylstm_memory take_bytes(struct arena *arena, size_t bytes)
{
    return (pylstm_memory){arena_take(arena, (ptrdiff_t)bytes, 1, 1), bytes};
}

static int carve_train(const pylstm_model *model, const pylstm_shape *shape, struct arena *arena,
                       struct train_memory *carved)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t width = pylstm_net_output_size(net), n = n_predictions(model, shape), n_outputs = model->n_outputs;
    bool classifies = model->loss == PYLSTM_CROSS_ENTROPY;
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
    carved->x = arena_take(arena, shape->n_rows, net->input_size, sizeof(real));
    carved->labels = arena_take(arena, classifies ? n : 0, 1, sizeof(ptrdiff_t));
    carved->targets = arena_take(arena, classifies ? 0 : n, n_outputs, sizeof(real));
    carved->weights = arena_take(arena, n, 1, sizeof(double));
    carved->y = arena_take(arena, shape->n_rows, width, sizeof(real));
    carved->dy = arena_take(arena, shape->n_rows, width, sizeof(real));
    carved->pooled = is_pooled(model) ? arena_take(arena, shape->n_sequences, width, sizeof(real)) : carved->y;
    carved->dpooled = is_pooled(model) ? arena_take(arena, shape->n_sequences, width, sizeof(real)) : carved->dy;
    carved->outputs = arena_take(arena, n, n_outputs, sizeof(real));
    carved->gradient = arena_take(arena, pylstm_model_n_parameters(model), 1, sizeof(real));
    carved->batch = take_bytes(arena, batch_bytes);
    carved->tape = take_bytes(arena, tape_bytes);
    carved->compute = take_bytes(arena, forward_bytes > backward_bytes ? forward_bytes : backward_bytes);
    return PYLSTM_OK;
}

int NAME(train_step_size)(const pylstm_model *model, const pylstm_shape *bound, size_t *bytes)
{
    struct arena counting = {0};
    struct train_memory memory;
    int status = carve_train(model, bound, &counting, &memory);
    return status ? status : arena_total(&counting, bytes);
}

/* scale / 2 * sum(weights^2) over everything but biases; adds its gradient. */
static double weight_decay(const pylstm_model *model, double scale, const real *parameters, real *gradient)
{
    const pylstm_net *net = &model->net;
    const struct kernels *kernels = NAME(kernels)(net->isa);
    double squares = 0;
    for (ptrdiff_t l = 0; l <= net->n_layers && scale > 0; l++) {
        int is_head = l == net->n_layers;
        for (ptrdiff_t d = 0; d < (is_head ? 1 : net->n_directions); d++) {
            ptrdiff_t from = pylstm_net_n_parameters(net);
            ptrdiff_t to = from + model->n_outputs * pylstm_net_output_size(net);
            if (!is_head) {
                pylstm_layer at = pylstm_net_layer(net, l, d);
                from = at.weight_ih;
                to = at.bias;
            }
            squares += kernels->decay(to - from, scale, parameters + from, gradient + from);
        }
    }
    return scale / 2 * squares;
}

/* Where the labels, targets and weights of a sequence are: its own, or those of its rows. */
struct span {
    ptrdiff_t first, length;
};

static struct span span_of(const pylstm_model *model, const pylstm_dataset *dataset, ptrdiff_t index)
{
    return is_pooled(model) ? (struct span){index, 1} : (struct span){dataset->first[index], dataset->length[index]};
}

/* The shape of a mini-batch, with everything checked that the data decides. */
static int minibatch_shape(const pylstm_model *model, const pylstm_dataset *dataset, const ptrdiff_t *indices,
                           ptrdiff_t n_indices, pylstm_shape *shape)
{
    *shape = (pylstm_shape){.n_sequences = n_indices};
    for (ptrdiff_t b = 0; b < n_indices; b++) {
        if (indices[b] < 0 || indices[b] >= dataset->n_sequences)
            return PYLSTM_ERROR_INDEX;
        ptrdiff_t length = dataset->length[indices[b]];
        if (length < 1)
            return PYLSTM_ERROR_LENGTH;
        if (length > PTRDIFF_MAX - shape->n_rows)
            return PYLSTM_ERROR_OVERFLOW;
        shape->n_rows += length;
        shape->n_steps = length > shape->n_steps ? length : shape->n_steps;
        struct span span = span_of(model, dataset, indices[b]);
        for (ptrdiff_t e = span.first; model->loss == PYLSTM_CROSS_ENTROPY && e < span.first + span.length; e++)
            if (dataset->labels[e] < 0 || dataset->labels[e] >= model->n_outputs)
                return PYLSTM_ERROR_LABEL;
    }
    return PYLSTM_OK;
}

/* Copies the mini-batch into `memory`; returns the total weight. */
static double gather(const pylstm_model *model, const pylstm_dataset *dataset, const ptrdiff_t *indices,
                     ptrdiff_t n_indices, struct train_memory *memory)
{
    ptrdiff_t input_size = model->net.input_size, n_outputs = model->n_outputs, row = 0, e = 0;
    double total = 0;
    for (ptrdiff_t b = 0; b < n_indices; b++) {
        ptrdiff_t first = dataset->first[indices[b]], length = dataset->length[indices[b]];
        memcpy(memory->x + row * input_size, (const real *)dataset->x + first * input_size,
               (size_t)(length * input_size) * sizeof(real));
        memory->lengths[b] = length;
        row += length;
        struct span span = span_of(model, dataset, indices[b]);
        if (model->loss == PYLSTM_CROSS_ENTROPY)
            memcpy(memory->labels + e, dataset->labels + span.first, (size_t)span.length * sizeof(ptrdiff_t));
        else
            memcpy(memory->targets + e * n_outputs, (const real *)dataset->targets + span.first * n_outputs,
                   (size_t)(span.length * n_outputs) * sizeof(real));
        for (ptrdiff_t k = 0; k < span.length; k++, e++) {
            memory->weights[e] = dataset->weights ? dataset->weights[span.first + k] : 1;
            total += memory->weights[e];
        }
    }
    return total;
}

int NAME(train_step)(const pylstm_model *model, const pylstm_blas *blas, const pylstm_dataset *dataset,
                     const ptrdiff_t *indices, ptrdiff_t n_indices, void *parameters, pylstm_solver *solver,
                     uint64_t dropout_seed, const void *state_in, void *state_out, double *loss, double *weight,
                     pylstm_memory workspace)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t width = pylstm_net_output_size(net), n_outputs = model->n_outputs;
    pylstm_shape shape;
    size_t needed;
    int status = minibatch_shape(model, dataset, indices, n_indices, &shape);
    if (!status)
        status = NAME(train_step_size)(model, &shape, &needed);
    if (!status && workspace.bytes < needed)
        status = PYLSTM_ERROR_WORKSPACE;
    if (status)
        return status;
    struct arena arena = arena_at(workspace);
    struct train_memory memory;
    carve_train(model, &shape, &arena, &memory);
    double total = gather(model, dataset, indices, n_indices, &memory);

    pylstm_batch batch;
    status = pylstm_batch_init(&batch, n_indices, memory.lengths, memory.batch.data, memory.batch.bytes);
    if (!status)
        status = NAME(forward)(net, &batch, parameters, (pylstm_memory){NULL, 0}, memory.x, state_in, memory.y,
                               state_out, dropout_seed, memory.tape, memory.compute);
    if (status)
        return status;
    *loss = 0;
    *weight = total;
    if (total == 0)
        return PYLSTM_OK;

    ptrdiff_t n = n_predictions(model, &shape);
    struct outputs all = outputs_of(model, &batch);
    if (is_pooled(model))
        NAME(pool_forward)(&all, model->pooling, memory.y, memory.pooled);
    apply_head(model, n, parameters, memory.pooled, memory.outputs);
    *loss = model->loss == PYLSTM_CROSS_ENTROPY
                ? NAME(cross_entropy)(n, n_outputs, memory.outputs, memory.labels, memory.weights, total)
                : NAME(squared_error)(n, n_outputs, memory.outputs, memory.targets, memory.weights, total);

    real *doutputs = memory.outputs;
    ptrdiff_t at_weight = pylstm_net_n_parameters(net), at_bias = at_weight + n_outputs * width;
    ptrdiff_t n_parameters = at_bias + n_outputs;
    memset(memory.gradient + at_weight, 0, (size_t)(n_parameters - at_weight) * sizeof(real));
    add_dense_gradient(blas, n, n_outputs, width, doutputs, memory.pooled, memory.gradient + at_weight,
                       memory.gradient + at_bias);
    gemm(blas, 'N', 'N', n, width, n_outputs, doutputs, n_outputs, (const real *)parameters + at_weight, width, 0,
         memory.dpooled, width);
    if (is_pooled(model))
        NAME(pool_backward)(&all, model->pooling, memory.y, memory.pooled, memory.dpooled, memory.dy);

    status = NAME(backward)(net, &batch, parameters, memory.dy, NULL, memory.gradient, NULL, NULL, dropout_seed,
                            memory.tape, memory.compute);
    if (status)
        return status;
    *loss += weight_decay(model, solver->alpha / total, parameters, memory.gradient);
    const struct kernels *kernels = NAME(kernels)(net->isa);
    double squares = kernels->sum_of_squares(n_parameters, memory.gradient);
    if (!IS_FINITE(squares)) /* of a finite loss, too: the caller is to hear of it */
        *loss = squares;
    if (!IS_FINITE(*loss))
        return PYLSTM_OK;
    kernels->solver_step(n_parameters, parameters, memory.gradient, clipping(squares, solver->max_grad_norm), solver);
    return PYLSTM_OK;
}
