/* The public functions of the dense layer by itself: what api.c does for the others. */
#include "interface/checks.h"
#include "layers/passes.h"
#include "model/model.h"
#include "support/arena.h"
#include "support/threads.h"

#include <limits.h>

/* Multiply-adds that outweigh starting a thread (parts.c). */
#define WORTH_A_THREAD 2e6

ptrdiff_t pylstm_head_n_members(const pylstm_head *head, ptrdiff_t n_rows)
{
    double multiply_adds = 3 * (double)n_rows * (double)head->width * (double)head->n_outputs;
    ptrdiff_t n_members = head->n_threads < MAX_THREADS ? head->n_threads : MAX_THREADS;
    while (n_members > 1 && multiply_adds < WORTH_A_THREAD * (double)n_members)
        n_members--;
    return n_members;
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
    bool reads_labels = head->loss == PYLSTM_CROSS_ENTROPY;
    if (!(reads_labels ? (const void *)batch->labels : batch->targets))
        return PYLSTM_ERROR_NULL;
    for (ptrdiff_t r = 0; r < batch->n_rows && reads_labels; r++)
        if (batch->labels[r] < 0 || batch->labels[r] >= head->n_outputs)
            return PYLSTM_ERROR_LABEL;
    return BY_DTYPE(head->dtype, pylstm_head_gradient, head, blas, batch, loss, workspace);
}
