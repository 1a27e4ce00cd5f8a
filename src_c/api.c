/* The public functions: check what can be checked without reading arrays, then go to the dtype's own code. */
#include "arena.h"
#include "pylstm.h"
#include "typed.h"

#include <limits.h>

#define BY_DTYPE(dtype, function, ...)                                                                                 \
    ((dtype) == PYLSTM_FLOAT32 ? function##_f32(__VA_ARGS__) : function##_f64(__VA_ARGS__))

static int check_shape(const pylstm_shape *shape)
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
        status = check_shape(shape);
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

int pylstm_forward(const pylstm_net *net, const pylstm_batch *batch, const void *parameters, const void *x,
                   const void *state_in, void *y, void *state_out, uint64_t dropout_seed, pylstm_memory tape,
                   pylstm_memory workspace)
{
    if (!batch || !parameters || !x || !y)
        return PYLSTM_ERROR_NULL;
    size_t tape_bytes = 0, bytes = 0;
    int status = pylstm_forward_size(net, &batch->shape, &bytes);
    if (!status)
        status = check_memory(workspace, bytes);
    if (!status && tape.data)
        status = pylstm_tape_size(net, &batch->shape, &tape_bytes);
    if (!status && tape.data)
        status = check_memory(tape, tape_bytes);
    return status ? status
                  : BY_DTYPE(net->dtype, pylstm_forward, net, batch, parameters, x, state_in, y, state_out,
                             dropout_seed, tape, workspace);
}

int pylstm_backward(const pylstm_net *net, const pylstm_batch *batch, const void *parameters, const void *dy,
                    const void *dstate_out, void *dparameters, void *dx, void *dstate_in, uint64_t dropout_seed,
                    pylstm_memory tape, pylstm_memory workspace)
{
    if (!batch || !parameters || !dy || !dparameters)
        return PYLSTM_ERROR_NULL;
    size_t tape_bytes = 0, bytes = 0;
    int status = pylstm_backward_size(net, &batch->shape, &bytes);
    if (!status)
        status = pylstm_tape_size(net, &batch->shape, &tape_bytes);
    if (!status)
        status = check_memory(workspace, bytes);
    if (!status)
        status = check_memory(tape, tape_bytes);
    return status ? status
                  : BY_DTYPE(net->dtype, pylstm_backward, net, batch, parameters, dy, dstate_out, dparameters, dx,
                             dstate_in, dropout_seed, tape, workspace);
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

/* -------------------------------------------------------------- classifier */

int pylstm_classifier_check(const pylstm_classifier *classifier)
{
    if (!classifier)
        return PYLSTM_ERROR_NULL;
    int status = pylstm_net_check(&classifier->net);
    if (status)
        return status;
    if (classifier->n_outputs < 1)
        return PYLSTM_ERROR_SIZE;
    ptrdiff_t width = pylstm_net_output_size(&classifier->net);
    if (classifier->n_outputs > INT_MAX ||
        classifier->n_outputs > (PTRDIFF_MAX / 16 - pylstm_net_n_parameters(&classifier->net)) / (width + 1))
        return PYLSTM_ERROR_OVERFLOW;
    if (classifier->pooling != PYLSTM_POOL_LAST && classifier->pooling != PYLSTM_POOL_MEAN &&
        classifier->pooling != PYLSTM_POOL_MAX)
        return PYLSTM_ERROR_POOLING;
    return PYLSTM_OK;
}

ptrdiff_t pylstm_classifier_n_parameters(const pylstm_classifier *classifier)
{
    return pylstm_net_n_parameters(&classifier->net) +
           classifier->n_outputs * (pylstm_net_output_size(&classifier->net) + 1);
}

static int check_classifier_size(const pylstm_classifier *classifier, const pylstm_shape *shape, const size_t *bytes)
{
    int status = pylstm_classifier_check(classifier);
    return status ? status : check_size(&classifier->net, shape, bytes);
}

int pylstm_predict_size(const pylstm_classifier *classifier, const pylstm_shape *shape, size_t *bytes)
{
    int status = check_classifier_size(classifier, shape, bytes);
    return status ? status : BY_DTYPE(classifier->net.dtype, pylstm_predict_size, classifier, shape, bytes);
}

int pylstm_predict(const pylstm_classifier *classifier, const pylstm_blas *blas, const pylstm_batch *batch,
                   const void *parameters, const void *x, void *probabilities, pylstm_memory workspace)
{
    if (!blas || !batch || !parameters || !x || !probabilities)
        return PYLSTM_ERROR_NULL;
    size_t bytes = 0;
    int status = pylstm_predict_size(classifier, &batch->shape, &bytes);
    if (!status)
        status = check_memory(workspace, bytes);
    return status ? status
                  : BY_DTYPE(classifier->net.dtype, pylstm_predict, classifier, blas, batch, parameters, x,
                             probabilities, workspace);
}

int pylstm_train_step_size(const pylstm_classifier *classifier, const pylstm_shape *bound, size_t *bytes)
{
    int status = check_classifier_size(classifier, bound, bytes);
    return status ? status : BY_DTYPE(classifier->net.dtype, pylstm_train_step_size, classifier, bound, bytes);
}

int pylstm_train_step(const pylstm_classifier *classifier, const pylstm_blas *blas, const pylstm_dataset *dataset,
                      const ptrdiff_t *indices, ptrdiff_t n_indices, void *parameters, pylstm_adam *adam,
                      uint64_t dropout_seed, double *loss, pylstm_memory workspace)
{
    if (!blas || !dataset || !dataset->x || !dataset->first || !dataset->labels || !indices || !parameters || !adam ||
        !adam->first_moment || !adam->second_moment || !loss || !workspace.data)
        return PYLSTM_ERROR_NULL;
    if (n_indices < 1)
        return PYLSTM_ERROR_SIZE;
    if (n_indices > INT_MAX)
        return PYLSTM_ERROR_OVERFLOW;
    int status = pylstm_classifier_check(classifier);
    return status ? status
                  : BY_DTYPE(classifier->net.dtype, pylstm_train_step, classifier, blas, dataset, indices, n_indices,
                             parameters, adam, dropout_seed, loss, workspace);
}
