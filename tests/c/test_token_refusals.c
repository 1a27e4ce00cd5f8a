/* Tokens that are none, and calls that tokens do not have, are refused by passes and in training: then nothing has
 * changed. */
#include "token_training.h"

static const int sizes[] = {1, 2, 4};

/* ------------------------------------------------------------------- passes */

/* Memory for a pass of any kind, over some tokens. */
struct work {
    struct text text;
    pylstm_memory tape, workspace;
    void *y, *state;
};

static struct work new_work(const pylstm_model *model, ptrdiff_t n_sequences, const ptrdiff_t *of)
{
    const pylstm_net *net = &model->net;
    struct work work = {.text = new_text(net->n_tokens, n_sequences, of)};
    const pylstm_shape *shape = &work.text.batch.shape;
    size_t bytes, most = 0;
    CHECK_STATUS(pylstm_tape_size(net, shape, &bytes), PYLSTM_OK);
    work.tape = memory_of(bytes);
    CHECK_STATUS(pylstm_forward_size(net, shape, &bytes), PYLSTM_OK);
    most = bytes;
    CHECK_STATUS(pylstm_backward_size(net, shape, &bytes), PYLSTM_OK);
    most = bytes > most ? bytes : most;
    if (model->n_outputs > 0)
        CHECK_STATUS(pylstm_predict_size(model, shape, &bytes), PYLSTM_OK);
    work.workspace = memory_of(bytes > most ? bytes : most);
    ptrdiff_t width = pylstm_net_output_size(net), n_y = model->n_outputs > width ? model->n_outputs : width;
    work.y = new_reals(net, shape->n_rows * n_y);
    work.state = new_reals(net, n_sequences * pylstm_net_state_size(net));
    return work;
}

static void free_work(struct work work)
{
    free_text(work.text);
    free(work.tape.data);
    free(work.workspace.data);
    free(work.y);
    free(work.state);
}

static void set_any(struct text *text, int token_size, ptrdiff_t row, uint32_t token)
{
    if (token_size == 1)
        text->bytes[row] = (uint8_t)token;
    else if (token_size == 2)
        text->pairs[row] = (uint16_t)token;
    else
        text->quads[row] = token;
}

/* The smallest number that is no token, and the largest of the size. */
static uint32_t no_token(const pylstm_net *net, int token_size, int which)
{
    return which == 0 ? (uint32_t)net->n_tokens : UINT32_MAX >> (32 - 8 * token_size);
}

/* Every pass, over the same tokens. */
struct passes {
    const pylstm_model *model;
    pylstm_forward_pass forward;
    pylstm_backward_pass backward;
};

/* None of them changes what it would write to. */
static void expect_refused(const struct passes *all, const struct work *work, int status)
{
    const pylstm_net *net = &all->model->net;
    ptrdiff_t n_y = work->text.n_rows * pylstm_net_output_size(net);
    ptrdiff_t n_state = work->text.n_sequences * pylstm_net_state_size(net), n = pylstm_net_n_parameters(net);
    void *y = copy_reals(net, work->y, n_y), *state = copy_reals(net, work->state, n_state);
    void *dparameters = copy_reals(net, all->backward.dparameters, n);
    pylstm_forward_pass training = all->forward, inference = all->forward;
    training.tape = work->tape;
    CHECK_STATUS(pylstm_forward(net, &inference), status);
    CHECK_STATUS(pylstm_forward(net, &training), status);
    CHECK_STATUS(pylstm_trace(net, &training), status);
    CHECK_STATUS(pylstm_predict(all->model, &inference), status);
    if (net->input == PYLSTM_EMBEDDING)
        CHECK_STATUS(pylstm_backward(net, &all->backward), status);
    expect_reals(net, work->y, y, n_y, "outputs of what is refused");
    expect_reals(net, work->state, state, n_state, "states of what is refused");
    expect_reals(net, all->backward.dparameters, dparameters, n, "gradients of what is refused");
    free(y);
    free(state);
    free(dparameters);
}

