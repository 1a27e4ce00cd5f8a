/* What README promises to the bit: the outputs of a sequence do not depend on what it is computed with. Alone, in a
 * dense or ragged batch, in inference or training, by one thread or several, in one go or in two halves. */
#include "reals.h"

/* Some sequences, their initial states, and what the net makes of them. */
struct batch {
    ptrdiff_t n_sequences, n_rows;
    const ptrdiff_t *lengths;
    void *x, *state, *y, *state_out;
};

static struct batch new_batch(const pylstm_net *net, ptrdiff_t n_sequences, const ptrdiff_t *lengths)
{
    struct batch b = {.n_sequences = n_sequences, .lengths = lengths};
    for (ptrdiff_t k = 0; k < n_sequences; k++)
        b.n_rows += lengths[k];
    ptrdiff_t n_state = pylstm_net_state_size(net) * n_sequences;
    b.x = random_reals(net, b.n_rows * net->input_size, 1);
    b.state = random_reals(net, n_state, 0.8);
    b.y = new_reals(net, b.n_rows * pylstm_net_output_size(net));
    b.state_out = new_reals(net, n_state);
    return b;
}

static void free_batch(struct batch b)
{
    free(b.x);
    free(b.state);
    free(b.y);
    free(b.state_out);
}

/* In turns with weights packed before. */
static void run(const pylstm_net *net, const void *parameters, struct batch b, int training)
{
    static int turn;
    pylstm_memory packed = {NULL, 0};
    if (turn++ % 2) {
        CHECK_STATUS(pylstm_packed_size(net, &packed.bytes), PYLSTM_OK);
        packed.data = allocate(packed.bytes);
        CHECK_STATUS(pylstm_pack(net, parameters, packed), PYLSTM_OK);
    }
    pylstm_shape shape;
    pylstm_batch batch;
    pylstm_memory tape = {NULL, 0}, workspace;
    size_t bytes;
    CHECK_STATUS(pylstm_shape_init(&shape, b.n_sequences, b.lengths), PYLSTM_OK);
    CHECK_STATUS(pylstm_batch_size(&shape, &bytes), PYLSTM_OK);
    void *batch_memory = allocate(bytes);
    CHECK_STATUS(pylstm_batch_init(&batch, b.n_sequences, b.lengths, batch_memory, bytes), PYLSTM_OK);
    CHECK_STATUS(pylstm_forward_size(net, &shape, &workspace.bytes), PYLSTM_OK);
    workspace.data = allocate(workspace.bytes);
    if (training) {
        CHECK_STATUS(pylstm_tape_size(net, &shape, &tape.bytes), PYLSTM_OK);
        tape.data = allocate(tape.bytes);
    }
    CHECK_STATUS(pylstm_forward(net, &(pylstm_forward_pass){.batch = &batch,
                                                            .parameters = parameters,
                                                            .packed = packed,
                                                            .x = b.x,
                                                            .state_in = b.state,
                                                            .y = b.y,
                                                            .state_out = b.state_out,
                                                            .tape = tape,
                                                            .workspace = workspace}),
                 PYLSTM_OK);
    free(batch_memory);
    free(workspace.data);
    free(tape.data);
    free(packed.data);
}

/* Sequence k's part of a state [..][B][H] from or to the state of one sequence alone. */
static void copy_state(const pylstm_net *net, ptrdiff_t n_sequences, ptrdiff_t k, void *all, void *one, int to_all)
{
    for (ptrdiff_t l = 0; l < net->n_layers; l++) {
        for (ptrdiff_t direction = 0; direction < net->n_directions; direction++) {
            pylstm_layer layer = pylstm_net_layer(net, l, direction);
            const ptrdiff_t places[] = {layer.h, layer.c};
            for (ptrdiff_t i = 0; i < layer.n_states; i++) {
                char *there = element(net, all, places[i] * n_sequences + k * layer.hidden_size);
                char *here = element(net, one, places[i]);
                memcpy(to_all ? there : here, to_all ? here : there, (size_t)layer.hidden_size * real_size(net));
            }
        }
    }
}

