/* Training on tokens: gradients against central differences, shards, steps in one call and in four, and rows of a table
 * that stay what they are while their tokens don't occur. */
#include "token_training.h"

/* ------------------------------------------------------ central differences */

/* Along some directions, each of every 13th parameter, up or down at random: so that each parameter is in one of them,
 * and an error of one shows by itself, however wrong others are. */
static void check_gradients(const pylstm_model *model, int token_size)
{
    enum { N_DIRECTIONS = 13 };
    struct problem *p = new_problem(*model, token_size);
    const pylstm_net *net = &p->model.net;
    double here = add_up(p, &p->batch, 1), largest = 0, *values = p->parameters;
    double *gradients = copy_reals(net, p->gradients, p->n_parameters),
           *start = copy_reals(net, values, p->n_parameters);
    double *direction = allocate((size_t)p->n_parameters * sizeof *direction);
    ptrdiff_t unseen = model->is_tied ? p->n_table : (net->n_tokens - N_UNSEEN) * net->input_size;
    for (ptrdiff_t k = 0; k < p->n_parameters; k++) {
        bool is_still = k < p->n_table && (net->input == PYLSTM_FROZEN || k >= unseen);
        CHECK(!is_still || gradients[k] == 0);
        direction[k] = is_still ? 0 : draw() < 0 ? -1 : 1;
        largest = fmax(largest, fabs(gradients[k]));
    }
    for (ptrdiff_t first = 0; first < N_DIRECTIONS; first++) {
        double n = 1, slope = 0, loss[2];
        for (ptrdiff_t k = first; k < p->n_parameters; k += N_DIRECTIONS) {
            n += fabs(direction[k]);
            slope += direction[k] * gradients[k];
        }
        double step = (net->cell == PYLSTM_RNN_RELU ? 1e-7 : 1e-5) / sqrt(n);
        for (int up = 0; up < 2; up++) {
            for (ptrdiff_t k = first; k < p->n_parameters; k += N_DIRECTIONS)
                values[k] = start[k] + (up ? step : -step) * direction[k];
            loss[up] = add_up(p, &p->batch, 1);
        }
        for (ptrdiff_t k = first; k < p->n_parameters; k += N_DIRECTIONS)
            values[k] = start[k];
        double room = net->cell == PYLSTM_RNN_RELU ? fabs(loss[1] - 2 * here + loss[0]) / (2 * step) : 0;
        double error = fabs((loss[1] - loss[0]) / (2 * step) - slope);
        if (!(error <= room + 1e-6 * largest))
            printf("%s: %g of %g\n", label, error, largest);
        CHECK(error <= room + 1e-6 * largest && largest > 0);
    }
    free(gradients);
    free(start);
    free(direction);
    free_problem(p);
}

/* ------------------------------------------------------------------- sums */

/* How far apart, relative to the largest. */
static double distance(const pylstm_net *net, const void *a, const void *b, ptrdiff_t n)
{
    double worst = 0, largest = 1e-300;
    for (ptrdiff_t k = 0; k < n; k++) {
        double difference = fabs(get_real(net, a, k) - get_real(net, b, k));
        worst = difference <= worst ? worst : difference; /* of NaN, too */
        largest = fmax(largest, fabs(get_real(net, b, k)));
    }
    return worst / largest;
}

/* Shards of a mini-batch, added one after the other: with what is left over from another mini-batch, or written by the
 * caller, before. */
