/* The public functions of training: what api.c does for the others. */
#include "interface/checks.h"
#include "layers/net.h"
#include "model/model.h"

#include <float.h>

/* Only training reads it. */
static bool parameter_fits(const pylstm_model *model)
{
    double parameter = model->loss_parameter;
    if (model->loss == PYLSTM_HUBER)
        return parameter > 0 && parameter <= DBL_MAX;
    return model->loss != PYLSTM_QUANTILE || (parameter > 0 && parameter < 1);
}

int pylstm_gradient_size(const pylstm_model *model, const pylstm_shape *bound, size_t *bytes)
{
    int status = pylstm_model_check(model);
    if (!status)
        status = pylstm_shape_check(bound);
    if (!status && !parameter_fits(model))
        status = PYLSTM_ERROR_LOSS;
    if (!status && !bytes)
        status = PYLSTM_ERROR_NULL;
    return status ? status : BY_DTYPE(model->net.dtype, pylstm_gradient_size, model, bound, bytes);
}

int pylstm_gradient_init(pylstm_gradient **gradient, const pylstm_model *model, const pylstm_blas *blas,
                         const pylstm_shape *bound, void *parameters, void *gradients, pylstm_memory memory)
{
    if (!gradient || !blas || !parameters || !gradients || !memory.data)
        return PYLSTM_ERROR_NULL;
    size_t bytes = 0;
    int status = pylstm_gradient_size(model, bound, &bytes);
    if (!status && memory.bytes < bytes)
        status = PYLSTM_ERROR_WORKSPACE;
    if (!status)
        *gradient = BY_DTYPE(model->net.dtype, pylstm_gradient_init, model, blas, bound, parameters, gradients, memory);
    return status;
}

int pylstm_gradient_begin(pylstm_gradient *gradient)
{
    if (!gradient)
        return PYLSTM_ERROR_NULL;
    BY_DTYPE(gradient->dtype, pylstm_gradient_begin, gradient);
    return PYLSTM_OK;
}

static int check_labels(const pylstm_model *model, const pylstm_minibatch *batch)
{
    for (ptrdiff_t b = 0; b < batch->n_sequences; b++) {
        const ptrdiff_t *labels = batch->targets[b];
        for (ptrdiff_t e = 0; e < (is_pooled(model) ? 1 : batch->length[b]); e++)
            if (labels[e] < 0 || labels[e] >= model->n_outputs)
                return PYLSTM_ERROR_LABEL;
    }
    return PYLSTM_OK;
}

/* Everything that is known of a mini-batch before it is read. */
static int check_batch(const pylstm_gradient *gradient, const pylstm_minibatch *batch)
{
    if (!gradient || !batch || !batch->x || !batch->length)
        return PYLSTM_ERROR_NULL;
    pylstm_shape shape;
    int status = pylstm_shape_init(&shape, batch->n_sequences, batch->length);
    if (status)
        return status;
    const pylstm_shape *bound = &gradient->bound;
    if (shape.n_sequences > bound->n_sequences || shape.n_steps > bound->n_steps || shape.n_rows > bound->n_rows)
        return PYLSTM_ERROR_WORKSPACE;
    const pylstm_net *net = &gradient->model.net;
    if (batch->x_stride < (reads_tokens(net) ? 1 : net->input_size) || !(batch->total_weight >= 0))
        return PYLSTM_ERROR_SIZE;
    for (ptrdiff_t b = 0; b < batch->n_sequences && !status; b++) {
        if (!batch->x[b])
            return PYLSTM_ERROR_NULL;
        status = pylstm_tokens_check(net, batch->x[b], batch->token_size, batch->length[b], batch->x_stride);
    }
    return status;
}

/* And of its targets, where the loss is the model's. */
static int check_targets(const pylstm_gradient *gradient, const pylstm_minibatch *batch)
{
    int status = check_batch(gradient, batch);
    if (!status && gradient->model.loss == PYLSTM_CALLER)
        status = PYLSTM_ERROR_LOSS;
    if (!status && !batch->targets)
        status = PYLSTM_ERROR_NULL;
    return !status && pylstm_reads_labels(gradient->model.loss) ? check_labels(&gradient->model, batch) : status;
}

int pylstm_gradient_add(pylstm_gradient *gradient, const pylstm_minibatch *batch)
{
    int status = check_targets(gradient, batch);
    if (!status)
        BY_DTYPE(gradient->dtype, pylstm_gradient_add, gradient, batch);
    return status;
}

int pylstm_gradient_outputs(pylstm_gradient *gradient, const pylstm_minibatch *batch, void *outputs)
{
    int status = outputs ? check_batch(gradient, batch) : PYLSTM_ERROR_NULL;
    if (!status)
        BY_DTYPE(gradient->dtype, pylstm_gradient_outputs, gradient, batch, outputs);
    return status;
}

int pylstm_gradient_backward(pylstm_gradient *gradient, const pylstm_minibatch *batch, const void *doutputs)
{
    int status = doutputs ? check_batch(gradient, batch) : PYLSTM_ERROR_NULL;
    if (!status)
        BY_DTYPE(gradient->dtype, pylstm_gradient_backward, gradient, batch, doutputs);
    return status;
}

int pylstm_gradient_finish(pylstm_gradient *gradient, double *loss)
{
    if (!gradient || !loss)
        return PYLSTM_ERROR_NULL;
    *loss = BY_DTYPE(gradient->dtype, pylstm_gradient_finish, gradient);
    return PYLSTM_OK;
}

static int check_solver(const pylstm_solver *solver)
{
    if (!solver)
        return PYLSTM_ERROR_NULL;
    if (solver->kind < PYLSTM_ADAM || solver->kind > PYLSTM_RMSPROP)
        return PYLSTM_ERROR_SOLVER;
    bool reads_first = solver->kind == PYLSTM_ADAM || (solver->kind == PYLSTM_SGD && solver->momentum != 0);
    bool lacks = (reads_first && !solver->first_moment) || (solver->kind != PYLSTM_SGD && !solver->second_moment);
    return lacks ? PYLSTM_ERROR_NULL : PYLSTM_OK;
}

int pylstm_update(const pylstm_model *model, pylstm_solver *solver, void *parameters, void *gradients,
                  double total_weight, double *loss)
{
    if (!parameters || !gradients || !loss)
        return PYLSTM_ERROR_NULL;
    int status = pylstm_model_check(model);
    if (!status)
        status = check_solver(solver);
    if (!status && !(total_weight > 0))
        status = PYLSTM_ERROR_SIZE;
    if (!status)
        *loss = BY_DTYPE(model->net.dtype, pylstm_update, model, solver, parameters, gradients, total_weight, *loss);
    return status;
}

int pylstm_train_step(pylstm_gradient *gradient, const pylstm_minibatch *batch, pylstm_solver *solver, double *loss)
{
    int status = loss ? check_solver(solver) : PYLSTM_ERROR_NULL;
    if (!status)
        status = check_targets(gradient, batch);
    if (!status)
        *loss = BY_DTYPE(gradient->dtype, pylstm_train_step, gradient, batch, solver);
    return status;
}
