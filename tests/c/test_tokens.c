/* Tokens give the bits of what they stand for, and its gradients: arrays of zeros and ones, or rows of a table. */
#include "tokens.h"

enum { SEED = 17 };

/* ----------------------------------------------------------------- forward */

/* The ways through a net. */
enum way { INFERENCE, PACKED, TRAINING, TRACE, HELD, PREDICT, N_WAYS };

static const char *const ways[N_WAYS] = {"inference", "packed weights", "training",
                                         "a trace",   "held gates",     "predictions"};

/* What came out. */
struct outcome {
    void *y, *state_out;
    void *kept; /* of a trace: all directions of the first layer */
    ptrdiff_t n_y, n_state, n_kept;
};

static void free_outcome(struct outcome of)
{
    free(of.y);
    free(of.state_out);
    free(of.kept);
}

static void expect_outcome(const pylstm_net *net, struct outcome got, struct outcome expected, const char *what)
{
    expect_reals(net, got.y, expected.y, expected.n_y, what);
    expect_reals(net, got.state_out, expected.state_out, expected.n_state, what);
    expect_reals(net, got.kept, expected.kept, got.n_kept, what);
}

static pylstm_memory pack(const pylstm_net *net, const void *parameters)
{
    size_t bytes;
    CHECK_STATUS(pylstm_packed_size(net, &bytes), PYLSTM_OK);
    pylstm_memory packed = memory_of(bytes);
    CHECK_STATUS(pylstm_pack(net, parameters, packed), PYLSTM_OK);
    return packed;
}

/* Runs a net, or a model, over tokens of a size, or with token_size 0 over values. `held`: of a trace. */
static struct outcome run(const pylstm_model *model, const void *parameters, const struct text *text, const void *x,
                          int token_size, const void *state_in, const void *held, enum way way)
{
    static const ptrdiff_t n_kept[PYLSTM_N_CELLS] = {6, 4, 1, 1};
    const pylstm_net *net = &model->net;
    const pylstm_shape *shape = &text->batch.shape;
    bool traces = way == TRACE || way == HELD;
    ptrdiff_t width = way == PREDICT ? model->n_outputs : pylstm_net_output_size(net);
    ptrdiff_t n_values = n_kept[net->cell] * text->n_rows * net->hidden_sizes[0];
    struct outcome of = {.n_y = text->n_rows * width,
                         .n_state = text->n_sequences * pylstm_net_state_size(net),
                         .n_kept = traces ? net->n_directions * n_values : 0};
    of.y = new_reals(net, of.n_y), of.state_out = new_reals(net, of.n_state), of.kept = new_reals(net, of.n_kept);
    size_t bytes;
    char *allocated[2] = {NULL, NULL};
    pylstm_forward_pass pass = {.batch = &text->batch,
                                .parameters = parameters,
                                .x = x,
                                .token_size = token_size,
                                .state_in = state_in,
                                .held = held,
                                .y = of.y,
                                .state_out = of.state_out,
                                .dropout_seed = SEED};
    if (way == PACKED || traces)
        pass.packed = pack(net, parameters);
    if (way == TRAINING || traces) {
        CHECK_STATUS(pylstm_tape_size(net, shape, &bytes), PYLSTM_OK);
        pass.tape = odd_memory_of(bytes, &allocated[0]);
    }
    CHECK_STATUS(way == PREDICT ? pylstm_predict_size(model, shape, &bytes) : pylstm_forward_size(net, shape, &bytes),
                 PYLSTM_OK);
    pass.workspace = odd_memory_of(bytes, &allocated[1]);
    CHECK_STATUS(way == PREDICT ? pylstm_predict(model, &pass)
                 : traces       ? pylstm_trace(net, &pass)
                                : pylstm_forward(net, &pass),
                 PYLSTM_OK);
    for (ptrdiff_t direction = 0; traces && direction < net->n_directions; direction++)
        CHECK_STATUS(
            pylstm_tape_read(net, &text->batch, 0, direction, pass.tape, element(net, of.kept, direction * n_values)),
            PYLSTM_OK);
    free(pass.packed.data);
    free(allocated[0]);
    free(allocated[1]);
    return of;
}