/* Runs each sequence alone and puts the results where those of the batch go. */
static void run_alone(const pylstm_net *net, const void *parameters, struct batch b, int training)
{
    ptrdiff_t row = 0, n_state = pylstm_net_state_size(net), n_y = pylstm_net_output_size(net);
    for (ptrdiff_t k = 0; k < b.n_sequences; row += b.lengths[k++]) {
        struct batch one = {1,
                            b.lengths[k],
                            b.lengths + k,
                            element(net, b.x, row * net->input_size),
                            new_reals(net, n_state),
                            new_reals(net, b.lengths[k] * n_y),
                            new_reals(net, n_state)};
        copy_state(net, b.n_sequences, k, b.state, one.state, 0);
        run(net, parameters, one, training);
        memcpy(element(net, b.y, row * n_y), one.y, (size_t)(b.lengths[k] * n_y) * real_size(net));
        copy_state(net, b.n_sequences, k, b.state_out, one.state_out, 1);
        free(one.state);
        free(one.y);
        free(one.state_out);
    }
}

static void check_batch(const pylstm_net *net, ptrdiff_t n_sequences, const ptrdiff_t *lengths)
{
    void *parameters = random_reals(net, pylstm_net_n_parameters(net), 0.5);
    struct batch alone = new_batch(net, n_sequences, lengths), together = alone;
    size_t y_bytes = (size_t)(alone.n_rows * pylstm_net_output_size(net)) * real_size(net);
    size_t state_bytes = (size_t)(n_sequences * pylstm_net_state_size(net)) * real_size(net);
    run_alone(net, parameters, alone, 0);

    static const char *const whats[] = {"a batch", "a training batch", "a batch with threads",
                                        "a training batch with threads", "alone in training"};
    for (int way = 0; way < 5; way++) {
        pylstm_net variant = *net;
        variant.last_first = way % 2;
        variant.n_threads = way == 2 || way == 3 ? 3 : 1;
        together.y = allocate(y_bytes);
        together.state_out = allocate(state_bytes);
        if (way < 4)
            run(&variant, parameters, together, way % 2);
        else
            run_alone(&variant, parameters, together, 1);
        expect_same(together.y, alone.y, y_bytes, whats[way]);
        expect_same(together.state_out, alone.state_out, state_bytes, whats[way]);
        free(together.y);
        free(together.state_out);
    }
    free_batch(alone);
    free(parameters);
}

/* ------------------------------------------------------------------ halves */

/* Copies one direction's part (h and, of an LSTM, c) of the state of one sequence in a net of one layer. */
static void copy_direction(const pylstm_net *net, ptrdiff_t direction, void *from, void *to)
{
    pylstm_layer layer = pylstm_net_layer(net, 0, direction);
    size_t bytes = (size_t)layer.hidden_size * real_size(net);
    memcpy(element(net, to, layer.h), element(net, from, layer.h), bytes);
    if (layer.n_states > 1)
        memcpy(element(net, to, layer.c), element(net, from, layer.c), bytes);
}

/* The forward direction carries its state from the first half to the second, the reverse one from the second to the
 * first: so the second half runs for the reverse direction, then the first, then the second again. */
