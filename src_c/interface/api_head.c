/* The public functions of the dense layer by itself: what api.c does for the others. */
#include "interface/checks.h"
#include "layers/parts.h"
#include "layers/passes.h"
#include "model/model.h"
#include "support/arena.h"
#include "support/threads.h"

#include <limits.h>

ptrdiff_t pylstm_head_n_members(const pylstm_head *head, ptrdiff_t n_rows)
{
    double multiply_adds = 3 * (double)n_rows * (double)head->width * (double)head->n_outputs;
    return pylstm_worth_threads(multiply_adds, head->n_threads);
}

int pylstm_head_size(const pylstm_head *head, ptrdiff_t n_rows, size_t *bytes)
{
    if (!head || !bytes)
        return PYLSTM_ERROR_NULL;
    if (head->dtype != PYLSTM_FLOAT32 && head->dtype != PYLSTM_FLOAT64)
        return PYLSTM_ERROR_DTYPE;
    if (!pylstm_isa_available((int)head->isa))
        return PYLSTM_ERROR_ISA;
    if (n_rows < 1 || head->width < 1 || head->n_outputs < 1 || head->n_threads < 1)
        return PYLSTM_ERROR_SIZE;
    if ((int)head->loss < 0 || head->loss >= PYLSTM_CALLER)
        return PYLSTM_ERROR_LOSS;
    if (n_rows > INT_MAX || head->width > INT_MAX || head->n_outputs > INT_MAX ||
        !product_fits(16 * (head->width + 1), head->n_outputs) || !product_fits(16 * n_rows, head->width) ||
        !product_fits(16 * n_rows, head->n_outputs))
        return PYLSTM_ERROR_OVERFLOW;
    return BY_DTYPE(head->dtype, pylstm_head_size, head, n_rows, bytes);
}

int pylstm_head_gradient(const pylstm_head *head, const pylstm_blas *blas, const pylstm_head_batch *batch, double *loss,
                         pylstm_memory workspace)
{
    if (!head || !blas || !batch || !batch->features || !batch->weight || !batch->bias || !batch->dfeatures ||
        !batch->dweight || !batch->dbias || !loss || !workspace.data)
        return PYLSTM_ERROR_NULL;
    size_t bytes = 0;
    int status = pylstm_head_size(head, batch->n_rows, &bytes);
    if (status)
        return status;
    if (workspace.bytes < bytes)
        return PYLSTM_ERROR_WORKSPACE;
    bool reads_labels = pylstm_reads_labels(head->loss);
    if (!(reads_labels ? (const void *)batch->labels : batch->targets))
        return PYLSTM_ERROR_NULL;
    for (ptrdiff_t r = 0; r < batch->n_rows && reads_labels; r++)
        if (batch->labels[r] < 0 || batch->labels[r] >= head->n_outputs)
            return PYLSTM_ERROR_LABEL;
    return BY_DTYPE(head->dtype, pylstm_head_gradient, head, blas, batch, loss, workspace);
}
