/* What a model says: its layers over whole sequences, pooling, the dense layer on top, predictions of its outputs. */
#include "kernels/isa.h"
#include "layers/passes.h"
#include "model/losses.h"
#include "model/model.h"
#include "model/pooling.h"
#include "support/arena.h"

/* outputs [n][n_outputs] = features [n][D * H] weight_out' + bias_out, then predictions of them */
static void apply_head(const pylstm_model *model, ptrdiff_t n, const real *parameters, const real *features,
                       real *outputs)
{
    ptrdiff_t width = pylstm_net_output_size(&model->net), n_outputs = model->n_outputs;
    pylstm_head_place at = pylstm_model_head(model);
    NAME(kernels)(model->net.isa)
        ->dense(n, n_outputs, width, (struct const_rows){features, width}, parameters + at.weight, parameters + at.bias,
                (struct rows){outputs, n_outputs});
    const struct loss *loss = NAME(loss)(model->loss);
    for (ptrdiff_t e = 0; loss->predict && e < n; e++)
        loss->predict(n_outputs, outputs + e * n_outputs);
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
    struct outputs all = NAME(outputs_of)(&model->net, batch);
    if (is_pooled(model))
        NAME(pool_forward)(&all, model->pooling, y, pooled);
    apply_head(model, n_predictions(model, &batch->shape), parameters, is_pooled(model) ? pooled : y, outputs);
}

int NAME(predict)(const pylstm_model *model, const pylstm_forward_pass *pass)
{
    struct arena arena = arena_at(pass->workspace);
    struct predict_memory memory;
    int status = carve_predict(model, &pass->batch->shape, &arena, &memory);
    pylstm_forward_pass layers = *pass;
    layers.y = memory.y;
    layers.tape = (pylstm_memory){NULL, 0};
    layers.workspace = (pylstm_memory){memory.forward, memory.forward_bytes};
    if (!status)
        status = NAME(forward)(&model->net, &layers);
    if (!status)
        read_out(model, pass->batch, pass->parameters, memory.y, pass->y, memory.pooled);
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