/* What about half of the gates of all layers are held at. */
static void *random_held(const pylstm_net *net, ptrdiff_t n_rows)
{
    static const ptrdiff_t n_gates[PYLSTM_N_CELLS] = {4, 3, 0, 0};
    ptrdiff_t n = 0;
    for (ptrdiff_t l = 0; l < net->n_layers; l++)
        n += net->n_directions * n_gates[net->cell] * n_rows * net->hidden_sizes[l];
    void *held = random_reals(net, n, 1);
    for (ptrdiff_t k = 0; k < n; k++)
        if (draw() < 0)
            set_real(net, held, k, NAN);
    return held;
}

/* Each way with tokens of a size, by turns: of each input in each size. Of values, a trace has what comes of them in
 * inference and training (test_bits.c), and what is kept. */
static void check_forward(const pylstm_model *model, void *parameters, const struct text *text, int turn)
{
    static const int sizes[] = {1, 2, 4};
    const pylstm_net *net = &model->net;
    pylstm_model of_values = *model;
    of_values.net = without_tokens(*net);
    of_values.net.n_threads = 1;
    const void *own = element(net, parameters, pylstm_net_table_size(net));
    void *x = values_of(net, parameters, text);
    void *state = random_reals(net, text->n_sequences * pylstm_net_state_size(net), 0.8);
    void *held = random_held(net, text->n_rows);
    struct outcome traced = run(&of_values, own, text, x, 0, state, NULL, TRACE);
    for (int way = INFERENCE; way < N_WAYS; way++) {
        bool is_own = way == HELD || way == PREDICT;
        const void *held_here = way == HELD ? held : NULL;
        struct outcome expected = is_own ? run(&of_values, own, text, x, 0, state, held_here, (enum way)way) : traced;
        int k = (turn + turn / 3 + way) % 3, token_size = fits(text->n_tokens, sizes[k]) ? sizes[k] : 4;
        pylstm_model variant = *model;
        variant.net.last_first = k == 1;
        variant.net.n_threads = 1 + (k + way) % 2;
        struct outcome got =
            run(&variant, parameters, text, tokens_of(text, token_size), token_size, state, held_here, (enum way)way);
        expect_outcome(net, got, expected, ways[way]);
        free_outcome(got);
        if (is_own)
            free_outcome(expected);
    }
    free_outcome(traced);
    free(x);
    free(state);
    free(held);
}

/* --------------------------------------------------------------- gradients */

struct gradients {
    void *dparameters, *dx, *dstate_in;
};

static void free_gradients(struct gradients of)
{
    free(of.dparameters);
    free(of.dx);
    free(of.dstate_in);
}

