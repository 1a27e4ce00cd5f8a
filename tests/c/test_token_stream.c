/* Streams of tokens: the bits of pylstm_forward and pylstm_predict, other weights between two steps, and what is
 * refused. */
#include "tokens.h"

enum { N_STEPS = 11, SWAP_AT = 4, BATCH_SIZE = 3 };

static ptrdiff_t output_size(const pylstm_model *model)
{
    return model->n_outputs > 0 ? model->n_outputs : pylstm_net_output_size(&model->net);
}

/* What comes out of steps [from, to) of tokens [BATCH_SIZE][N_STEPS]: y [BATCH_SIZE][to - from], or with pooling a row
 * for each sequence. */
static void predict(const pylstm_model *model, const void *parameters, const uint32_t *tokens, ptrdiff_t from,
                    ptrdiff_t to, const void *state_in, void *y, void *state_out)
{
    const ptrdiff_t lengths[BATCH_SIZE] = {to - from, to - from, to - from};
    struct text text = new_text(model->net.n_tokens, BATCH_SIZE, lengths);
    for (ptrdiff_t b = 0; b < BATCH_SIZE; b++)
        memcpy(text.quads + b * (to - from), tokens + b * N_STEPS + from, (size_t)(to - from) * sizeof *tokens);
    bool has_head = model->n_outputs > 0;
    size_t bytes;
    CHECK_STATUS(has_head ? pylstm_predict_size(model, &text.batch.shape, &bytes)
                          : pylstm_forward_size(&model->net, &text.batch.shape, &bytes),
                 PYLSTM_OK);
    const pylstm_forward_pass pass = {.batch = &text.batch,
                                      .parameters = parameters,
                                      .x = text.quads,
                                      .token_size = 4,
                                      .state_in = state_in,
                                      .y = y,
                                      .state_out = state_out,
                                      .workspace = memory_of(bytes)};
    CHECK_STATUS(has_head ? pylstm_predict(model, &pass) : pylstm_forward(&model->net, &pass), PYLSTM_OK);
    free(pass.workspace.data);
    free_text(text);
}

/* Step s of all sequences: from rows [n_steps] of each to rows [N_STEPS] of each. */
static void put_steps(const pylstm_model *model, void *y, ptrdiff_t from, ptrdiff_t n, void *all)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t n_y = output_size(model);
    for (ptrdiff_t b = 0; b < BATCH_SIZE; b++)
        memcpy(element(net, all, (b * N_STEPS + from) * n_y), element(net, y, b * n * n_y),
               (size_t)(n * n_y) * real_size(net));
}

static void stream_steps(const pylstm_model *model, pylstm_stream *stream, const uint32_t *tokens, ptrdiff_t from,
                         ptrdiff_t n, void *all)
{
    uint32_t *x = allocate((size_t)(BATCH_SIZE * n) * sizeof *x);
    void *y = new_reals(&model->net, BATCH_SIZE * n * output_size(model));
    for (ptrdiff_t b = 0; b < BATCH_SIZE; b++)
        memcpy(x + b * n, tokens + b * N_STEPS + from, (size_t)n * sizeof *x);
    CHECK_STATUS(pylstm_stream_process(stream, n, x, y), PYLSTM_OK);
    put_steps(model, y, from, n, all);
    free(x);
    free(y);
}

/* The expected outputs with weights `a` up to SWAP_AT and `b` from there on; with pooling, which is over all steps so
 * far, those of `a` alone. */
