#include "kernels/cell.h"

static const struct cell cells[PYLSTM_N_CELLS] = {
    [PYLSTM_LSTM] = {4, 4, 2, false, 4, {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}},
    /* n of the inputs, r, z, and n of h_{t-1}, which r multiplies before it is added to the first */
    [PYLSTM_GRU] = {3, 4, 1, true, 3, {2, 0, 1, NOTHING}, {NOTHING, 0, 1, 2}, {2, 0, 1, 3}},
    [PYLSTM_RNN_TANH] = {1, 1, 1, false, 0, {0}, {0}, {0}},
    [PYLSTM_RNN_RELU] = {1, 1, 1, false, 0, {0}, {0}, {0}},
};

const struct cell *pylstm_cell_of(pylstm_cell cell)
{
    return &cells[cell];
}
