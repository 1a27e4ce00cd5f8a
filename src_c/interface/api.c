/* The public functions: check what can be checked without reading arrays, then go to the dtype's own code. */
#include "interface/checks.h"
#include "layers/net.h"
#include "layers/passes.h"
#include "model/model.h"
#include "pylstm.h"
#include "support/arena.h"

#include <limits.h>

int pylstm_net_check(const pylstm_net *net)
{
    if (!net || !net->hidden_sizes)
        return PYLSTM_ERROR_NULL;
    if (net->dtype != PYLSTM_FLOAT32 && net->dtype != PYLSTM_FLOAT64)
        return PYLSTM_ERROR_DTYPE;
    if ((int)net->cell < 0 || net->cell >= PYLSTM_N_CELLS)
        return PYLSTM_ERROR_CELL;
    if (!pylstm_isa_available((int)net->isa))
        return PYLSTM_ERROR_ISA;
    if (net->input_size < 1 || net->n_layers < 1 || net->n_directions < 1 || net->n_directions > 2 ||
        net->n_threads < 1)
        return PYLSTM_ERROR_SIZE;
    if (!(net->dropout >= 0.0 && net->dropout < 1.0))
        return PYLSTM_ERROR_DROPOUT;
    if ((int)net->input < 0 || net->input >= PYLSTM_N_INPUTS)
        return PYLSTM_ERROR_INPUT;
    if (reads_tokens(net) && (net->n_tokens < 1 || (!has_table(net) && net->n_tokens != net->input_size)))
        return PYLSTM_ERROR_SIZE;
    ptrdiff_t input = net->input_size, n_parameters = 0;
    if (has_table(net)) {
        if (net->n_tokens > INT_MAX || input > INT_MAX || !product_fits(net->n_tokens, input))
            return PYLSTM_ERROR_OVERFLOW;
        n_parameters = net->n_tokens * input;
    }
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        ptrdiff_t hidden = net->hidden_sizes[l];
        if (hidden < 1)
            return PYLSTM_ERROR_SIZE;
        /* 4H and I + H + 1 are dimensions of BLAS calls; their product, doubled for two directions, counts elements. */
        if (hidden > INT_MAX / 4 || input > INT_MAX - 1 - hidden)
            return PYLSTM_ERROR_OVERFLOW;
        if (!product_fits(8 * hidden, input + hidden + 1))
            return PYLSTM_ERROR_OVERFLOW;
        ptrdiff_t per_layer = 8 * hidden * (input + hidden + 1);
        if (n_parameters > PTRDIFF_MAX / 16 || per_layer > PTRDIFF_MAX / 16 - n_parameters)
            return PYLSTM_ERROR_OVERFLOW;
        n_parameters += per_layer;
        input = net->n_directions * hidden;
    }
    return PYLSTM_OK;
}

int pylstm_shape_check(const pylstm_shape *shape)
{
    if (!shape)
        return PYLSTM_ERROR_NULL;
    if (shape->n_sequences < 1 || shape->n_steps < 1 || shape->n_rows < 1)
        return PYLSTM_ERROR_SIZE;
    return shape->n_sequences > INT_MAX ? PYLSTM_ERROR_OVERFLOW : PYLSTM_OK;
}

static int check_size(const pylstm_net *net, const pylstm_shape *shape, const size_t *bytes)
{
    int status = pylstm_net_check(net);
    if (!status)
        status = pylstm_shape_check(shape);
    return !status && !bytes ? PYLSTM_ERROR_NULL : status;
}

static int check_memory(pylstm_memory memory, size_t needed)
{
    if (!memory.data)
        return PYLSTM_ERROR_NULL;
    return memory.bytes < needed ? PYLSTM_ERROR_WORKSPACE : PYLSTM_OK;
}

int pylstm_tape_size(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    int status = check_size(net, shape, bytes);
    return status ? status : BY_DTYPE(net->dtype, pylstm_tape_size, net, shape, bytes);
}

int pylstm_forward_size(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    int status = check_size(net, shape, bytes);
    return status ? status : BY_DTYPE(net->dtype, pylstm_forward_size, net, shape, bytes);
}

int pylstm_backward_size(const pylstm_net *net, const pylstm_shape *shape, size_t *bytes)
{
    int status = check_size(net, shape, bytes);
    return status ? status : BY_DTYPE(net->dtype, pylstm_backward_size, net, shape, bytes);
}