static void expect_steps(const pylstm_model *model, void *a, void *b, const uint32_t *tokens, void *expected,
                         void *state)
{
    const pylstm_net *net = &model->net;
    bool pools = model->n_outputs > 0 && model->pooling != PYLSTM_POOL_NONE;
    void *y = new_reals(net, BATCH_SIZE * N_STEPS * output_size(model));
    for (ptrdiff_t s = 1; pools && s <= N_STEPS; s++) {
        predict(model, a, tokens, 0, s, NULL, y, state);
        put_steps(model, y, s - 1, 1, expected);
    }
    if (!pools) {
        predict(model, a, tokens, 0, SWAP_AT, NULL, y, state);
        put_steps(model, y, 0, SWAP_AT, expected);
        predict(model, b, tokens, SWAP_AT, N_STEPS, state, y, state);
        put_steps(model, y, SWAP_AT, N_STEPS - SWAP_AT, expected);
    }
    free(y);
}

/* A token that is none is refused wherever in a block it is; nothing has been read then. */
static void check_refused(const pylstm_model *model, pylstm_stream *stream)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t n_state = BATCH_SIZE * pylstm_net_state_size(net), n_y = 2 * BATCH_SIZE * output_size(model);
    void *before = new_reals(net, n_state), *after = new_reals(net, n_state);
    void *y = random_reals(net, n_y, 1), *kept = copy_reals(net, y, n_y);
    CHECK_STATUS(pylstm_stream_get_state(stream, before), PYLSTM_OK);
    const uint32_t none[] = {(uint32_t)net->n_tokens, UINT32_MAX, (uint32_t)INT32_MAX + 1};
    for (int at = 0; at < 2 * BATCH_SIZE; at++) {
        uint32_t tokens[2 * BATCH_SIZE] = {0};
        tokens[at] = none[at % 3];
        CHECK_STATUS(pylstm_stream_process(stream, 2, tokens, y), PYLSTM_ERROR_TOKEN);
    }
    CHECK_STATUS(pylstm_stream_process(stream, 1, NULL, y), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_get_state(stream, after), PYLSTM_OK);
    expect_reals(net, after, before, n_state, "the state after tokens that are none");
    expect_reals(net, y, kept, n_y, "outputs of tokens that are none");
    free(before);
    free(after);
    free(y);
    free(kept);
}

/* Answers in the targets' units are double. */
static void check_targets(const pylstm_model *model, pylstm_stream *stream, const void *parameters,
                          const uint32_t *tokens, const void *expected)
{
    ptrdiff_t n_y = model->n_outputs, n = BATCH_SIZE * N_STEPS * n_y;
    double *mean = random_doubles(n_y, 1000), *scale = random_doubles(n_y, 10);
    double *got = allocate((size_t)n * sizeof *got);
    const pylstm_scalings scalings = {.targets = {mean, scale}};
    CHECK_STATUS(pylstm_stream_set_weights(stream, parameters, &scalings), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_set_state(stream, NULL), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_process(stream, N_STEPS, tokens, got), PYLSTM_OK);
    for (ptrdiff_t k = 0; k < n; k++) {
        volatile double product = get_real(&model->net, expected, k) * scale[k % n_y];
        CHECK(got[k] == product + mean[k % n_y]);
    }
    free(mean);
    free(scale);
    free(got);
}

