/* Shapes: nets, batches, sizes, and what is refused. */
#include "pylstm.h"

#include "reals.h"

#include <limits.h>

static void test_strerror(void)
{
    for (int status = 0; status < PYLSTM_N_STATUS; status++) {
        CHECK(strlen(pylstm_strerror(status)) > 4);
        for (int other = 0; other < status; other++)
            CHECK(strcmp(pylstm_strerror(status), pylstm_strerror(other)) != 0);
    }
    CHECK(strcmp(pylstm_strerror(-1), "unknown status") == 0);
    CHECK(strcmp(pylstm_strerror(PYLSTM_N_STATUS), "unknown status") == 0);
}

/* From one to the next there is no gap, and nothing twice. */
static void test_walks(void)
{
    ptrdiff_t sizes[] = {5, 2, 12};
    for (ptrdiff_t n_directions = 1; n_directions <= 2; n_directions++) {
        for (ptrdiff_t n_outputs = 0; n_outputs <= 3; n_outputs += 3) {
            pylstm_net net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_GRU, 3, 3, sizes, n_directions);
            pylstm_model model = {
                .net = net, .n_outputs = n_outputs, .pooling = PYLSTM_POOL_LAST, .loss = PYLSTM_SQUARED_ERROR};
            ptrdiff_t n_layers = 0, n_parameters = 0, end = 0, state_end = 0;
            for (pylstm_layer at = {0}; pylstm_net_next(&net, &at); n_layers++) {
                CHECK(at.layer == n_layers / n_directions && at.direction == n_layers % n_directions);
                CHECK(at.hidden_size == sizes[at.layer] && at.h == state_end);
                state_end += at.hidden_size;
            }
            CHECK(n_layers == 3 * n_directions && state_end == pylstm_net_state_size(&net));
            pylstm_parameter at = {0};
            for (; pylstm_model_next(&model, &at); n_parameters++) {
                CHECK(at.offset == end && at.layer.layer <= 2);
                end += at.rows * (at.columns ? at.columns : 1);
            }
            CHECK(n_parameters == 9 * n_directions + (n_outputs ? 2 : 0) && end == pylstm_model_n_parameters(&model));
            CHECK(strcmp(at.name, n_outputs ? "bias_out" : n_directions == 2 ? "bias_l2_reverse" : "bias_l2") == 0);
            CHECK(pylstm_model_next(&model, &at) == 0);
        }
    }
}