int pylstm_packed_size(const pylstm_net *net, size_t *bytes)
{
    int status = pylstm_net_check(net);
    if (!status && !bytes)
        status = PYLSTM_ERROR_NULL;
    return status ? status : BY_DTYPE(net->dtype, pylstm_packed_size, net, bytes);
}

/* NULL data is none. */
static int check_packed(const pylstm_net *net, pylstm_memory packed)
{
    size_t bytes = 0;
    int status = packed.data ? pylstm_packed_size(net, &bytes) : PYLSTM_OK;
    return !status && packed.data ? check_memory(packed, bytes) : status;
}

int pylstm_pack(const pylstm_net *net, const void *parameters, pylstm_memory packed)
{
    if (!parameters || !packed.data)
        return PYLSTM_ERROR_NULL;
    int status = check_packed(net, packed);
    if (status)
        return status;
    BY_DTYPE(net->dtype, pylstm_pack, net, parameters, packed);
    return PYLSTM_OK;
}

/* With a loop for each size, as each is one of vectors. */
#define DEFINE_LARGEST(name, type)                                                                                     \
    static uint32_t name(const type *tokens, ptrdiff_t n, ptrdiff_t stride)                                            \
    {                                                                                                                  \
        uint32_t largest = 0;                                                                                          \
        for (ptrdiff_t k = 0; k < n; k++)                                                                              \
            largest = tokens[k * stride] > largest ? tokens[k * stride] : largest;                                     \
        return largest;                                                                                                \
    }

DEFINE_LARGEST(largest_of_bytes, uint8_t)
DEFINE_LARGEST(largest_of_pairs, uint16_t)
DEFINE_LARGEST(largest_of_quads, uint32_t)

int pylstm_tokens_check(const pylstm_net *net, const void *tokens, int token_size, ptrdiff_t n, ptrdiff_t stride)
{
    if (!reads_tokens(net))
        return PYLSTM_OK;
    if (!tokens)
        return PYLSTM_ERROR_NULL;
    if (token_size != 1 && token_size != 2 && token_size != 4)
        return PYLSTM_ERROR_TOKEN;
    uint32_t largest = token_size == 1   ? largest_of_bytes(tokens, n, stride)
                       : token_size == 2 ? largest_of_pairs(tokens, n, stride)
                                         : largest_of_quads(tokens, n, stride);
    return (int64_t)largest < (int64_t)net->n_tokens ? PYLSTM_OK : PYLSTM_ERROR_TOKEN;
}

static int check_forward(const pylstm_net *net, const pylstm_forward_pass *pass)
{
    if (!pass || !pass->batch || !pass->parameters || !pass->x || !pass->y)
        return PYLSTM_ERROR_NULL;
    size_t tape_bytes = 0, bytes = 0;
    const pylstm_shape *shape = &pass->batch->shape;
    int status = pylstm_forward_size(net, shape, &bytes);
    if (!status)
        status = check_memory(pass->workspace, bytes);
    if (!status && pass->tape.data)
        status = pylstm_tape_size(net, shape, &tape_bytes);
    if (!status && pass->tape.data)
        status = check_memory(pass->tape, tape_bytes);
    if (!status)
        status = pylstm_tokens_check(net, pass->x, pass->token_size, shape->n_rows, 1);
    return status ? status : check_packed(net, pass->packed);
}

int pylstm_forward(const pylstm_net *net, const pylstm_forward_pass *pass)
{
    int status = check_forward(net, pass);
    return status ? status : BY_DTYPE(net->dtype, pylstm_forward, net, pass);
}

int pylstm_trace(const pylstm_net *net, const pylstm_forward_pass *pass)
{
    if (!pass || !pass->tape.data || (pass->held && !pass->packed.data))
        return PYLSTM_ERROR_NULL;
    int status = check_forward(net, pass);
    return status ? status : BY_DTYPE(net->dtype, pylstm_trace, net, pass);
}