static void check_stream(const pylstm_model *model)
{
    const pylstm_net *net = &model->net;
    bool pools = model->n_outputs > 0 && model->pooling != PYLSTM_POOL_NONE;
    ptrdiff_t n_parameters = pylstm_model_n_parameters(model), n_state = BATCH_SIZE * pylstm_net_state_size(net);
    ptrdiff_t n_y = BATCH_SIZE * N_STEPS * output_size(model);
    const ptrdiff_t of[] = {BATCH_SIZE * N_STEPS};
    struct text text = new_text(net->n_tokens, 1, of);
    void *a = random_reals(net, n_parameters, 0.5), *b = random_reals(net, n_parameters, 0.5);
    void *expected = new_reals(net, n_y), *y = new_reals(net, n_y);
    void *state = new_reals(net, n_state), *state_out = new_reals(net, n_state);
    expect_steps(model, a, b, text.quads, expected, state);
    size_t bytes;
    CHECK_STATUS(pylstm_stream_size(model, BATCH_SIZE, &bytes), PYLSTM_OK);
    char *allocated;
    pylstm_memory memory = odd_memory_of(bytes, &allocated);
    pylstm_stream *stream;
    void *weights = copy_reals(net, a, n_parameters); /* the stream reads table and dense layer where they lie */
    CHECK_STATUS(pylstm_stream_init(&stream, model, BATCH_SIZE, weights, NULL, memory), PYLSTM_OK);
    for (ptrdiff_t s = 0; s < SWAP_AT; s++)
        stream_steps(model, stream, text.quads, s, 1, y);
    check_refused(model, stream);
    if (!pools) {
        CHECK_STATUS(pylstm_stream_set_weights(stream, b, NULL), PYLSTM_OK);
        memset(weights, 0xff, (size_t)n_parameters * real_size(net)); /* and reads those before no more */
    }
    stream_steps(model, stream, text.quads, SWAP_AT, N_STEPS - SWAP_AT, y);
    CHECK_STATUS(pylstm_stream_get_state(stream, state_out), PYLSTM_OK);
    expect_reals(net, y, expected, n_y, "a stream");
    expect_reals(net, state_out, state, n_state, "the state of a stream");
    const double numbers[40] = {0};
    const pylstm_scalings scaled[] = {
        {.inputs = {numbers, numbers}},
        {.inputs = {numbers, numbers}, .missing = {PYLSTM_MISSING_HOLD, numbers, 0, NULL}},
        {.missing = {PYLSTM_MISSING_INDICATOR, numbers, 0, NULL}},
    };
    for (int k = 0; k < 3; k++) {
        pylstm_stream *none = NULL;
        CHECK_STATUS(pylstm_stream_set_weights(stream, a, &scaled[k]), PYLSTM_ERROR_INPUT);
        CHECK_STATUS(pylstm_stream_init(&none, model, BATCH_SIZE, a, &scaled[k], memory), PYLSTM_ERROR_INPUT);
        CHECK(none == NULL);
    }
    if (pools)
        check_targets(model, stream, a, text.quads, expected);
    free(allocated);
    free_text(text);
    free(weights);
    free(a);
    free(b);
    free(expected);
    free(y);
    free(state);
    free(state_out);
}

static void check_streams(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell)
{
    static const ptrdiff_t hidden[][2] = {{1, 3}, {7, 2}, {33, 17}}, inputs[] = {1, 5, 17};
    for (int k = 0; k < 3; k++) {
        for (int input = PYLSTM_ONE_HOT; input < PYLSTM_N_INPUTS; input++) {
            for (int with = 0; with < 4; with++) { /* nothing; a dense layer, and as it pools */
                pylstm_net net = make_net(isa, dtype, cell, inputs[k], 1 + with % 2, hidden[k], 1);
                pylstm_model model = {.n_outputs = with > 0 ? 3 : 0,
                                      .pooling = with == 2   ? PYLSTM_POOL_MEAN
                                                 : with == 3 ? PYLSTM_POOL_MAX
                                                             : PYLSTM_POOL_NONE,
                                      .loss = with == 2 ? PYLSTM_SQUARED_ERROR : PYLSTM_CROSS_ENTROPY};
                model.net = with_tokens(net, (pylstm_input)input, input == PYLSTM_ONE_HOT ? inputs[k] : 13);
                check_stream(&model);
            }
        }
        pylstm_net net = make_net(isa, dtype, cell, hidden[k][0], 1, hidden[k], 1);
        pylstm_model tied = {.n_outputs = 13, .pooling = PYLSTM_POOL_NONE, .is_tied = 1};
        tied.net = with_tokens(net, PYLSTM_EMBEDDING, 13);
        check_stream(&tied);
    }
}

int main(void)
{
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64 && is_tested(isa); dtype++)
            for (int cell = PYLSTM_LSTM; cell < PYLSTM_N_CELLS; cell++)
                check_streams((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell);
    return REPORT();
}