static void check_shards(const pylstm_model *model, int token_size)
{
    struct problem *p = new_problem(*model, token_size);
    const pylstm_net *net = &p->model.net;
    double bound = net->dtype == PYLSTM_FLOAT32 ? 1e-5 : 1e-13, whole = add_up(p, &p->batch, 1);
    void *expected = copy_reals(net, p->gradients, p->n_parameters);
    pylstm_minibatch shards[] = {p->batch, p->batch};
    shards[0].n_sequences = 2;
    shards[1].n_sequences -= 2;
    shards[1].x += 2, shards[1].length += 2, shards[1].targets += 2, shards[1].weights += 2;
    shards[0].row = p->first, shards[1].row = p->first + 2;
    double loss = add_up(p, shards, 2);
    CHECK(fabs(loss - whole) <= bound * whole && distance(net, p->gradients, expected, p->n_parameters) <= bound);

    for (ptrdiff_t k = 0; k < p->n_parameters; k++)
        set_real(net, p->gradients, k, NAN);
    CHECK(add_up(p, &p->batch, 1) == whole);
    expect_reals(net, p->gradients, expected, p->n_parameters, "gradients that the caller wrote to before");

    uint32_t kept[MOST_ROWS];
    for (ptrdiff_t r = 0; r < p->shape.n_rows; r++)
        kept[r] = get_token(p, r);
    draw_tokens(p, (uint32_t)net->n_tokens - 1, (uint32_t)net->n_tokens);
    add_up(p, &p->batch, 1);
    ptrdiff_t own = model->is_tied || net->input != PYLSTM_EMBEDDING ? 0 : p->n_table - net->input_size;
    for (ptrdiff_t k = 0; k < own; k++)
        CHECK(get_real(net, p->gradients, k) == 0);
    for (ptrdiff_t r = 0; r < p->shape.n_rows; r++)
        set_token(p, r, kept[r]);
    CHECK(add_up(p, &p->batch, 1) == whole);
    expect_reals(net, p->gradients, expected, p->n_parameters, "gradients after another mini-batch");
    free(expected);
    free_problem(p);
}

/* The outputs, and the way back from a gradient by them: of the caller's own squared error, what `add` makes of it. */
static void check_caller(const pylstm_model *model, int token_size)
{
    pylstm_model squared = *model;
    squared.loss = PYLSTM_SQUARED_ERROR;
    struct problem *p = new_problem(squared, token_size);
    const pylstm_net *net = &p->model.net;
    ptrdiff_t n = 0, n_outputs = model->n_outputs;
    for (ptrdiff_t b = 0; b < N_SEQUENCES; b++)
        n += n_outputs_of(p, b);
    add_up(p, &p->batch, 1);
    void *expected = copy_reals(net, p->gradients, p->n_parameters), *outputs = new_reals(net, n * n_outputs);
    double bound = net->dtype == PYLSTM_FLOAT32 ? 1e-5 : 1e-13, loss = NAN;
    CHECK_STATUS(pylstm_gradient_begin(p->gradient), PYLSTM_OK);
    CHECK_STATUS(pylstm_gradient_outputs(p->gradient, &p->batch, outputs), PYLSTM_OK);
    for (ptrdiff_t k = 0; k < n * n_outputs; k++) {
        double weight = p->weights[k / n_outputs] / p->batch.total_weight / (double)n_outputs;
        set_real(net, outputs, k, (get_real(net, outputs, k) - get_real(net, p->targets, k)) * weight);
    }
    CHECK_STATUS(pylstm_gradient_backward(p->gradient, &p->batch, outputs), PYLSTM_OK);
    CHECK_STATUS(pylstm_gradient_finish(p->gradient, &loss), PYLSTM_OK);
    CHECK(distance(net, p->gradients, expected, p->n_parameters) <= bound);
    free(outputs);
    free(expected);
    free_problem(p);
}

/* Tokens that lie step by step, all sequences side by side, as a corpus is read in parallel; what lies between them is
 * no token. */
static void check_strides(const pylstm_model *model)
{
    struct problem *p = new_problem(*model, 2);
    const pylstm_net *net = &p->model.net;
    double whole = add_up(p, &p->batch, 1);
    void *expected = copy_reals(net, p->gradients, p->n_parameters);
    enum { STRIDE = N_SEQUENCES + 1 };
    uint16_t *between = allocate((size_t)p->shape.n_steps * STRIDE * sizeof *between);
    const void *x_of[N_SEQUENCES];
    for (ptrdiff_t k = 0; k < p->shape.n_steps * STRIDE; k++)
        between[k] = UINT16_MAX;
    for (ptrdiff_t b = 0; b < N_SEQUENCES; b++) {
        x_of[b] = between + b;
        for (ptrdiff_t s = 0; s < lengths[b]; s++)
            between[b + s * STRIDE] = (uint16_t)get_token(p, p->first[b] + s);
    }
    pylstm_minibatch batch = p->batch;
    batch.x = x_of, batch.x_stride = STRIDE;
    CHECK(add_up(p, &batch, 1) == whole);
    expect_reals(net, p->gradients, expected, p->n_parameters, "tokens with a stride");
    free(between);
    free(expected);
    free_problem(p);
}

