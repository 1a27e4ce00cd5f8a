#include "model/losses.h"

#include <string.h>

/* The targets are the gradient itself, of a loss that the caller knows. */
static double given_row(ptrdiff_t n, real *outputs, struct target target, double share, double parameter)
{
    (void)share, (void)parameter;
    memcpy(outputs, target.values, (size_t)n * sizeof *outputs);
    return 0;
}

const struct loss *NAME(loss)(pylstm_loss loss)
{
    static const struct loss losses[PYLSTM_N_LOSSES] = {
        [PYLSTM_CROSS_ENTROPY] = {true, cross_entropy_row, softmax_row},
        [PYLSTM_SQUARED_ERROR] = {false, squared_error_row, NULL},
        [PYLSTM_ABSOLUTE_ERROR] = {false, absolute_error_row, NULL},
        [PYLSTM_HUBER] = {false, huber_row, NULL},
        [PYLSTM_QUANTILE] = {false, quantile_row, NULL},
        [PYLSTM_SIGMOID] = {false, sigmoid_row, sigmoids_row},
        [PYLSTM_CALLER] = {false, given_row, NULL},
    };
    return &losses[loss];
}
