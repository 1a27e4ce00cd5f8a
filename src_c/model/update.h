/* From a gradient to updated parameters, by a team of threads: each has its share of the parameters. */
#ifndef PYLSTM_UPDATE_H
#define PYLSTM_UPDATE_H

#include "layers/net.h"
#include "model/model.h"
#include "support/real.h"
#include "support/threads.h"

/* Of a table that is learnt by rows: all, or none. */
static inline ptrdiff_t rows_to_learn(const pylstm_model *model)
{
    return learns_table(&model->net) && !model->is_tied ? model->net.n_tokens : 0;
}

struct update {
    const pylstm_model *model;
    pylstm_solver *solver;
    real *parameters, *gradients; /* [n_parameters] */
    ptrdiff_t n_rows;             /* of a table that is learnt by rows */
    const bool *has_occurred; /* [n_rows] those that can have a gradient; or NULL: any, and it is among `gradients` */
    const real *rows;         /* else the gradients of those alone, and */
    const ptrdiff_t *place;   /* [n_rows] of each the row of these */
    double total_weight;
    ptrdiff_t n_shares;
    double weights[MAX_THREADS], squares[MAX_THREADS]; /* of each share: sums of squares of its decayed parameters, and
                                                          of its gradients */
};

/* The shares that a model's parameters are worth. */
ptrdiff_t NAME(update_shares)(const pylstm_model *model);

/* By all members. Takes the loss of the gradients, returns that with the L2 penalty; not finite where nothing was
 * updated. */
double NAME(update_by)(struct update *update, double loss, struct member member);

#endif