/* ------------------------------------------------------------------- values */

/* The same model without tokens, on what they stand for: the bits of the layers' gradients. */
static void check_values(const pylstm_model *model, int token_size)
{
    struct problem *p = new_problem(*model, token_size);
    const pylstm_net *net = &p->model.net;
    double expected = add_up(p, &p->batch, 1);
    struct text text = {.n_rows = p->shape.n_rows};
    text.quads = allocate((size_t)text.n_rows * sizeof *text.quads);
    for (ptrdiff_t r = 0; r < text.n_rows; r++)
        text.quads[r] = get_token(p, r);
    char *x = values_of(net, p->parameters, &text);
    pylstm_model of_values = *model;
    of_values.net = without_tokens(*net);
    struct problem *other = new_problem(of_values, 1);
    ptrdiff_t n_own = other->n_parameters;
    memcpy(other->parameters, element(net, p->parameters, p->n_table), (size_t)n_own * real_size(net));
    pylstm_minibatch batch = p->batch;
    const void *x_of[N_SEQUENCES];
    for (ptrdiff_t b = 0; b < N_SEQUENCES; b++)
        x_of[b] = element(net, x, p->first[b] * net->input_size);
    batch.x = x_of, batch.x_stride = net->input_size;
    CHECK(add_up(other, &batch, 1) == expected);
    expect_reals(net, element(net, p->gradients, p->n_table), other->gradients, n_own, "gradients of values");
    free(text.quads);
    free(x);
    free_problem(other);
    free_problem(p);
}

/* -------------------------------------------------------------------- steps */

static pylstm_solver solver_of(const struct problem *p, pylstm_solver_kind kind, double max_grad_norm)
{
    return (pylstm_solver){.kind = kind,
                           .learning_rate = 0.05,
                           .beta_1 = 0.9,
                           .beta_2 = 0.99,
                           .epsilon = 1e-8,
                           .momentum = 0.9,
                           .nesterov = 1,
                           .alpha = 0.01,
                           .max_grad_norm = max_grad_norm,
                           .first_moment = p->moments[0],
                           .second_moment = p->moments[1]};
}

/* The rows of `now` that are not those of `before`; of tokens outside of [from, to) there are none. */
static ptrdiff_t n_changed(const struct problem *p, const char *now, const char *before, ptrdiff_t from, ptrdiff_t to,
                           const char *what)
{
    const pylstm_net *net = &p->model.net;
    size_t bytes = (size_t)net->input_size * real_size(net);
    ptrdiff_t n = 0;
    for (ptrdiff_t token = 0; token < net->n_tokens; token++) {
        bool is_same = memcmp(now + (size_t)token * bytes, before + (size_t)token * bytes, bytes) == 0;
        n += !is_same;
        if (!is_same && (token < from || token >= to))
            printf("%s: %s of token %td\n", label, what, token);
        CHECK(is_same || (token >= from && token < to));
    }
    return n;
}

/* Steps on tokens [0, 3), [2, 5) and again [0, 3): in one call and in four, to the same bits; and rows of tokens that
 * don't occur keep their bits, and what is remembered of them. */