int pylstm_backward(const pylstm_net *net, const pylstm_backward_pass *pass)
{
    if (!pass || !pass->batch || !pass->parameters || !pass->dy || !pass->dparameters)
        return PYLSTM_ERROR_NULL;
    size_t tape_bytes = 0, bytes = 0;
    int status = pylstm_backward_size(net, &pass->batch->shape, &bytes);
    if (!status)
        status = pylstm_tape_size(net, &pass->batch->shape, &tape_bytes);
    if (!status)
        status = check_memory(pass->workspace, bytes);
    if (!status)
        status = check_memory(pass->tape, tape_bytes);
    if (!status && reads_tokens(net) && pass->dx)
        status = PYLSTM_ERROR_INPUT;
    if (!status && learns_table(net))
        status = pylstm_tokens_check(net, pass->x, pass->token_size, pass->batch->shape.n_rows, 1);
    return status ? status : BY_DTYPE(net->dtype, pylstm_backward, net, pass);
}

int pylstm_tape_read(const pylstm_net *net, const pylstm_batch *batch, ptrdiff_t layer, ptrdiff_t direction,
                     pylstm_memory tape, void *values)
{
    if (!batch || !values)
        return PYLSTM_ERROR_NULL;
    size_t bytes = 0;
    int status = pylstm_tape_size(net, &batch->shape, &bytes);
    if (!status && (layer < 0 || layer >= net->n_layers || direction < 0 || direction >= net->n_directions))
        status = PYLSTM_ERROR_INDEX;
    if (!status)
        status = check_memory(tape, bytes);
    return status ? status : BY_DTYPE(net->dtype, pylstm_tape_read, net, batch, layer, direction, tape, values);
}

/* ------------------------------------------------------------------- model */

int pylstm_model_check(const pylstm_model *model)
{
    if (!model)
        return PYLSTM_ERROR_NULL;
    int status = pylstm_net_check(&model->net);
    if (status)
        return status;
    if (model->n_outputs < 1)
        return PYLSTM_ERROR_SIZE;
    ptrdiff_t width = pylstm_net_output_size(&model->net);
    if (model->is_tied &&
        (!learns_table(&model->net) || model->n_outputs != model->net.n_tokens || width != model->net.input_size))
        return PYLSTM_ERROR_SIZE;
    if (model->n_outputs > INT_MAX ||
        model->n_outputs > (PTRDIFF_MAX / 16 - pylstm_net_n_parameters(&model->net)) / (width + 1))
        return PYLSTM_ERROR_OVERFLOW;
    if (model->pooling < PYLSTM_POOL_LAST || model->pooling > PYLSTM_POOL_NONE)
        return PYLSTM_ERROR_POOLING;
    return (int)model->loss < 0 || model->loss >= PYLSTM_N_LOSSES ? PYLSTM_ERROR_LOSS : PYLSTM_OK;
}

static int check_model_size(const pylstm_model *model, const pylstm_shape *shape, const size_t *bytes)
{
    int status = pylstm_model_check(model);
    return status ? status : check_size(&model->net, shape, bytes);
}

int pylstm_predict_size(const pylstm_model *model, const pylstm_shape *shape, size_t *bytes)
{
    int status = check_model_size(model, shape, bytes);
    return status ? status : BY_DTYPE(model->net.dtype, pylstm_predict_size, model, shape, bytes);
}

int pylstm_predict(const pylstm_model *model, const pylstm_forward_pass *pass)
{
    if (!pass || !pass->batch || !pass->parameters || !pass->x || !pass->y)
        return PYLSTM_ERROR_NULL;
    size_t bytes = 0;
    int status = pylstm_predict_size(model, &pass->batch->shape, &bytes);
    if (!status)
        status = check_memory(pass->workspace, bytes);
    if (!status)
        status = check_packed(&model->net, pass->packed);
    if (!status)
        status = pylstm_tokens_check(&model->net, pass->x, pass->token_size, pass->batch->shape.n_rows, 1);
    return status ? status : BY_DTYPE(model->net.dtype, pylstm_predict, model, pass);
}

int pylstm_read_out(const pylstm_model *model, const pylstm_batch *batch, const void *parameters, const void *y,
                    void *outputs, pylstm_memory workspace)
{
    if (!batch || !parameters || !y || !outputs)
        return PYLSTM_ERROR_NULL;
    size_t bytes = 0;
    int status = pylstm_predict_size(model, &batch->shape, &bytes);
    if (!status)
        status = check_memory(workspace, bytes);
    return status ? status
                  : BY_DTYPE(model->net.dtype, pylstm_read_out, model, batch, parameters, y, outputs, workspace);
}

int pylstm_model_or_net_check(const pylstm_model *model)
{
    return model && model->n_outputs == 0 ? pylstm_net_check(&model->net) : pylstm_model_check(model);
}