/* There and back. */
static struct gradients gradients_of(const pylstm_net *net, const void *parameters, const struct text *text,
                                     const void *x, int token_size, const void *dy, const void *dstate, bool wants_dx)
{
    const pylstm_shape *shape = &text->batch.shape;
    ptrdiff_t n_state = text->n_sequences * pylstm_net_state_size(net);
    struct gradients of = {.dparameters = new_reals(net, pylstm_net_n_parameters(net)),
                           .dx = wants_dx ? new_reals(net, text->n_rows * net->input_size) : NULL,
                           .dstate_in = new_reals(net, n_state)};
    void *y = new_reals(net, text->n_rows * pylstm_net_output_size(net));
    size_t bytes[3];
    char *allocated[3];
    CHECK_STATUS(pylstm_tape_size(net, shape, &bytes[0]), PYLSTM_OK);
    CHECK_STATUS(pylstm_forward_size(net, shape, &bytes[1]), PYLSTM_OK);
    CHECK_STATUS(pylstm_backward_size(net, shape, &bytes[2]), PYLSTM_OK);
    pylstm_memory memories[3];
    for (int k = 0; k < 3; k++)
        memories[k] = odd_memory_of(bytes[k], &allocated[k]);
    CHECK_STATUS(pylstm_forward(net, &(pylstm_forward_pass){.batch = &text->batch,
                                                            .parameters = parameters,
                                                            .x = x,
                                                            .token_size = token_size,
                                                            .y = y,
                                                            .dropout_seed = SEED,
                                                            .tape = memories[0],
                                                            .workspace = memories[1]}),
                 PYLSTM_OK);
    bool reads_tokens = net->input == PYLSTM_EMBEDDING;
    CHECK_STATUS(pylstm_backward(net, &(pylstm_backward_pass){.batch = &text->batch,
                                                              .parameters = parameters,
                                                              .dy = dy,
                                                              .dstate_out = dstate,
                                                              .x = reads_tokens ? x : NULL, /* else unread */
                                                              .token_size = reads_tokens ? token_size : 0,
                                                              .dparameters = of.dparameters,
                                                              .dx = of.dx,
                                                              .dstate_in = of.dstate_in,
                                                              .dropout_seed = SEED,
                                                              .tape = memories[0],
                                                              .workspace = memories[2]}),
                 PYLSTM_OK);
    for (int k = 0; k < 3; k++)
        free(allocated[k]);
    free(y);
    return of;
}

/* Of each token the sum of the rows that it stood for, in the order of the steps; of a frozen table zeros. */
static void *row_sums(const pylstm_net *net, const struct text *text, const void *dx)
{
    ptrdiff_t n_x = net->input_size, n = pylstm_net_table_size(net);
    void *sums = new_reals(net, n);
    for (ptrdiff_t k = 0; k < n; k++)
        set_real(net, sums, k, 0);
    for (ptrdiff_t r = 0; net->input == PYLSTM_EMBEDDING && r < text->n_rows; r++)
        for (ptrdiff_t k = 0; k < n_x; k++) {
            ptrdiff_t at = (ptrdiff_t)text->quads[r] * n_x + k;
            set_real(net, sums, at, get_real(net, sums, at) + get_real(net, dx, r * n_x + k));
        }
    return sums;
}

static void check_backward(const pylstm_net *net, void *parameters, const struct text *text, int token_size)
{
    pylstm_net of_values = without_tokens(*net);
    ptrdiff_t n_table = pylstm_net_table_size(net), n_own = pylstm_net_n_parameters(&of_values);
    ptrdiff_t n_state = text->n_sequences * pylstm_net_state_size(net);
    void *dy = random_reals(net, text->n_rows * pylstm_net_output_size(net), 1);
    void *dstate = random_reals(net, n_state, 1), *x = values_of(net, parameters, text);
    const void *own = element(net, parameters, n_table);
    struct gradients expected = gradients_of(&of_values, own, text, x, 0, dy, dstate, true);
    struct gradients got =
        gradients_of(net, parameters, text, tokens_of(text, token_size), token_size, dy, dstate, false);
    void *sums = row_sums(net, text, expected.dx);
    expect_reals(net, element(net, got.dparameters, n_table), expected.dparameters, n_own, "gradients of the layers");
    expect_reals(net, got.dparameters, sums, n_table, "gradients of the table");
    expect_reals(net, got.dstate_in, expected.dstate_in, n_state, "gradients of the state");
    free(sums);
    free_gradients(expected);
    free_gradients(got);
    free(dy);
    free(dstate);
    free(x);
}

/* --------------------------------------------------------------------- all */