static void check_steps(const pylstm_model *model, pylstm_solver_kind kind, double max_grad_norm, int token_size)
{
    static const uint32_t from[] = {0, 2, 0}, to[] = {3, 5, 3};
    struct problem *p = new_problem(*model, token_size), *q = new_problem(*model, token_size);
    const pylstm_net *net = &p->model.net;
    memcpy(q->parameters, p->parameters, (size_t)p->n_parameters * real_size(net));
    memcpy(q->labels, p->labels, sizeof q->labels);
    memcpy(q->targets, p->targets, sizeof q->targets);
    memcpy(q->weights, p->weights, sizeof q->weights);
    q->batch.total_weight = p->batch.total_weight;
    pylstm_solver one = solver_of(p, kind, max_grad_norm), four = solver_of(q, kind, max_grad_norm);
    bool is_sparse = net->input == PYLSTM_EMBEDDING && !model->is_tied, is_frozen = net->input == PYLSTM_FROZEN;
    void *of_table = copy_reals(net, p->gradients, p->n_table);
    for (int s = 0; s < 3; s++) {
        draw_tokens(p, from[s], to[s]);
        memcpy(q->x, p->x, (size_t)(p->shape.n_rows * token_size));
        void *before[] = {copy_reals(net, p->parameters, p->n_table), copy_reals(net, p->moments[0], p->n_table),
                          copy_reals(net, p->moments[1], p->n_table)};
        void *const now[] = {p->parameters, p->moments[0], p->moments[1]};
        const bool is_used[] = {true, kind != PYLSTM_RMSPROP, kind != PYLSTM_SGD};
        double loss = NAN, again = NAN;
        CHECK_STATUS(pylstm_train_step(p->gradient, &p->batch, &one, &loss), PYLSTM_OK);
        for (int k = 0; k < 3; k++) {
            ptrdiff_t end = is_used[k] && is_sparse ? to[s] : from[s];
            if (is_sparse || is_frozen) {
                ptrdiff_t n = n_changed(p, now[k], before[k], from[s], end, k == 0 ? "weights" : "moments");
                if (net->cell != PYLSTM_RNN_RELU) /* of which no unit may be active */
                    CHECK(k == 0 ? !n == (end == from[s]) : n == end - from[s]);
            }
            free(before[k]);
        }
        again = add_up(q, &q->batch, 1);
        CHECK_STATUS(pylstm_update(&q->model, &four, q->parameters, q->gradients, q->batch.total_weight, &again),
                     PYLSTM_OK);
        CHECK(loss == again && one.t == s + 1 && four.t == s + 1);
        expect_reals(net, p->parameters, q->parameters, p->n_parameters, "a step in one call and in four");
        ptrdiff_t n_left = is_sparse || is_frozen ? p->n_table : 0;
        expect_reals(net, p->gradients, of_table, n_left, "what one call leaves alone");
        expect_reals(net, element(net, p->gradients, n_left), element(net, q->gradients, n_left),
                     p->n_parameters - n_left, "gradients in one call and in four");
        for (int k = 0; k < 2; k++)
            expect_reals(net, p->moments[k], q->moments[k], p->n_parameters, "moments in one call and in four");
    }
    free(of_table);
    free_problem(p);
    free_problem(q);
}

/* The norm that is cut off is that of the table's gradient too: a step is as long as it may be. */
static void check_clipping(const pylstm_model *model, int token_size)
{
    struct problem *p = new_problem(*model, token_size);
    const pylstm_net *net = &p->model.net;
    void *before = copy_reals(net, p->parameters, p->n_parameters);
    pylstm_solver solver = {.kind = PYLSTM_SGD, .learning_rate = 1, .max_grad_norm = 1e-3};
    double loss = NAN, squares = 0;
    CHECK_STATUS(pylstm_train_step(p->gradient, &p->batch, &solver, &loss), PYLSTM_OK);
    for (ptrdiff_t k = 0; k < p->n_parameters; k++) {
        double step = get_real(net, p->parameters, k) - get_real(net, before, k);
        squares += step * step;
    }
    CHECK(fabs(sqrt(squares) / 1e-3 - 1) < (net->dtype == PYLSTM_FLOAT32 ? 1e-3 : 1e-10));
    free(before);
    free_problem(p);
}

/* Where nothing weighs anything nothing is learnt, but the tokens are read. */
static void check_no_weight(const pylstm_model *model)
{
    struct problem *p = new_problem(*model, 1);
    const pylstm_net *net = &p->model.net;
    void *before = copy_reals(net, p->parameters, p->n_parameters);
    pylstm_solver solver = solver_of(p, PYLSTM_ADAM, 0);
    pylstm_minibatch batch = p->batch;
    batch.total_weight = 0;
    double loss = NAN;
    CHECK_STATUS(pylstm_train_step(p->gradient, &batch, &solver, &loss), PYLSTM_OK);
    CHECK(loss == 0 && solver.t == 0);
    CHECK(add_up(p, &batch, 1) == 0);
    for (ptrdiff_t k = 0; k < p->n_parameters; k++)
        CHECK(get_real(net, p->gradients, k) == 0);
    expect_reals(net, p->parameters, before, p->n_parameters, "a batch of no weight");
    free(before);
    free_problem(p);
}

