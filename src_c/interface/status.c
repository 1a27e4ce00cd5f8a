/* Error codes and their texts. */
#include "pylstm.h"

const char *pylstm_strerror(int status)
{
    static const char *const texts[PYLSTM_N_STATUS] = {
        [PYLSTM_OK] = "no error",
        [PYLSTM_ERROR_NULL] = "a required pointer is NULL",
        [PYLSTM_ERROR_DTYPE] = "the dtype is neither float32 nor float64",
        [PYLSTM_ERROR_SIZE] = "a size is zero or negative",
        [PYLSTM_ERROR_OVERFLOW] = "a size does not fit in memory, in the 32-bit integers of BLAS or in a blob",
        [PYLSTM_ERROR_LENGTH] = "a sequence has no steps",
        [PYLSTM_ERROR_DROPOUT] = "the dropout probability is outside [0, 1)",
        [PYLSTM_ERROR_WORKSPACE] = "the memory handed in is smaller than the size asked for",
        [PYLSTM_ERROR_LABEL] = "a label is outside [0, n_outputs)",
        [PYLSTM_ERROR_INDEX] = "a sequence index is outside the data set",
        [PYLSTM_ERROR_POOLING] = "the pooling is none of pylstm_pooling, or the stream has no pool",
        [PYLSTM_ERROR_LOSS] = "the loss is neither cross-entropy nor squared error",
        [PYLSTM_ERROR_SOLVER] = "the solver is neither adam, sgd nor rmsprop",
        [PYLSTM_ERROR_DIRECTION] = "a net of two directions can't run step by step: one begins at the last step",
        [PYLSTM_ERROR_BLOB] = "the data are no blob of a model, or a damaged one",
        [PYLSTM_ERROR_VERSION] = "the blob has another format version than the one that is read here",
        [PYLSTM_ERROR_ALIGNMENT] = "the blob does not start at a multiple of 8 bytes",
        [PYLSTM_ERROR_ENDIAN] = "blobs are used as they lie, which takes a little-endian machine",
        [PYLSTM_ERROR_MISSING] = "the kind is none of pylstm_missing_kind, or not that of the stream",
        [PYLSTM_ERROR_INPUT] =
            "the input is none of pylstm_input; or tokens are scaled, or their gradient is asked for",
        [PYLSTM_ERROR_TOKEN] = "a token is outside [0, n_tokens), or tokens are not of 1, 2 or 4 bytes",
        [PYLSTM_ERROR_CELL] = "the cell is none of pylstm_cell",
        [PYLSTM_ERROR_ISA] = "the instruction set is not available in this build or on this processor",
    };
    if (status < 0 || status >= PYLSTM_N_STATUS)
        return "unknown status";
    return texts[status];
}