static void check_passes(const pylstm_model *model, ptrdiff_t n_sequences, const ptrdiff_t *of)
{
    const pylstm_net *net = &model->net;
    struct work work = new_work(model, n_sequences, of);
    ptrdiff_t n_rows = work.text.n_rows, n_parameters = pylstm_model_n_parameters(model);
    void *parameters = random_reals(net, n_parameters, 0.5), *dparameters = random_reals(net, n_parameters, 0.5);
    void *dy = random_reals(net, n_rows * pylstm_net_output_size(net), 1);
    void *dx = new_reals(net, n_rows * net->input_size);
    struct passes all = {.model = model,
                         .forward = {.batch = &work.text.batch,
                                     .parameters = parameters,
                                     .y = work.y,
                                     .state_out = work.state,
                                     .workspace = work.workspace},
                         .backward = {.batch = &work.text.batch,
                                      .parameters = parameters,
                                      .dy = dy,
                                      .dparameters = dparameters,
                                      .tape = work.tape,
                                      .workspace = work.workspace}};
    for (int k = 0; k < 3; k++) {
        all.forward.x = all.backward.x = tokens_of(&work.text, sizes[k]);
        all.forward.token_size = all.backward.token_size = sizes[k];
        for (ptrdiff_t row = 0; row < n_rows; row++) { /* the first, the last, the only one */
            uint32_t kept = work.text.quads[row];
            for (int which = 0; which < 2; which++) {
                set_any(&work.text, sizes[k], row, no_token(net, sizes[k], which));
                expect_refused(&all, &work, PYLSTM_ERROR_TOKEN);
            }
            set_any(&work.text, sizes[k], row, kept);
        }
        static const int no_sizes[] = {0, 3, 5, 8, -1, -4, 256};
        for (int j = 0; j < 7; j++) {
            all.forward.token_size = all.backward.token_size = no_sizes[j];
            expect_refused(&all, &work, PYLSTM_ERROR_TOKEN);
        }
    }
    all.forward.token_size = all.backward.token_size = 4;
    all.forward.x = all.backward.x = NULL;
    expect_refused(&all, &work, PYLSTM_ERROR_NULL);

    /* Now there and back; only the way back to a table that is learnt reads the tokens again. */
    all.forward.x = work.text.quads;
    all.forward.tape = work.tape;
    CHECK_STATUS(pylstm_forward(net, &all.forward), PYLSTM_OK);
    all.backward.dx = dx;
    all.backward.x = work.text.quads;
    CHECK_STATUS(pylstm_backward(net, &all.backward), PYLSTM_ERROR_INPUT);
    all.backward.dx = NULL;
    CHECK_STATUS(pylstm_backward(net, &all.backward), PYLSTM_OK);
    all.backward.x = NULL, all.backward.token_size = 3;
    CHECK_STATUS(pylstm_backward(net, &all.backward), net->input == PYLSTM_EMBEDDING ? PYLSTM_ERROR_NULL : PYLSTM_OK);
    free(parameters);
    free(dparameters);
    free(dy);
    free(dx);
    free_work(work);
}

/* ----------------------------------------------------------------- training */