static void check_halves(const pylstm_net *net, ptrdiff_t n_first, ptrdiff_t n_second)
{
    const ptrdiff_t length = n_first + n_second;
    const ptrdiff_t n_y = pylstm_net_output_size(net), n_state = pylstm_net_state_size(net);
    const int both = net->n_directions == 2;
    void *parameters = random_reals(net, pylstm_net_n_parameters(net), 0.5), *y = new_reals(net, length * n_y);
    struct batch whole = new_batch(net, 1, &length);
    run(net, parameters, whole, 0);

    void *state = new_reals(net, n_state), *after_first = new_reals(net, n_state);
    void *after_second = new_reals(net, n_state);
    memcpy(state, whole.state, (size_t)n_state * real_size(net));
    struct batch first = {1, n_first, &n_first, whole.x, state, y, after_first};
    struct batch second = {1,           n_second,
                           &n_second,   element(net, whole.x, n_first * net->input_size),
                           state,       element(net, y, n_first * n_y),
                           after_second};
    if (both) {
        run(net, parameters, second, 0);
        copy_direction(net, 1, after_second, state);
    }
    run(net, parameters, first, 0);
    memcpy(state, after_first, (size_t)n_state * real_size(net));
    if (both)
        copy_direction(net, 1, whole.state, state);
    run(net, parameters, second, 0);
    if (both) /* the end of the reverse direction is the first half's */
        copy_direction(net, 1, after_first, after_second);

    expect_same(y, whole.y, (size_t)(length * n_y) * real_size(net), "two halves");
    expect_same(after_second, whole.state_out, (size_t)n_state * real_size(net), "the state after two halves");
    free_batch(whole);
    free(parameters);
    free(y);
    free(state);
    free(after_first);
    free(after_second);
}

/* --------------------------------------------------------------------- all */

enum { N_MANY = 260 }; /* more rows in a step than are projected ahead at once */

static void check_small(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell, ptrdiff_t n_directions)
{
    static const ptrdiff_t hidden[][2] = {{1, 3}, {7, 2}, {16, 9}, {33, 16}}, inputs[] = {1, 5, 17, 2};
    static const ptrdiff_t dense[] = {6, 6, 6, 6, 6}, ragged[] = {4, 1, 9, 4, 2, 30, 1};
    static const ptrdiff_t wide_ragged[] = {3, 8, 1, 7, 7, 2, 5, 8, 4, 6, 1, 8, 3, 7, 5, 2, 9};
    for (int k = 0; k < 4; k++) {
        pylstm_net net = make_net(isa, dtype, cell, inputs[k], 2, hidden[k], n_directions);
        check_batch(&net, 5, dense);
        check_batch(&net, 7, ragged);
        check_batch(&net, 17, wide_ragged);
        net = make_net(isa, dtype, cell, inputs[k], 1, hidden[k], n_directions);
        check_halves(&net, 5, 4);
        check_halves(&net, 1, 1);
        check_halves(&net, 14, 1);
        check_halves(&net, 1, 20);
    }
}

/* Where the runtime goes other ways: several chunks of steps, more sequences than a chunk has rows, weights that do not
 * fit the caches. */
static void check_large(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell, ptrdiff_t n_directions)
{
    static const ptrdiff_t small[] = {5}, large[] = {257}, chunks[] = {300, 1, 299, 20, 300, 130};
    static const ptrdiff_t alone[] = {17}, few_dense[] = {3, 3}, wide_dense[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    ptrdiff_t many[N_MANY];
    for (ptrdiff_t k = 0; k < N_MANY; k++)
        many[k] = 1 + k % 3;
    pylstm_net net = make_net(isa, dtype, cell, 3, 1, small, n_directions);
    check_batch(&net, 6, chunks);
    check_batch(&net, N_MANY, many);
    check_halves(&net, 260, 270);
    net = make_net(isa, dtype, cell, 9, 1, large, n_directions);
    check_batch(&net, 2, few_dense);
    check_batch(&net, 13, wide_dense);
    check_batch(&net, 1, alone); /* threads share its units */
    check_halves(&net, 3, 2);
}

int main(void)
{
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++) {
        for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64 && is_tested(isa); dtype++) {
            for (int cell = PYLSTM_LSTM; cell < PYLSTM_N_CELLS; cell++) {
                /* the ways of large nets in one direction or in two, with either dtype, by turns */
                ptrdiff_t large = 1 + (isa + dtype + cell) % 2;
                for (ptrdiff_t n_directions = 1; n_directions <= 2; n_directions++) {
                    check_small((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell, n_directions);
                    if (large == n_directions)
                        check_large((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell, n_directions);
                }
            }
        }
    }
    return REPORT();
}
