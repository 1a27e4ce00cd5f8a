#include "model/update.h"

#include "kernels/descent.h"
#include "kernels/isa.h"

#include <string.h>

/* Parameters that outweigh starting a thread, and waiting for it twice. */
enum { WORTH_A_SHARE = 1 << 17 };

/* The parameters, the first ones, of which no more is read than the rows of a mini-batch. */
static ptrdiff_t sparse_size(const pylstm_model *model)
{
    return model->is_tied ? 0 : pylstm_net_table_size(&model->net);
}

ptrdiff_t NAME(update_shares)(const pylstm_model *model)
{
    ptrdiff_t n = (pylstm_model_n_parameters(model) - sparse_size(model)) / WORTH_A_SHARE, most = model->net.n_threads;
    most = most < MAX_THREADS ? most : MAX_THREADS;
    return n < 1 ? 1 : n < most ? n : most;
}

/* Parameters [from, to). */
struct stretch {
    ptrdiff_t from, to;
};

static struct stretch share_of(const struct update *update, ptrdiff_t share)
{
    ptrdiff_t first = sparse_size(update->model), n = pylstm_model_n_parameters(update->model) - first;
    ptrdiff_t of = update->n_shares;
    return (struct stretch){first + n / of * share, first + (share == of - 1 ? n : n / of * (share + 1))};
}

/* The first from `row` on of the table's rows that may have a gradient and are the share's; n_rows: none. In their
 * order, whichever occurred first: sums over some are the bits of those over all. */
static ptrdiff_t own_row(const struct update *update, ptrdiff_t share, ptrdiff_t row)
{
    for (; row < update->n_rows; row++) {
        if (update->has_occurred) {
            const bool *next = memchr(update->has_occurred + row, true, (size_t)(update->n_rows - row));
            row = next ? next - update->has_occurred : update->n_rows;
        }
        if (row % update->n_shares == share)
            return row;
    }
    return update->n_rows;
}

static const real *gradient_of_row(const struct update *update, ptrdiff_t row)
{
    ptrdiff_t width = update->model->net.input_size;
    return update->has_occurred ? update->rows + update->place[row] * width : update->gradients + row * width;
}

static double squares_of(const struct update *update, ptrdiff_t n, const real *gradients)
{
    return NAME(kernels)(update->model->net.isa)->sum_of_squares(n, gradients);
}

static double decay_share(const struct update *update, struct stretch own, double scale)
{
    double squares = 0;
    pylstm_parameter at = {0};
    while (scale > 0 && pylstm_model_next(update->model, &at)) {
        ptrdiff_t end = at.offset + at.rows * at.columns;
        ptrdiff_t from = at.offset > own.from ? at.offset : own.from, to = end < own.to ? end : own.to;
        if (at.kind == PYLSTM_DECAYED && from < to)
            squares += NAME(kernels)(update->model->net.isa)
                           ->decay(to - from, scale, update->parameters + from, update->gradients + from);
    }
    return squares;
}

static double sum_of(const double *values, ptrdiff_t n)
{
    double sum = 0;
    for (ptrdiff_t k = 0; k < n; k++)
        sum += values[k];
    return sum;
}

static void take_step(const struct update *update, struct stretch own, const real *gradients, double scale)
{
    pylstm_solver solver = *update->solver; /* which counts up by itself; the others' are all the same */
    if (solver.first_moment)
        solver.first_moment = (real *)solver.first_moment + own.from;
    if (solver.second_moment)
        solver.second_moment = (real *)solver.second_moment + own.from;
    NAME(kernels)(update->model->net.isa)
        ->solver_step(own.to - own.from, update->parameters + own.from, gradients, scale, &solver);
}

double NAME(update_by)(struct update *update, double loss, struct member member)
{
    ptrdiff_t width = update->model->net.input_size;
    double scale = update->solver->alpha / update->total_weight;
    for (ptrdiff_t s = member.index; s < update->n_shares; s += member.n_members) {
        struct stretch own = share_of(update, s);
        update->weights[s] = decay_share(update, own, scale);
        update->squares[s] = squares_of(update, own.to - own.from, update->gradients + own.from);
        for (ptrdiff_t r = own_row(update, s, 0); r < update->n_rows; r = own_row(update, s, r + 1))
            update->squares[s] += squares_of(update, width, gradient_of_row(update, r));
    }
    pylstm_wait_for_team(member);
    double squares = sum_of(update->squares, update->n_shares);
    loss += scale / 2 * sum_of(update->weights, update->n_shares);
    if (!IS_FINITE(squares)) /* of a finite loss, too: the caller is to hear of it */
        loss = squares;
    if (!IS_FINITE(loss))
        return loss;
    double clipped = clipping(squares, update->solver->max_grad_norm);
    /* Adam and RMSprop average squares. An average that is infinite would make every later step zero, without a word;
     * of less than half the largest number none is, however it is rounded. */
    if (update->solver->kind != PYLSTM_SGD && squares * clipped * clipped > LARGEST_REAL / 2)
        return INFINITY;
    for (ptrdiff_t s = member.index; s < update->n_shares; s += member.n_members) {
        struct stretch own = share_of(update, s);
        take_step(update, own, update->gradients + own.from, clipped);
        for (ptrdiff_t r = own_row(update, s, 0); r < update->n_rows; r = own_row(update, s, r + 1)) {
            const real *gradients = gradient_of_row(update, r);
            if (squares_of(update, width, gradients) > 0)
                take_step(update, (struct stretch){r * width, (r + 1) * width}, gradients, clipped);
        }
    }
    pylstm_wait_for_team(member); /* until all have read t */
    if (member.index == 0)
        update->solver->t++;
    return loss;
}

struct update_call {
    struct update update;
    double loss, result;
};

static void update_alone(void *context, struct member member)
{
    struct update_call *call = context;
    double loss = NAME(update_by)(&call->update, call->loss, member);
    if (member.index == 0)
        call->result = loss;
}

double NAME(update)(const pylstm_model *model, pylstm_solver *solver, void *parameters, void *gradients,
                    double total_weight, double loss)
{
    struct update_call call = {
        .update = {.model = model,
                   .solver = solver,
                   .parameters = parameters,
                   .gradients = gradients,
                   .n_rows = rows_to_learn(model),
                   .total_weight = total_weight,
                   .n_shares = NAME(update_shares)(model)},
        .loss = loss,
    };
    pylstm_run_team(call.update.n_shares, update_alone, &call);
    return call.result;
}
