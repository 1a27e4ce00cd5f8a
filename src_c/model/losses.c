#include "model/losses.h"

const struct loss *NAME(loss)(pylstm_loss loss)
{
    static const struct loss losses[PYLSTM_N_LOSSES] = {
        [PYLSTM_CROSS_ENTROPY] = {true, cross_entropy_row, softmax_row},
        [PYLSTM_SQUARED_ERROR] = {false, squared_error_row, NULL},
        [PYLSTM_ABSOLUTE_ERROR] = {false, absolute_error_row, NULL},
        [PYLSTM_HUBER] = {false, huber_row, NULL},
        [PYLSTM_QUANTILE] = {false, quantile_row, NULL},
        [PYLSTM_SIGMOID] = {false, sigmoid_row, sigmoids_row},
        [PYLSTM_CALLER] = {false, NULL, NULL},
    };
    return &losses[loss];
}