static void check(pylstm_net net, pylstm_input input, ptrdiff_t n_tokens, ptrdiff_t n_sequences,
                  const ptrdiff_t *lengths)
{
    static int turn;
    static const int sizes[] = {1, 2, 4};
    char kept[sizeof label];
    memcpy(kept, label, sizeof kept);
    net = with_tokens(net, input, n_tokens);
    pylstm_model model = {.net = net, .n_outputs = 3, .pooling = PYLSTM_POOL_NONE, .loss = PYLSTM_CROSS_ENTROPY};
    void *parameters = random_reals(&net, pylstm_model_n_parameters(&model), 0.5);
    struct text text = new_text(n_tokens, n_sequences, lengths);
    check_forward(&model, parameters, &text, turn);
    net.dropout = turn % 2 ? 0.3 : 0;
    net.n_threads = 1 + turn / 2 % 2;
    int token_size = sizes[turn++ % 3];
    check_backward(&net, parameters, &text, fits(n_tokens, token_size) ? token_size : 4);
    free_text(text);
    free(parameters);
    memcpy(label, kept, sizeof label);
}

static void check_inputs(pylstm_net net, ptrdiff_t n_tokens, ptrdiff_t n_sequences, const ptrdiff_t *lengths)
{
    check(net, PYLSTM_ONE_HOT, net.input_size, n_sequences, lengths);
    check(net, PYLSTM_EMBEDDING, n_tokens, n_sequences, lengths);
    check(net, PYLSTM_FROZEN, n_tokens, n_sequences, lengths);
}

static void check_small(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell, ptrdiff_t n_directions)
{
    static const ptrdiff_t hidden[][2] = {{1, 3}, {7, 2}, {33, 16}}, inputs[] = {1, 5, 17}, n_tokens[] = {1, 13, 101};
    static const ptrdiff_t dense[] = {6, 6, 6, 6, 6}, ragged[] = {4, 1, 9, 4, 2, 30, 1}, few[] = {2, 1}, one[] = {1};
    for (int k = 0; k < 3; k++) {
        for (ptrdiff_t n_layers = 1; n_layers <= 2; n_layers++) {
            pylstm_net net = make_net(isa, dtype, cell, inputs[k], n_layers, hidden[k], n_directions);
            if ((k + n_layers + n_directions) % 2)
                check_inputs(net, n_tokens[k], 5, dense);
            else
                check_inputs(net, n_tokens[k], 7, ragged);
            check_inputs(net, n_tokens[k], 2, few);
            check_inputs(net, n_tokens[k], 1, one);
        }
    }
}

/* Where the runtime goes other ways: several chunks of steps, more sequences than a chunk has rows, weights that do not
 * fit the caches, and threads that share one sequence's units. */
static void check_large(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell, ptrdiff_t n_directions)
{
    enum { N_MANY = 260 };
    static const ptrdiff_t small[] = {5}, large[] = {257}, chunks[] = {300, 1, 299, 20}, alone[] = {17}, few[] = {3, 3};
    ptrdiff_t many[N_MANY];
    for (ptrdiff_t k = 0; k < N_MANY; k++)
        many[k] = 1 + k % 3;
    pylstm_net net = make_net(isa, dtype, cell, 9, 1, small, n_directions);
    check_inputs(net, 256, 4, chunks);
    check_inputs(net, 300, N_MANY, many);
    if (dtype == PYLSTM_FLOAT32 && n_directions == 1)
        check(net, PYLSTM_EMBEDDING, 70000, N_MANY, many);
    net = make_net(isa, dtype, cell, 33, 1, large, n_directions);
    check_inputs(net, 256, 1, alone);
    check_inputs(net, 256, 2, few);
}

int main(void)
{
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++) {
        for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64 && is_tested(isa); dtype++) {
            for (int cell = PYLSTM_LSTM; cell < PYLSTM_N_CELLS; cell++) {
                /* large nets in one direction or in two, with either dtype, by turns */
                for (ptrdiff_t n_directions = 1; n_directions <= 2; n_directions++) {
                    check_small((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell, n_directions);
                    if (n_directions == 1 + (isa + dtype + cell / 2) % 2 && (isa + dtype + cell) % 2 == 0)
                        check_large((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell, n_directions);
                }
            }
        }
    }
    return REPORT();
}