static int check_missing(const pylstm_missing *missing, ptrdiff_t n_inputs, bool are_scaled)
{
    if (missing->kind == PYLSTM_MISSING_NONE)
        return PYLSTM_OK;
    if (missing->kind != PYLSTM_MISSING_INDICATOR && missing->kind != PYLSTM_MISSING_HOLD)
        return PYLSTM_ERROR_MISSING;
    if (!missing->mean || !are_scaled || (missing->n_columns > 0 && !missing->columns))
        return PYLSTM_ERROR_NULL;
    if (missing->n_columns < 0 || missing->n_columns > (n_inputs - 1) / 2 ||
        (missing->kind == PYLSTM_MISSING_HOLD && missing->n_columns > 0))
        return PYLSTM_ERROR_SIZE;
    for (ptrdiff_t k = 0; k < missing->n_columns; k++)
        if (missing->columns[k] < 0 || missing->columns[k] >= n_inputs - 2 * missing->n_columns)
            return PYLSTM_ERROR_SIZE;
    return PYLSTM_OK;
}

int pylstm_scalings_check(const pylstm_model *model, const pylstm_scalings *scalings)
{
    if (!scalings)
        return PYLSTM_OK;
    const pylstm_scaling *inputs = &scalings->inputs, *targets = &scalings->targets;
    if (reads_tokens(&model->net) && (inputs->mean || scalings->missing.kind != PYLSTM_MISSING_NONE))
        return PYLSTM_ERROR_INPUT;
    if (!inputs->mean != !inputs->scale || !targets->mean != !targets->scale)
        return PYLSTM_ERROR_NULL;
    if (targets->mean && model->n_outputs == 0)
        return PYLSTM_ERROR_SIZE;
    return check_missing(&scalings->missing, model->net.input_size, inputs->mean != NULL);
}

static int check_stream(const pylstm_model *model, ptrdiff_t batch_size)
{
    int status = pylstm_model_or_net_check(model);
    if (status)
        return status;
    if (model->net.n_directions != 1)
        return PYLSTM_ERROR_DIRECTION;
    if (batch_size < 1)
        return PYLSTM_ERROR_SIZE;
    return batch_size > INT_MAX ? PYLSTM_ERROR_OVERFLOW : PYLSTM_OK;
}

int pylstm_stream_size(const pylstm_model *model, ptrdiff_t batch_size, size_t *bytes)
{
    int status = check_stream(model, batch_size);
    if (!status && !bytes)
        status = PYLSTM_ERROR_NULL;
    return status ? status : BY_DTYPE(model->net.dtype, pylstm_stream_size, model, batch_size, bytes);
}

int pylstm_stream_init(pylstm_stream **stream, const pylstm_model *model, ptrdiff_t batch_size, const void *parameters,
                       const pylstm_scalings *scalings, pylstm_memory memory)
{
    if (!stream || !parameters)
        return PYLSTM_ERROR_NULL;
    size_t bytes = 0;
    int status = pylstm_stream_size(model, batch_size, &bytes);
    if (!status)
        status = check_memory(memory, bytes);
    if (!status)
        status = pylstm_scalings_check(model, scalings);
    if (status)
        return status;
    *stream = BY_DTYPE(model->net.dtype, pylstm_stream_init, model, batch_size, memory);
    if (scalings) {
        (*stream)->missing = scalings->missing.kind;
        (*stream)->n_columns = scalings->missing.kind == PYLSTM_MISSING_NONE ? 0 : scalings->missing.n_columns;
    }
    status = pylstm_stream_set_weights(*stream, parameters, scalings);
    return status ? status : pylstm_stream_set_state(*stream, NULL);
}

int pylstm_stream_set_weights(pylstm_stream *stream, const void *parameters, const pylstm_scalings *scalings)
{
    const pylstm_scalings none = {.missing = {PYLSTM_MISSING_NONE, NULL, 0, NULL}};
    if (!stream || !parameters)
        return PYLSTM_ERROR_NULL;
    int status = pylstm_scalings_check(&stream->model, scalings);
    if (status)
        return status;
    const pylstm_missing *missing = scalings ? &scalings->missing : &none.missing;
    if (missing->kind != stream->missing || (missing->kind && missing->n_columns != stream->n_columns))
        return PYLSTM_ERROR_MISSING;
    BY_DTYPE(stream->dtype, pylstm_stream_set_weights, stream, parameters, scalings ? *scalings : none);
    return PYLSTM_OK;
}