static void test_net(void)
{
    ptrdiff_t sizes[] = {5, 2};
    pylstm_net net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_LSTM, 3, 2, sizes, 2);
    CHECK_STATUS(pylstm_net_check(&net), PYLSTM_OK);
    CHECK(pylstm_net_n_parameters(&net) == 2 * (20 * (3 + 5 + 1) + 8 * (10 + 2 + 1)));
    CHECK(pylstm_net_state_size(&net) == 2 * 2 * (5 + 2));
    CHECK(pylstm_net_output_size(&net) == 4);
    pylstm_layer at = pylstm_net_layer(&net, 1, 1);
    CHECK(at.input_size == 10 && at.hidden_size == 2);
    CHECK(at.weight_ih == 2 * 20 * 9 + 8 * 13 && at.weight_hh == at.weight_ih + 80 && at.bias == at.weight_hh + 16);
    CHECK(at.h == 20 + 2 && at.c == 20 + 4 + 2);
    CHECK(at.n_gates == 4 && at.n_biases == 4 && at.n_states == 2);
    CHECK(at.layer == 1 && at.direction == 1 && pylstm_net_next(&net, &at) == 0 && at.layer == 1);

    pylstm_net bad = net;
    bad.dtype = (pylstm_dtype)7;
    CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_DTYPE);
    const int no_cells[] = {-1, PYLSTM_N_CELLS, INT_MAX, INT_MIN};
    for (int k = 0; k < 4; k++) {
        bad = net;
        bad.cell = (pylstm_cell)no_cells[k];
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_CELL);
    }
    bad = net;
    bad.input_size = 0;
    CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_SIZE);
    bad = net;
    bad.n_layers = 0;
    CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_SIZE);
    bad = net;
    bad.n_directions = 3;
    CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_SIZE);
    const double dropouts[] = {1.0, -0.1, NAN, INFINITY};
    for (int k = 0; k < 4; k++) {
        bad = net;
        bad.dropout = dropouts[k];
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_DROPOUT);
    }
    CHECK_STATUS(pylstm_net_check(NULL), PYLSTM_ERROR_NULL);
    bad = net;
    bad.hidden_sizes = NULL;
    CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_NULL);
    const ptrdiff_t hidden[] = {0, -3, INT_MAX / 4 + 1, PTRDIFF_MAX, PTRDIFF_MAX / 8};
    const int expected[] = {PYLSTM_ERROR_SIZE, PYLSTM_ERROR_SIZE, PYLSTM_ERROR_OVERFLOW, PYLSTM_ERROR_OVERFLOW,
                            PYLSTM_ERROR_OVERFLOW};
    for (int k = 0; k < 5; k++) {
        sizes[1] = hidden[k];
        CHECK_STATUS(pylstm_net_check(&net), expected[k]);
    }
    sizes[1] = 2;
    const ptrdiff_t inputs[] = {INT_MAX, PTRDIFF_MAX};
    for (int k = 0; k < 2; k++) {
        bad = net;
        bad.input_size = inputs[k];
        CHECK_STATUS(pylstm_net_check(&bad), PYLSTM_ERROR_OVERFLOW);
    }
    /* Each layer fits, but not all of them. */
    ptrdiff_t many[4] = {INT_MAX / 4, INT_MAX / 4, INT_MAX / 4, INT_MAX / 4};
    pylstm_net tall = {.dtype = PYLSTM_FLOAT32,
                       .input_size = 1,
                       .n_layers = 4,
                       .hidden_sizes = many,
                       .n_directions = 2,
                       .isa = PYLSTM_ISA_BEST,
                       .n_threads = 1,
                       .cell = PYLSTM_LSTM};
    CHECK_STATUS(pylstm_net_check(&tall), PYLSTM_ERROR_OVERFLOW);
#if PTRDIFF_MAX > INT_MAX
    /* The largest one of one input: 8 H (H + 2) just fits into 2^59. Not twice. */
    ptrdiff_t large[2] = {((ptrdiff_t)1 << 28) - 1, ((ptrdiff_t)1 << 28) - 1};
    pylstm_net largest = {.dtype = PYLSTM_FLOAT32,
                          .input_size = 1,
                          .n_layers = 1,
                          .hidden_sizes = large,
                          .n_directions = 1,
                          .isa = PYLSTM_ISA_BEST,
                          .n_threads = 1,
                          .cell = PYLSTM_LSTM};
    CHECK_STATUS(pylstm_net_check(&largest), PYLSTM_OK);
    largest.n_layers = 2;
    CHECK_STATUS(pylstm_net_check(&largest), PYLSTM_ERROR_OVERFLOW);
    largest.n_layers = 1, large[0]++;
    CHECK_STATUS(pylstm_net_check(&largest), PYLSTM_ERROR_OVERFLOW);
#endif
}

/* The same net of the other cells: with one state, and with G = 3 and V = 4, or 1. */
static void test_cells(void)
{
    const ptrdiff_t sizes[] = {5, 2};
    pylstm_net net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_GRU, 3, 2, sizes, 2);
    CHECK_STATUS(pylstm_net_check(&net), PYLSTM_OK);
    CHECK(pylstm_net_n_parameters(&net) == 2 * (15 * (3 + 5) + 20 + 6 * (10 + 2) + 8));
    CHECK(pylstm_net_state_size(&net) == 2 * (5 + 2));
    pylstm_layer at = pylstm_net_layer(&net, 1, 1);
    CHECK(at.weight_ih == 2 * 140 + 80 && at.weight_hh == at.weight_ih + 60 && at.bias == at.weight_hh + 12);
    CHECK(at.h == 10 + 2 && at.n_gates == 3 && at.n_biases == 4 && at.n_states == 1);
    for (int cell = PYLSTM_RNN_TANH; cell <= PYLSTM_RNN_RELU; cell++) {
        net.cell = (pylstm_cell)cell;
        CHECK_STATUS(pylstm_net_check(&net), PYLSTM_OK);
        CHECK(pylstm_net_n_parameters(&net) == 2 * (5 * (3 + 5 + 1) + 2 * (10 + 2 + 1)));
        CHECK(pylstm_net_state_size(&net) == 2 * (5 + 2) && pylstm_net_output_size(&net) == 4);
        at = pylstm_net_layer(&net, 1, 1);
        CHECK(at.weight_ih == 2 * 45 + 26 && at.weight_hh == at.weight_ih + 20 && at.bias == at.weight_hh + 4);
        CHECK(at.h == 10 + 2 && at.n_gates == 1 && at.n_biases == 1 && at.n_states == 1);
    }
}