/* --------------------------------------------------------------------- all */

static pylstm_model model_of(pylstm_net net, pylstm_input input, bool is_tied, pylstm_pooling pooling, pylstm_loss loss)
{
    pylstm_model model = {.n_outputs = is_tied ? N_TOKENS : 3, .pooling = pooling, .loss = loss, .is_tied = is_tied};
    model.net = with_tokens(net, input, N_TOKENS);
    return model;
}

static void check(pylstm_net net, pylstm_input input, bool is_tied)
{
    static int turn;
    static const int sizes[] = {1, 2, 4};
    char kept[sizeof label];
    memcpy(kept, label, sizeof kept);
    net.dropout = turn % 2 ? 0.25 : 0;
    net.n_threads = 1 + turn / 2 % 2;
    int token_size = sizes[turn++ % 3];
    pylstm_pooling pooling = is_tied ? PYLSTM_POOL_NONE : (pylstm_pooling)(turn % 4);
    pylstm_loss loss = is_tied ? PYLSTM_CROSS_ENTROPY : (pylstm_loss)(turn / 4 % 2);
    pylstm_model model = model_of(net, input, is_tied, pooling, loss);
    if (net.dtype == PYLSTM_FLOAT64)
        check_gradients(&model, token_size);
    check_shards(&model, token_size);
    check_caller(&model, token_size);
    check_strides(&model);
    if (!is_tied)
        check_values(&model, token_size);
    check_steps(&model, (pylstm_solver_kind)(turn % 3), turn / 3 % 2 ? 0.01 : 0, token_size);
    check_steps(&model, (pylstm_solver_kind)((turn + 1) % 3), turn / 3 % 2 ? 100 : 0.01, token_size);
    check_clipping(&model, token_size);
    check_no_weight(&model);
    memcpy(label, kept, sizeof label);
}

static void check_cell(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell)
{
    static const ptrdiff_t hidden[][2] = {{1, 3}, {5, 2}, {9, 3}};
    for (ptrdiff_t n_directions = 1; n_directions <= 2; n_directions++) {
        for (ptrdiff_t n_layers = 1; n_layers <= 2; n_layers++) {
            for (int k = 0; k < 3; k++) {
                ptrdiff_t width = n_directions * hidden[k][n_layers - 1];
                pylstm_net one_hot = make_net(isa, dtype, cell, N_TOKENS, n_layers, hidden[k], n_directions);
                check(one_hot, PYLSTM_ONE_HOT, false);
                pylstm_net tied = make_net(isa, dtype, cell, width, n_layers, hidden[k], n_directions);
                check(tied, PYLSTM_EMBEDDING, true);
                pylstm_net net = make_net(isa, dtype, cell, k == 0 ? 1 : 2 + k, n_layers, hidden[k], n_directions);
                check(net, PYLSTM_EMBEDDING, false);
                check(net, PYLSTM_FROZEN, false);
            }
        }
    }
}

#ifndef ONLY_ISA
/* So many parameters that threads share the update. */
static void check_large(pylstm_dtype dtype, pylstm_cell cell, pylstm_solver_kind kind)
{
    static const ptrdiff_t hidden[] = {520};
    pylstm_net net = make_net(PYLSTM_ISA_BEST, dtype, cell, 11, 1, hidden, 1);
    net.n_threads = 2;
    pylstm_model model = model_of(net, PYLSTM_EMBEDDING, false, PYLSTM_POOL_NONE, PYLSTM_CROSS_ENTROPY);
    check_shards(&model, 4);
    check_values(&model, 4);
    check_steps(&model, kind, 0.01, 4);
}
#endif

int main(void)
{
#ifndef ONLY_ISA
    for (int cell = PYLSTM_LSTM; cell < PYLSTM_RNN_RELU; cell++)
        check_large((pylstm_dtype)(cell % 2), (pylstm_cell)cell, (pylstm_solver_kind)cell);
#endif
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64 && is_tested(isa); dtype++)
            for (int cell = PYLSTM_LSTM; cell < PYLSTM_N_CELLS; cell++)
                check_cell((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell);
    return REPORT();
}