int pylstm_stream_set_state(pylstm_stream *stream, const void *state)
{
    if (!stream)
        return PYLSTM_ERROR_NULL;
    BY_DTYPE(stream->dtype, pylstm_stream_set_state, stream, state);
    return PYLSTM_OK;
}

int pylstm_stream_get_state(const pylstm_stream *stream, void *state)
{
    if (!stream || !state)
        return PYLSTM_ERROR_NULL;
    BY_DTYPE(stream->dtype, pylstm_stream_get_state, stream, state);
    return PYLSTM_OK;
}

int pylstm_stream_set_pool(pylstm_stream *stream, const void *pool, const int64_t *counts)
{
    const int64_t most = INT64_C(1) << 53;
    if (!stream || !pool || !counts)
        return PYLSTM_ERROR_NULL;
    if (!is_running_pool(&stream->model))
        return PYLSTM_ERROR_POOLING;
    for (ptrdiff_t b = 0; b < stream->batch_size; b++)
        if (counts[b] < 0 || counts[b] > most)
            return counts[b] < 0 ? PYLSTM_ERROR_SIZE : PYLSTM_ERROR_OVERFLOW;
    BY_DTYPE(stream->dtype, pylstm_stream_set_pool, stream, pool, counts);
    return PYLSTM_OK;
}

int pylstm_stream_get_pool(const pylstm_stream *stream, void *pool, int64_t *counts)
{
    if (!stream || !pool || !counts)
        return PYLSTM_ERROR_NULL;
    if (!is_running_pool(&stream->model))
        return PYLSTM_ERROR_POOLING;
    BY_DTYPE(stream->dtype, pylstm_stream_get_pool, stream, pool, counts);
    return PYLSTM_OK;
}

int pylstm_stream_set_kept(pylstm_stream *stream, const double *kept)
{
    if (!stream || !kept)
        return PYLSTM_ERROR_NULL;
    if (stream->missing == PYLSTM_MISSING_NONE)
        return PYLSTM_ERROR_MISSING;
    BY_DTYPE(stream->dtype, pylstm_stream_set_kept, stream, kept);
    return PYLSTM_OK;
}

int pylstm_stream_get_kept(const pylstm_stream *stream, double *kept)
{
    if (!stream || !kept)
        return PYLSTM_ERROR_NULL;
    if (stream->missing == PYLSTM_MISSING_NONE)
        return PYLSTM_ERROR_MISSING;
    BY_DTYPE(stream->dtype, pylstm_stream_get_kept, stream, kept);
    return PYLSTM_OK;
}

int pylstm_stream_process(pylstm_stream *stream, ptrdiff_t n_steps, const void *x, void *y)
{
    if (!stream || !x || !y)
        return PYLSTM_ERROR_NULL;
    if (n_steps < 1)
        return PYLSTM_ERROR_SIZE;
    if (pylstm_tokens_check(&stream->model.net, x, 4, stream->batch_size * n_steps, 1))
        return PYLSTM_ERROR_TOKEN;
    BY_DTYPE(stream->dtype, pylstm_stream_process, stream, n_steps, x, y);
    return PYLSTM_OK;
}

int pylstm_stream_generate(pylstm_stream *stream, pylstm_sampler *sampler, uint32_t token, ptrdiff_t n,
                           uint32_t *tokens)
{
    if (!stream || !sampler || !tokens || (sampler->n_excluded > 0 && !sampler->excluded))
        return PYLSTM_ERROR_NULL;
    const pylstm_model *model = &stream->model;
    if (!reads_tokens(&model->net) || model->n_outputs != model->net.n_tokens)
        return PYLSTM_ERROR_INPUT;
    if (n < 1 || stream->batch_size != 1 || !(sampler->temperature >= 0) || sampler->top_k < 0 ||
        !(sampler->top_p > 0 && sampler->top_p <= 1) || sampler->n_excluded < 0 ||
        sampler->n_excluded >= model->n_outputs)
        return PYLSTM_ERROR_SIZE;
    int status = pylstm_tokens_check(&model->net, &token, 4, 1, 1);
    if (!status && sampler->n_excluded > 0)
        status = pylstm_tokens_check(&model->net, sampler->excluded, 4, sampler->n_excluded, 1);
    if (!status)
        BY_DTYPE(stream->dtype, pylstm_stream_generate, stream, sampler, token, n, tokens);
    return status;
}