/* The picture in pylstm.h. */
static void test_batch(void)
{
    const ptrdiff_t lengths[] = {2, 3, 2};
    const ptrdiff_t order[] = {1, 0, 2}, first[] = {2, 0, 5}, length[] = {3, 2, 2}, offset[] = {0, 3, 6, 7};
    pylstm_shape shape;
    CHECK_STATUS(pylstm_shape_init(&shape, 3, lengths), PYLSTM_OK);
    CHECK(shape.n_sequences == 3 && shape.n_steps == 3 && shape.n_rows == 7);
    size_t bytes;
    CHECK_STATUS(pylstm_batch_size(&shape, &bytes), PYLSTM_OK);
    char *memory = allocate(bytes);
    pylstm_batch batch;
    CHECK_STATUS(pylstm_batch_init(&batch, 3, lengths, memory, bytes), PYLSTM_OK);
    CHECK(memcmp(batch.order, order, sizeof order) == 0);
    CHECK(memcmp(batch.first, first, sizeof first) == 0);
    CHECK(memcmp(batch.length, length, sizeof length) == 0);
    CHECK(memcmp(batch.offset, offset, sizeof offset) == 0);

    CHECK_STATUS(pylstm_batch_init(&batch, 3, lengths, memory, bytes - 1), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_batch_init(&batch, 3, lengths, NULL, bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_batch_init(NULL, 3, lengths, memory, bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_batch_size(&shape, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_batch_size(NULL, &bytes), PYLSTM_ERROR_NULL);
    free(memory);
}

/* Against the definition, over random lengths. */
static void test_random_batches(void)
{
    for (int trial = 0; trial < 200; trial++) {
        ptrdiff_t lengths[20], n_sequences = 1 + (ptrdiff_t)((draw() + 1) * 9.9);
        for (ptrdiff_t b = 0; b < n_sequences; b++)
            lengths[b] = 1 + (ptrdiff_t)((draw() + 1) * 5);
        pylstm_shape shape;
        size_t bytes;
        CHECK_STATUS(pylstm_shape_init(&shape, n_sequences, lengths), PYLSTM_OK);
        CHECK_STATUS(pylstm_batch_size(&shape, &bytes), PYLSTM_OK);
        void *memory = allocate(bytes);
        pylstm_batch batch;
        CHECK_STATUS(pylstm_batch_init(&batch, n_sequences, lengths, memory, bytes), PYLSTM_OK);
        for (ptrdiff_t b = 0; b < n_sequences; b++) {
            ptrdiff_t row = 0;
            for (ptrdiff_t before = 0; before < batch.order[b]; before++)
                row += lengths[before];
            CHECK(batch.first[b] == row && batch.length[b] == lengths[batch.order[b]]);
            if (b > 0)
                CHECK(batch.length[b - 1] > batch.length[b] ||
                      (batch.length[b - 1] == batch.length[b] && batch.order[b - 1] < batch.order[b]));
        }
        for (ptrdiff_t s = 0; s < shape.n_steps; s++) {
            ptrdiff_t alive = 0;
            for (ptrdiff_t b = 0; b < n_sequences; b++)
                alive += lengths[b] > s;
            CHECK(batch.offset[s + 1] - batch.offset[s] == alive);
        }
        CHECK(batch.offset[0] == 0 && batch.offset[shape.n_steps] == shape.n_rows);
        free(memory);
    }
}

static void test_bad_lengths(void)
{
    pylstm_shape shape;
    const ptrdiff_t with_empty[] = {3, 0}, negative[] = {3, -1}, endless[] = {PTRDIFF_MAX, 1}, one[] = {1};
    CHECK_STATUS(pylstm_shape_init(&shape, 2, with_empty), PYLSTM_ERROR_LENGTH);
    CHECK_STATUS(pylstm_shape_init(&shape, 2, negative), PYLSTM_ERROR_LENGTH);
    CHECK_STATUS(pylstm_shape_init(&shape, 2, endless), PYLSTM_ERROR_OVERFLOW);
    CHECK_STATUS(pylstm_shape_init(&shape, 0, one), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_shape_init(&shape, (ptrdiff_t)INT_MAX + 1, one), PYLSTM_ERROR_OVERFLOW);
    CHECK_STATUS(pylstm_shape_init(&shape, 1, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_shape_init(NULL, 1, one), PYLSTM_ERROR_NULL);
}

typedef int size_of(const pylstm_net *, const pylstm_shape *, size_t *);

static void test_sizes(void)
{
    const ptrdiff_t sizes[] = {5, 2}, large[] = {1 << 20};
    pylstm_net net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT64, PYLSTM_LSTM, 3, 2, sizes, 2),
               large_net = {.dtype = PYLSTM_FLOAT64,
                            .input_size = 1 << 20,
                            .n_layers = 1,
                            .hidden_sizes = large,
                            .n_directions = 1,
                            .isa = PYLSTM_ISA_BEST,
                            .n_threads = 1,
                            .cell = PYLSTM_LSTM};
    size_of *const functions[] = {pylstm_tape_size, pylstm_forward_size, pylstm_backward_size};
    for (int k = 0; k < 3; k++) {
        pylstm_shape shape = {4, 3, 9};
        size_t bytes, more;
        CHECK_STATUS(functions[k](&net, &shape, &bytes), PYLSTM_OK);
        for (int field = 0; field < 2; field++) {
            pylstm_shape larger = {shape.n_sequences + (field == 0), shape.n_steps, shape.n_rows + (field == 1)};
            CHECK_STATUS(functions[k](&net, &larger, &more), PYLSTM_OK);
            CHECK(more >= bytes);
        }
        CHECK_STATUS(functions[k](NULL, &shape, &bytes), PYLSTM_ERROR_NULL);
        CHECK_STATUS(functions[k](&net, NULL, &bytes), PYLSTM_ERROR_NULL);
        CHECK_STATUS(functions[k](&net, &shape, NULL), PYLSTM_ERROR_NULL);
        const pylstm_shape bad[] = {{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {-1, 1, 1}};
        for (int b = 0; b < 4; b++)
            CHECK_STATUS(functions[k](&net, &bad[b], &bytes), PYLSTM_ERROR_SIZE);
        const pylstm_shape huge[] = {{(ptrdiff_t)INT_MAX + 1, 1, PTRDIFF_MAX},
                                     {INT_MAX, PTRDIFF_MAX, PTRDIFF_MAX},
                                     {1, PTRDIFF_MAX / 64, PTRDIFF_MAX / 64}};
        for (int h = 0; h < 3; h++)
            CHECK_STATUS(functions[k](&net, &huge[h], &bytes), PYLSTM_ERROR_OVERFLOW);
        /* One layer leaves nothing for another: but for a tape, and gradients of what was dropped, nothing grows with
         * the steps. */
        const pylstm_shape wide = {INT_MAX, 1 << 20, (ptrdiff_t)1 << 51};
        large_net.dropout = 0;
        CHECK_STATUS(functions[k](&large_net, &wide, &bytes), k > 0 ? PYLSTM_OK : PYLSTM_ERROR_OVERFLOW);
        large_net.dropout = 0.5;
        CHECK_STATUS(functions[k](&large_net, &wide, &bytes), k == 1 ? PYLSTM_OK : PYLSTM_ERROR_OVERFLOW);
    }
}

int main(void)
{
    test_strerror();
    test_walks();
    test_net();
    test_cells();
    test_batch();
    test_random_batches();
    test_bad_lengths();
    test_sizes();
    return REPORT();
}