/* Each way into a gradient refuses the mini-batch; what it held goes on to be summed up. */
static void expect_batch_refused(struct problem *p, pylstm_minibatch batch, int status)
{
    const pylstm_net *net = &p->model.net;
    void *outputs = random_reals(net, MOST_ROWS * p->model.n_outputs, 1);
    void *expected = (add_up(p, &p->batch, 1), copy_reals(net, p->gradients, p->n_parameters));
    void *parameters = copy_reals(net, p->parameters, p->n_parameters);
    pylstm_solver solver = {.kind = PYLSTM_SGD, .learning_rate = 0.1};
    double loss = 5, sum = NAN;
    CHECK_STATUS(pylstm_gradient_begin(p->gradient), PYLSTM_OK);
    CHECK_STATUS(pylstm_gradient_add(p->gradient, &p->batch), PYLSTM_OK);
    CHECK_STATUS(pylstm_gradient_add(p->gradient, &batch), status);
    CHECK_STATUS(pylstm_gradient_outputs(p->gradient, &batch, outputs), status);
    CHECK_STATUS(pylstm_gradient_backward(p->gradient, &batch, outputs), status);
    CHECK_STATUS(pylstm_train_step(p->gradient, &batch, &solver, &loss), status);
    CHECK_STATUS(pylstm_gradient_finish(p->gradient, &sum), PYLSTM_OK);
    CHECK(loss == 5 && solver.t == 0 && isfinite(sum));
    expect_reals(net, p->gradients, expected, p->n_parameters, "gradients with a mini-batch that is refused");
    expect_reals(net, p->parameters, parameters, p->n_parameters, "parameters after what is refused");
    free(outputs);
    free(expected);
    free(parameters);
}

static void check_training(const pylstm_model *model)
{
    for (int k = 0; k < 3; k++) {
        struct problem *p = new_problem(*model, sizes[k]);
        const pylstm_net *net = &p->model.net;
        const void *good[N_SEQUENCES];
        memcpy(good, p->x_of, sizeof good);
        for (ptrdiff_t b = 0; b < N_SEQUENCES; b++) {
            uint32_t bad[6] = {0};
            pylstm_minibatch batch = p->batch;
            const void *x_of[N_SEQUENCES];
            batch.x = x_of;
            for (ptrdiff_t s = 0; s < lengths[b]; s++) {
                struct text text = {.bytes = (void *)bad, .pairs = (void *)bad, .quads = bad};
                memset(bad, 0, sizeof bad);
                set_any(&text, sizes[k], s, no_token(net, sizes[k], (int)(s % 2)));
                memcpy(x_of, good, sizeof good);
                x_of[b] = bad;
                expect_batch_refused(p, batch, PYLSTM_ERROR_TOKEN);
            }
            x_of[b] = NULL;
            expect_batch_refused(p, batch, PYLSTM_ERROR_NULL);
        }
        static const int no_sizes[] = {0, 3, 8, -1};
        pylstm_minibatch batch = p->batch;
        for (int j = 0; j < 4; j++) {
            batch.token_size = no_sizes[j];
            expect_batch_refused(p, batch, PYLSTM_ERROR_TOKEN);
        }
        batch = p->batch, batch.x_stride = 0;
        expect_batch_refused(p, batch, PYLSTM_ERROR_SIZE);
        free_problem(p);
    }
}

int main(void)
{
    static const ptrdiff_t hidden[] = {3}, ragged[] = {2, 3, 1}, one[] = {1};
    for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64; dtype++) {
        for (int input = PYLSTM_ONE_HOT; input < PYLSTM_N_INPUTS; input++) {
            for (int is_tied = 0; is_tied <= (input == PYLSTM_EMBEDDING); is_tied++) {
                ptrdiff_t n_x = is_tied ? 3 : input == PYLSTM_ONE_HOT ? N_TOKENS : 2;
                pylstm_net net = make_net(PYLSTM_ISA_BEST, (pylstm_dtype)dtype, PYLSTM_LSTM, n_x, 1, hidden, 1);
                pylstm_model model = {.n_outputs = is_tied ? N_TOKENS : 3,
                                      .pooling = PYLSTM_POOL_NONE,
                                      .loss = PYLSTM_CROSS_ENTROPY,
                                      .is_tied = is_tied};
                model.net = with_tokens(net, (pylstm_input)input, N_TOKENS);
                check_passes(&model, 3, ragged);
                check_passes(&model, 1, one);
                check_training(&model);
            }
        }
    }
    return REPORT();
}
