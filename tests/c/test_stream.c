/* Streams: the bits of pylstm_forward and pylstm_predict, the state, other weights between two steps, what is refused;
 * and that their calls allocate nothing, lock nothing and ask nothing of the system. */
#define _GNU_SOURCE /* syscall */
#include "reals.h"

#include <float.h>
#include <limits.h>

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

enum { N_STEPS = 11, SWAP_AT = 4 };

static pylstm_model with_head(pylstm_net net, ptrdiff_t n_outputs, pylstm_loss loss)
{
    return (pylstm_model){.net = net, .n_outputs = n_outputs, .pooling = PYLSTM_POOL_NONE, .loss = loss};
}

static ptrdiff_t output_size(const pylstm_model *model)
{
    return model->n_outputs > 0 ? model->n_outputs : pylstm_net_output_size(&model->net);
}

/* ----------------------------------------------------------------- steps */

/* Sequences of equal length, and what becomes of them: x [B][N_STEPS][I], y [B][N_STEPS][outputs]. */
struct run {
    const pylstm_model *model;
    ptrdiff_t batch_size;
    void *x, *state, *y, *state_out;
};

static struct run new_run(const pylstm_model *model, ptrdiff_t batch_size)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t n_rows = batch_size * N_STEPS, n_state = batch_size * pylstm_net_state_size(net);
    return (struct run){
        .model = model,
        .batch_size = batch_size,
        .x = random_reals(net, n_rows * net->input_size, 1),
        .state = random_reals(net, n_state, 0.8),
        .y = new_reals(net, n_rows * output_size(model)),
        .state_out = new_reals(net, n_state),
    };
}

static void free_run(struct run run)
{
    free(run.x);
    free(run.state);
    free(run.y);
    free(run.state_out);
}

/* Steps `from` to `from + n` of all sequences, rows of `bytes`: from an array of N_STEPS to one of n, or back. */
static void copy_steps(const struct run *run, size_t bytes, ptrdiff_t from, ptrdiff_t n, void *all, void *part,
                       int to_all)
{
    for (ptrdiff_t b = 0; b < run->batch_size; b++) {
        char *there = (char *)all + (size_t)(b * N_STEPS + from) * bytes,
             *here = (char *)part + (size_t)(b * n) * bytes;
        memcpy(to_all ? there : here, to_all ? here : there, (size_t)n * bytes);
    }
}

static size_t x_bytes(const struct run *run)
{
    return (size_t)run->model->net.input_size * real_size(&run->model->net);
}

static size_t y_bytes(const struct run *run)
{
    return (size_t)output_size(run->model) * real_size(&run->model->net);
}

/* What pylstm_predict, or pylstm_forward, make of n steps x [B][n][I]. */
static void predict(const struct run *run, const void *parameters, ptrdiff_t n, const void *x, const void *state_in,
                    void *y, void *state_out)
{
    const pylstm_model *model = run->model;
    ptrdiff_t *lengths = allocate((size_t)run->batch_size * sizeof *lengths);
    for (ptrdiff_t b = 0; b < run->batch_size; b++)
        lengths[b] = n;
    pylstm_shape shape;
    pylstm_batch batch;
    pylstm_memory workspace;
    size_t bytes;
    CHECK_STATUS(pylstm_shape_init(&shape, run->batch_size, lengths), PYLSTM_OK);
    CHECK_STATUS(pylstm_batch_size(&shape, &bytes), PYLSTM_OK);
    void *batch_memory = allocate(bytes);
    CHECK_STATUS(pylstm_batch_init(&batch, run->batch_size, lengths, batch_memory, bytes), PYLSTM_OK);
    if (model->n_outputs > 0)
        CHECK_STATUS(pylstm_predict_size(model, &shape, &workspace.bytes), PYLSTM_OK);
    else
        CHECK_STATUS(pylstm_forward_size(&model->net, &shape, &workspace.bytes), PYLSTM_OK);
    workspace.data = allocate(workspace.bytes);
    if (model->n_outputs > 0)
        CHECK_STATUS(pylstm_predict(model, &(pylstm_forward_pass){.batch = &batch,
                                                                  .parameters = parameters,
                                                                  .x = x,
                                                                  .state_in = state_in,
                                                                  .y = y,
                                                                  .state_out = state_out,
                                                                  .workspace = workspace}),
                     PYLSTM_OK);
    else
        CHECK_STATUS(pylstm_forward(&model->net, &(pylstm_forward_pass){.batch = &batch,
                                                                        .parameters = parameters,
                                                                        .x = x,
                                                                        .state_in = state_in,
                                                                        .y = y,
                                                                        .state_out = state_out,
                                                                        .workspace = workspace}),
                     PYLSTM_OK);
    free(lengths);
    free(batch_memory);
    free(workspace.data);
}

/* Steps `from` to `from + n` of the run in the stream, from inputs [B][N_STEPS] of so many bytes. */
static void stream_inputs(const struct run *run, pylstm_stream *stream, void *inputs, size_t bytes, ptrdiff_t from,
                          ptrdiff_t n)
{
    size_t n_rows = (size_t)(run->batch_size * n);
    void *x = allocate(n_rows * bytes), *y = allocate(n_rows * y_bytes(run));
    copy_steps(run, bytes, from, n, inputs, x, 0);
    CHECK_STATUS(pylstm_stream_process(stream, n, x, y), PYLSTM_OK);
    copy_steps(run, y_bytes(run), from, n, run->y, y, 1);
    free(x);
    free(y);
}

static void stream_steps(const struct run *run, pylstm_stream *stream, ptrdiff_t from, ptrdiff_t n)
{
    stream_inputs(run, stream, run->x, x_bytes(run), from, n);
}

/* A stream in memory of exactly its size; it reads some of the parameters where they lie. */
static pylstm_stream *new_stream(const pylstm_model *model, ptrdiff_t batch_size, const void *parameters,
                                 const pylstm_scalings *scalings, void **memory)
{
    pylstm_stream *stream = NULL;
    size_t bytes = 0;
    CHECK_STATUS(pylstm_stream_size(model, batch_size, &bytes), PYLSTM_OK);
    *memory = allocate(bytes);
    CHECK_STATUS(pylstm_stream_init(&stream, model, batch_size, parameters, scalings, (pylstm_memory){*memory, bytes}),
                 PYLSTM_OK);
    return stream;
}

/* ------------------------------------------------------------------ bits */

/* Readings far from 0 beside how they vary: x [n_rows][I], and for the stream mean and scale [I]. The second feature's
 * scale is no float. */
struct readings {
    double *x, *mean, *scale;
};

static struct readings new_readings(const pylstm_net *net, ptrdiff_t n_rows)
{
    ptrdiff_t n_x = net->input_size;
    struct readings of = {random_doubles(n_rows * n_x, 1), random_doubles(n_x, 1), random_doubles(n_x, 3)};
    for (ptrdiff_t k = 0; k < n_x; k++) {
        of.mean[k] = k == 1 ? of.mean[k] * 1e-60 : of.mean[k] + 1e6;
        of.scale[k] = k == 1 ? 1e-60 : 0.5 + fabs(of.scale[k]);
    }
    for (ptrdiff_t k = 0; k < n_rows * n_x; k++)
        of.x[k] = of.mean[k % n_x] + of.x[k] * of.scale[k % n_x];
    return of;
}

static void free_readings(struct readings of)
{
    free(of.x);
    free(of.mean);
    free(of.scale);
}

/* (x - mean) / scale of the dtype. */
static void *scaled(const pylstm_net *net, ptrdiff_t n_rows, struct readings of)
{
    ptrdiff_t n_x = net->input_size;
    void *out = new_reals(net, n_rows * n_x);
    for (ptrdiff_t k = 0; k < n_rows * n_x; k++)
        set_real(net, out, k, (of.x[k] - of.mean[k % n_x]) / of.scale[k % n_x]);
    return out;
}

static void expect_run(const struct run *got, const struct run *expected, const char *what)
{
    const pylstm_net *net = &got->model->net;
    ptrdiff_t n_y = got->batch_size * N_STEPS * output_size(got->model);
    expect_same(got->y, expected->y, (size_t)n_y * real_size(net), what);
    expect_same(got->state_out, expected->state_out,
                (size_t)(got->batch_size * pylstm_net_state_size(net)) * real_size(net), what);
}

/* The expected outputs with weights A up to SWAP_AT and B from there on. */
static void predict_swapped(const struct run *run, const void *a, const void *b)
{
    const pylstm_net *net = &run->model->net;
    const void *const parameters[] = {a, b}, *state = run->state;
    const ptrdiff_t from[] = {0, SWAP_AT, N_STEPS};
    ptrdiff_t n_x = net->input_size, n_y = output_size(run->model), n_state = pylstm_net_state_size(net);
    void *between = new_reals(net, run->batch_size * n_state);
    for (int k = 0; k < 2; k++) {
        ptrdiff_t n = from[k + 1] - from[k];
        void *x = new_reals(net, run->batch_size * n * n_x), *y = new_reals(net, run->batch_size * n * n_y);
        copy_steps(run, x_bytes(run), from[k], n, run->x, x, 0);
        predict(run, parameters[k], n, x, state, y, k == 0 ? between : run->state_out);
        copy_steps(run, y_bytes(run), from[k], n, run->y, y, 1);
        state = between;
        free(x);
        free(y);
    }
    free(between);
}

/* Of scaled targets all answers are double: those of the net, times scale, and then plus mean. */
static void check_targets(const struct run *run, pylstm_stream *stream, const void *parameters,
                          pylstm_scalings *scalings, const double *x, const void *y)
{
    ptrdiff_t n_y = run->model->n_outputs, n = run->batch_size * N_STEPS * n_y;
    double *mean = random_doubles(n_y, 1000), *scale = random_doubles(n_y, 10);
    double *got = allocate((size_t)n * sizeof *got), *expected = allocate((size_t)n * sizeof *expected);
    for (ptrdiff_t k = 0; k < n; k++) {
        volatile double product = get_real(&run->model->net, y, k) * scale[k % n_y];
        expected[k] = product + mean[k % n_y];
    }
    scalings->targets = (pylstm_scaling){mean, scale};
    CHECK_STATUS(pylstm_stream_set_weights(stream, parameters, scalings), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_set_state(stream, run->state), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_process(stream, N_STEPS, x, got), PYLSTM_OK);
    expect_same(got, expected, (size_t)n * sizeof *got, "scaled targets");
    free(mean);
    free(scale);
    free(got);
    free(expected);
}

static void check_bits(const pylstm_model *model, ptrdiff_t batch_size)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t n_parameters = pylstm_model_n_parameters(model);
    void *a = random_reals(net, n_parameters, 0.5), *b = random_reals(net, n_parameters, 0.5);
    struct run run = new_run(model, batch_size), expected = run;
    expected.y = new_reals(net, batch_size * N_STEPS * output_size(model));
    expected.state_out = new_reals(net, batch_size * pylstm_net_state_size(net));
    void *memory;
    pylstm_stream *stream = new_stream(model, batch_size, a, NULL, &memory);

    predict(&run, a, N_STEPS, run.x, NULL, expected.y, expected.state_out);
    for (ptrdiff_t s = 0; s < N_STEPS; s++)
        stream_steps(&run, stream, s, 1);
    CHECK_STATUS(pylstm_stream_get_state(stream, run.state_out), PYLSTM_OK);
    expect_run(&run, &expected, "steps from a state of zeros");
    CHECK_STATUS(pylstm_stream_set_state(stream, NULL), PYLSTM_OK);
    stream_steps(&run, stream, 0, N_STEPS);
    expect_run(&run, &expected, "a block after a reset");

    predict(&run, a, N_STEPS, run.x, run.state, expected.y, expected.state_out);
    CHECK_STATUS(pylstm_stream_set_state(stream, run.state), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_get_state(stream, run.state_out), PYLSTM_OK);
    expect_same(run.state_out, run.state, (size_t)(batch_size * pylstm_net_state_size(net)) * real_size(net),
                "the state that was set");
    stream_steps(&run, stream, 0, 1);
    stream_steps(&run, stream, 1, 7);
    stream_steps(&run, stream, 8, 3);
    CHECK_STATUS(pylstm_stream_get_state(stream, run.state_out), PYLSTM_OK);
    expect_run(&run, &expected, "blocks from a given state");

    predict_swapped(&expected, a, b);
    CHECK_STATUS(pylstm_stream_set_state(stream, run.state), PYLSTM_OK);
    for (ptrdiff_t s = 0; s < N_STEPS; s++) {
        if (s == SWAP_AT)
            CHECK_STATUS(pylstm_stream_set_weights(stream, b, NULL), PYLSTM_OK);
        stream_steps(&run, stream, s, 1);
    }
    CHECK_STATUS(pylstm_stream_get_state(stream, run.state_out), PYLSTM_OK);
    expect_run(&run, &expected, "other weights between two steps");

    struct readings readings = new_readings(net, batch_size * N_STEPS);
    size_t bytes = (size_t)net->input_size * sizeof(double);
    void *x = scaled(net, batch_size * N_STEPS, readings);
    predict(&run, a, N_STEPS, x, run.state, expected.y, expected.state_out);
    pylstm_scalings scalings = {.inputs = {readings.mean, readings.scale}};
    CHECK_STATUS(pylstm_stream_set_weights(stream, a, &scalings), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_set_state(stream, run.state), PYLSTM_OK);
    stream_inputs(&run, stream, readings.x, bytes, 0, 5);
    stream_inputs(&run, stream, readings.x, bytes, 5, 6);
    CHECK_STATUS(pylstm_stream_get_state(stream, run.state_out), PYLSTM_OK);
    expect_run(&run, &expected, "scaled inputs");
    if (model->n_outputs > 0)
        check_targets(&run, stream, a, &scalings, readings.x, expected.y);

    free(expected.y);
    free(expected.state_out);
    free_run(run);
    free(memory);
    free(a);
    free(b);
    free_readings(readings);
    free(x);
}

/* After each step, what pylstm_predict makes of those so far: from a state, and from what was kept of it and of the
 * pool, while the stream ran on over something else. */
static void check_pool(const pylstm_model *model, ptrdiff_t batch_size)
{
    const pylstm_net *net = &model->net;
    ptrdiff_t width = pylstm_net_output_size(net), n_y = batch_size * N_STEPS * model->n_outputs;
    void *a = random_reals(net, pylstm_model_n_parameters(model), 0.5), *memory;
    struct run run = new_run(model, batch_size);
    void *expected = new_reals(net, n_y), *pool = random_reals(net, batch_size * width, 0.5);
    int64_t *counts = allocate((size_t)batch_size * sizeof *counts);
    for (ptrdiff_t n = 1; n <= N_STEPS; n++) {
        void *x = new_reals(net, batch_size * n * net->input_size), *y = new_reals(net, batch_size * model->n_outputs);
        copy_steps(&run, x_bytes(&run), 0, n, run.x, x, 0);
        predict(&run, a, n, x, run.state, y, NULL);
        copy_steps(&run, y_bytes(&run), n - 1, 1, expected, y, 1);
        free(x);
        free(y);
    }
    pylstm_stream *stream = new_stream(model, batch_size, a, NULL, &memory);
    CHECK_STATUS(pylstm_stream_get_pool(stream, pool, counts), PYLSTM_OK);
    for (ptrdiff_t k = 0; k < batch_size * width; k++)
        CHECK(get_real(net, pool, k) == 0 && counts[k / width] == 0);
    CHECK_STATUS(pylstm_stream_set_state(stream, run.state), PYLSTM_OK);
    stream_steps(&run, stream, 0, 1);
    stream_steps(&run, stream, 1, SWAP_AT - 1);
    CHECK_STATUS(pylstm_stream_get_state(stream, run.state_out), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_get_pool(stream, pool, counts), PYLSTM_OK);
    stream_steps(&run, stream, SWAP_AT, 3);
    CHECK_STATUS(pylstm_stream_set_state(stream, run.state_out), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_set_pool(stream, pool, counts), PYLSTM_OK);
    stream_steps(&run, stream, SWAP_AT, N_STEPS - SWAP_AT);
    expect_same(run.y, expected, (size_t)n_y * real_size(net), "what is pooled so far");
    for (ptrdiff_t b = 0; b < batch_size; b++)
        CHECK(counts[b] == SWAP_AT);
    CHECK_STATUS(pylstm_stream_set_state(stream, run.state), PYLSTM_OK);
    stream_steps(&run, stream, 0, N_STEPS);
    expect_same(run.y, expected, (size_t)n_y * real_size(net), "what is pooled in a block, anew");
    free_run(run);
    free(memory);
    free(a);
    free(expected);
    free(pool);
    free(counts);
}

static void test_pools(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell)
{
    static const struct {
        ptrdiff_t input_size, n_layers, hidden_sizes[2], batch_size, n_outputs;
    } shapes[] = {{1, 1, {1}, 1, 1}, {3, 2, {13, 7}, 5, 3}, {16, 1, {33}, 2, 17}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        pylstm_net net =
            make_net(isa, dtype, cell, shapes[k].input_size, shapes[k].n_layers, shapes[k].hidden_sizes, 1);
        for (int pooling = PYLSTM_POOL_MEAN; pooling <= PYLSTM_POOL_MAX; pooling++) {
            pylstm_model model = with_head(net, shapes[k].n_outputs, PYLSTM_CROSS_ENTROPY);
            model.pooling = (pylstm_pooling)pooling;
            check_pool(&model, shapes[k].batch_size);
        }
    }
}

static void test_bits(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell)
{
    static const struct {
        ptrdiff_t input_size, n_layers, hidden_sizes[3];
    } shapes[] = {{1, 1, {1}}, {7, 1, {5}}, {3, 2, {13, 2}}, {16, 3, {32, 33, 2}}, {1, 1, {64}}, {40, 1, {67}}};
    static const ptrdiff_t batch_sizes[] = {1, 2, 5, 13}, n_outputs[] = {0, 1, 3, 17};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        pylstm_net net =
            make_net(isa, dtype, cell, shapes[k].input_size, shapes[k].n_layers, shapes[k].hidden_sizes, 1);
        /* each pair of a shape, a batch size, a number of outputs and a loss */
        for (size_t j = 0; j < sizeof batch_sizes / sizeof *batch_sizes; j++) {
            pylstm_model model = with_head(net, n_outputs[(j + k) % 4], (pylstm_loss)((j + k / 2) % 2));
            check_bits(&model, batch_sizes[j]);
        }
    }
}

/* In silence a net without biases but those of the gates that keep a state, the second of an LSTM and of a GRU, comes
 * to zero, and not to rest among the denormals. */
static void test_silence(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell)
{
    static const ptrdiff_t hidden_sizes[] = {19};
    enum { N_SILENT = 4000 };
    pylstm_net net = make_net(isa, dtype, cell, 1, 1, hidden_sizes, 1);
    pylstm_model model = with_head(net, 0, PYLSTM_SQUARED_ERROR);
    pylstm_layer at = pylstm_net_layer(&net, 0, 0);
    void *parameters = random_reals(&net, pylstm_net_n_parameters(&net), 0.1);
    for (ptrdiff_t k = 0; k < at.n_biases * at.hidden_size; k++)
        set_real(&net, parameters, at.bias + k, k / at.hidden_size == 1);
    ptrdiff_t n_state = pylstm_net_state_size(&net), n_y = N_SILENT * at.hidden_size;
    void *memory, *state = random_reals(&net, n_state, 0.8), *x = random_reals(&net, N_SILENT, 0);
    void *y = new_reals(&net, n_y);
    pylstm_stream *stream = new_stream(&model, 1, parameters, NULL, &memory);
    CHECK_STATUS(pylstm_stream_set_state(stream, state), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_process(stream, N_SILENT, x, y), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_get_state(stream, state), PYLSTM_OK);
    double least = dtype == PYLSTM_FLOAT32 ? (double)FLT_MIN : DBL_MIN;
    int n_denormal = 0, n_ends = 0;
    for (ptrdiff_t k = 0; k < n_y; k++)
        n_denormal += get_real(&net, y, k) != 0 && fabs(get_real(&net, y, k)) < least;
    for (ptrdiff_t k = 0; k < n_state; k++)
        n_ends += get_real(&net, state, k) == 0;
    CHECK(n_denormal == 0 && n_ends == n_state);
    free(memory);
    free(parameters);
    free(state);
    free(x);
    free(y);
}

enum { N_FEATURES = 3, N_COLUMNS = 2, N_INPUTS = N_FEATURES + 2 * N_COLUMNS, N_GAPS = 6 };

/* A stream that reads NaN as missing is one that reads what is written here by hand: the mean of 7, or the last value.
 */
static void test_missing(pylstm_dtype dtype, pylstm_missing_kind kind)
{
    static const ptrdiff_t hidden_sizes[] = {5};
    const double mean[] = {7, 7, 7}, scale[] = {2, 3, 4, 1, 1, 5, 6}, zeros[N_INPUTS] = {0};
    const int64_t columns[] = {0, 2};
    const double x[2][N_GAPS][N_FEATURES] = {
        {{NAN, 1, 2}, {3, 4, NAN}, {NAN, NAN, NAN}, {NAN, 5, 6}, {1, 1, 1}, {NAN, 2, 2}},
        {{1, 2, 3}, {NAN, 2, 3}, {4, 5, 6}, {NAN, NAN, 3}, {NAN, 1, NAN}, {0, 0, 0}},
    };
    const int holds = kind == PYLSTM_MISSING_HOLD;
    const ptrdiff_t n_columns = holds ? 0 : N_COLUMNS, n_inputs = N_FEATURES + 2 * n_columns;
    const ptrdiff_t n_kept = holds ? N_FEATURES : N_COLUMNS;
    double filled[2 * N_GAPS * N_INPUTS], kept[2 * N_FEATURES], *to = filled;
    for (int b = 0; b < 2; b++) {
        double *of = kept + b * n_kept;
        for (ptrdiff_t k = 0; k < n_kept; k++)
            of[k] = holds ? mean[k] : 0;
        for (int t = 0; t < N_GAPS; t++, to += n_inputs) {
            for (ptrdiff_t k = 0; k < N_FEATURES; k++)
                to[k] = !isnan(x[b][t][k]) ? x[b][t][k] : holds ? of[k] : mean[k];
            for (ptrdiff_t k = 0; k < n_kept; k++)
                of[k] = holds ? to[k] : isnan(x[b][t][columns[k]]) ? of[k] + 1 : 0;
            for (ptrdiff_t j = 0; j < n_columns; j++) {
                to[N_FEATURES + j] = isnan(x[b][t][columns[j]]);
                to[N_FEATURES + n_columns + j] = of[j];
            }
        }
    }
    pylstm_net net = make_net(PYLSTM_ISA_BEST, dtype, PYLSTM_LSTM, n_inputs, 1, hidden_sizes, 1);
    pylstm_model model = {.net = net};
    const pylstm_scalings plain = {.inputs = {zeros, scale}};
    pylstm_scalings missing = {.inputs = {zeros, scale}, .missing = {kind, mean, n_columns, columns}};
    void *weights = random_reals(&net, pylstm_net_n_parameters(&net), 0.5), *memory[2];
    pylstm_stream *expected = new_stream(&model, 2, weights, &plain, &memory[0]);
    pylstm_stream *got = new_stream(&model, 2, weights, &missing, &memory[1]);
    double y[2][2 * N_GAPS * 5], state[2 * N_FEATURES], first[2 * N_FEATURES];
    size_t bytes = (size_t)(2 * N_GAPS * 5) * real_size(&net), kept_bytes = (size_t)(2 * n_kept) * sizeof *kept;
    CHECK_STATUS(pylstm_stream_process(expected, N_GAPS, filled, y[0]), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_get_kept(got, first), PYLSTM_OK);
    for (int turn = 0; turn < 2; turn++) {
        CHECK_STATUS(pylstm_stream_process(got, N_GAPS, x, y[1]), PYLSTM_OK);
        expect_same(y[1], y[0], bytes, "missing inputs");
        CHECK_STATUS(pylstm_stream_get_kept(got, state), PYLSTM_OK);
        expect_same(state, kept, kept_bytes, "what is kept");
        CHECK_STATUS(pylstm_stream_set_weights(got, weights, &missing), PYLSTM_OK); /* which keep it */
        CHECK_STATUS(pylstm_stream_set_state(got, NULL), PYLSTM_OK);
        CHECK_STATUS(pylstm_stream_get_kept(got, state), PYLSTM_OK);
        expect_same(state, first, kept_bytes, "after a reset");
    }
    CHECK_STATUS(pylstm_stream_set_kept(got, kept), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_get_kept(got, state), PYLSTM_OK);
    expect_same(state, kept, kept_bytes, "what was set");

    CHECK_STATUS(pylstm_stream_set_weights(got, weights, &plain), PYLSTM_ERROR_MISSING);
    CHECK_STATUS(pylstm_stream_set_weights(got, weights, NULL), PYLSTM_ERROR_MISSING);
    CHECK_STATUS(pylstm_stream_set_weights(expected, weights, &missing), PYLSTM_ERROR_MISSING);
    CHECK_STATUS(pylstm_stream_get_kept(expected, state), PYLSTM_ERROR_MISSING);
    CHECK_STATUS(pylstm_stream_set_kept(expected, state), PYLSTM_ERROR_MISSING);
    CHECK_STATUS(pylstm_stream_get_kept(NULL, state), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_get_kept(got, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_set_kept(NULL, state), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_set_kept(got, NULL), PYLSTM_ERROR_NULL);
    const int64_t none[] = {0, N_FEATURES}, negative[] = {-1, 0};
    const struct {
        pylstm_scaling inputs;
        pylstm_missing missing;
        int status;
    } bad[] = {
        {{zeros, scale}, {(pylstm_missing_kind)3, mean, n_columns, columns}, PYLSTM_ERROR_MISSING},
        {{zeros, scale}, {kind, NULL, n_columns, columns}, PYLSTM_ERROR_NULL},
        {{zeros, scale}, {kind, mean, 1, NULL}, PYLSTM_ERROR_NULL},
        {{NULL, NULL}, {kind, mean, n_columns, columns}, PYLSTM_ERROR_NULL},
        {{zeros, scale}, {kind, mean, -1, columns}, PYLSTM_ERROR_SIZE},
        {{zeros, scale}, {kind, mean, (n_inputs + 1) / 2, columns}, PYLSTM_ERROR_SIZE},
        {{zeros, scale}, {kind, mean, PTRDIFF_MAX, columns}, PYLSTM_ERROR_SIZE},
        {{zeros, scale}, {PYLSTM_MISSING_HOLD, mean, 1, columns}, PYLSTM_ERROR_SIZE},
        {{zeros, scale}, {kind, mean, holds ? 1 : 2, none}, PYLSTM_ERROR_SIZE},
        {{zeros, scale}, {kind, mean, holds ? 1 : 2, negative}, PYLSTM_ERROR_SIZE},
        {{zeros, scale}, {kind, mean, n_columns - 1, columns}, holds ? PYLSTM_ERROR_SIZE : PYLSTM_ERROR_MISSING},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        const pylstm_scalings scalings = {.inputs = bad[k].inputs, .missing = bad[k].missing};
        CHECK_STATUS(pylstm_stream_set_weights(got, weights, &scalings), bad[k].status);
    }
    free(memory[0]);
    free(memory[1]);
    free(weights);
}

/* Memory of any alignment, and a hidden_sizes that is gone. */
static void test_memory(void)
{
    ptrdiff_t hidden_sizes[] = {9, 5};
    pylstm_net net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_LSTM, 2, 2, hidden_sizes, 1);
    pylstm_model model = with_head(net, 3, PYLSTM_CROSS_ENTROPY);
    float *parameters = random_reals(&net, pylstm_model_n_parameters(&model), 0.5), y[2][3];
    const float x[] = {0.5f, -0.25f};
    size_t bytes;
    CHECK_STATUS(pylstm_stream_size(&model, 1, &bytes), PYLSTM_OK);
    for (int past = 0; past < 2; past++) {
        char *memory = allocate(bytes + 1);
        pylstm_stream *stream;
        CHECK_STATUS(pylstm_stream_init(&stream, &model, 1, parameters, NULL, (pylstm_memory){memory + past, bytes}),
                     PYLSTM_OK);
        hidden_sizes[0] = hidden_sizes[1] = PTRDIFF_MAX;
        CHECK_STATUS(pylstm_stream_process(stream, 1, x, y[past]), PYLSTM_OK);
        hidden_sizes[0] = 9;
        hidden_sizes[1] = 5;
        free(memory);
    }
    expect_same(y[0], y[1], sizeof y[0], "memory at an odd address");
    free(parameters);
}

/* --------------------------------------------------------------- refused */

static void check_model_error(pylstm_model model, ptrdiff_t batch_size, int expected)
{
    static const double weights[8], memory[8]; /* never read */
    pylstm_stream *stream = NULL;
    size_t bytes = 0;
    CHECK_STATUS(pylstm_stream_size(&model, batch_size, &bytes), expected);
    pylstm_memory never = {(void *)(uintptr_t)memory, SIZE_MAX};
    CHECK_STATUS(pylstm_stream_init(&stream, &model, batch_size, weights, NULL, never), expected);
    CHECK(bytes == 0 && stream == NULL);
}

static void test_model_errors(void)
{
    const ptrdiff_t hidden_sizes[] = {3, 2}, bad_sizes[] = {3, 0}, wide[] = {1 << 25};
    const pylstm_net net = {.dtype = PYLSTM_FLOAT64,
                            .input_size = 2,
                            .n_layers = 2,
                            .hidden_sizes = hidden_sizes,
                            .n_directions = 1,
                            .isa = PYLSTM_ISA_BEST,
                            .n_threads = 1,
                            .cell = PYLSTM_LSTM};
    const pylstm_model good = with_head(net, 2, PYLSTM_SQUARED_ERROR);
    pylstm_model bad = good;
    bad.net.dtype = (pylstm_dtype)2;
    check_model_error(bad, 1, PYLSTM_ERROR_DTYPE);
    bad.n_outputs = 0;
    check_model_error(bad, 1, PYLSTM_ERROR_DTYPE);
    bad = good;
    bad.net.cell = PYLSTM_N_CELLS;
    check_model_error(bad, 1, PYLSTM_ERROR_CELL);
    bad = good;
    bad.net.hidden_sizes = bad_sizes;
    check_model_error(bad, 1, PYLSTM_ERROR_SIZE);
    bad = good;
    bad.net.n_directions = 2;
    check_model_error(bad, 1, PYLSTM_ERROR_DIRECTION);
    bad = good;
    bad.net.isa = PYLSTM_N_ISA;
    check_model_error(bad, 1, PYLSTM_ERROR_ISA);
    bad = good;
    bad.n_outputs = -1;
    check_model_error(bad, 1, PYLSTM_ERROR_SIZE);
    bad = good;
    bad.loss = PYLSTM_N_LOSSES;
    check_model_error(bad, 1, PYLSTM_ERROR_LOSS);
    bad = good;
    bad.pooling = (pylstm_pooling)4;
    check_model_error(bad, 1, PYLSTM_ERROR_POOLING);
    check_model_error(good, 0, PYLSTM_ERROR_SIZE);
    check_model_error(good, -1, PYLSTM_ERROR_SIZE);
    check_model_error(good, (ptrdiff_t)INT_MAX + 1, PYLSTM_ERROR_OVERFLOW);
    bad = good; /* the model fits, but not the inputs of so many sequences */
    bad.net.n_layers = 1;
    bad.net.hidden_sizes = wide;
    bad.net.input_size = 1 << 30;
    check_model_error(bad, INT_MAX, PYLSTM_ERROR_OVERFLOW);

    size_t bytes;
    CHECK_STATUS(pylstm_stream_size(NULL, 1, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_size(&good, 1, NULL), PYLSTM_ERROR_NULL);
    bad = good;
    bad.net.hidden_sizes = NULL;
    check_model_error(bad, 1, PYLSTM_ERROR_NULL);
    bad = good; /* what is not read is not judged */
    bad.n_outputs = 0;
    bad.loss = (pylstm_loss)7;
    bad.pooling = (pylstm_pooling)7;
    CHECK_STATUS(pylstm_stream_size(&bad, 1, &bytes), PYLSTM_OK);
    bad = good;
    bad.pooling = PYLSTM_POOL_LAST;
    CHECK_STATUS(pylstm_stream_size(&bad, 1, &bytes), PYLSTM_OK);
}

static void test_call_errors(void)
{
    const ptrdiff_t hidden_sizes[] = {3};
    pylstm_net net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_LSTM, 2, 1, hidden_sizes, 1);
    pylstm_model model = with_head(net, 1, PYLSTM_SQUARED_ERROR);
    void *weights = random_reals(&net, pylstm_model_n_parameters(&model), 0.5);
    const double mean[2] = {0};
    const pylstm_scalings halves[] = {
        {.inputs.mean = mean},
        {.inputs.scale = mean},
        {.targets.mean = mean},
        {.inputs = {mean, mean}, .targets.scale = mean},
    };
    const float x[2] = {0};
    float y[1], state[6];
    size_t bytes;
    CHECK_STATUS(pylstm_stream_size(&model, 1, &bytes), PYLSTM_OK);
    pylstm_memory memory = {allocate(bytes), bytes}, small = {memory.data, bytes - 1}, none = {NULL, bytes};
    pylstm_stream *stream = NULL;
    CHECK_STATUS(pylstm_stream_init(NULL, &model, 1, weights, NULL, memory), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_init(&stream, NULL, 1, weights, NULL, memory), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_init(&stream, &model, 1, NULL, NULL, memory), PYLSTM_ERROR_NULL);
    for (int k = 0; k < 4; k++)
        CHECK_STATUS(pylstm_stream_init(&stream, &model, 1, weights, &halves[k], memory), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_init(&stream, &model, 1, weights, NULL, none), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_init(&stream, &model, 1, weights, NULL, small), PYLSTM_ERROR_WORKSPACE);
    pylstm_model without = model; /* a dense layer, whose targets could be scaled */
    without.n_outputs = 0;
    const pylstm_scalings of_targets = {.targets = {mean, mean}};
    CHECK_STATUS(pylstm_stream_init(&stream, &without, 1, weights, &of_targets, memory), PYLSTM_ERROR_SIZE);
    CHECK(stream == NULL);
    CHECK_STATUS(pylstm_stream_init(&stream, &model, 1, weights, NULL, memory), PYLSTM_OK);

    CHECK_STATUS(pylstm_stream_set_weights(NULL, weights, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_set_weights(stream, NULL, NULL), PYLSTM_ERROR_NULL);
    for (int k = 0; k < 4; k++)
        CHECK_STATUS(pylstm_stream_set_weights(stream, weights, &halves[k]), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_set_state(NULL, state), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_get_state(NULL, state), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_get_state(stream, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_process(NULL, 1, x, y), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_process(stream, 1, NULL, y), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_process(stream, 1, x, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_process(stream, 0, x, y), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_stream_process(stream, -1, x, y), PYLSTM_ERROR_SIZE);

    CHECK_STATUS(pylstm_stream_get_state(stream, state), PYLSTM_OK); /* nothing refused has changed it */
    for (int k = 0; k < 6; k++)
        CHECK(state[k] == 0);
    float pool[6] = {0};
    int64_t counts[] = {0, 0};
    CHECK_STATUS(pylstm_stream_set_pool(stream, pool, counts), PYLSTM_ERROR_POOLING);
    CHECK_STATUS(pylstm_stream_get_pool(stream, pool, counts), PYLSTM_ERROR_POOLING);
    free(memory.data);

    void *own;
    model.pooling = PYLSTM_POOL_MAX;
    stream = new_stream(&model, 2, weights, NULL, &own);
    CHECK_STATUS(pylstm_stream_set_pool(NULL, pool, counts), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_set_pool(stream, NULL, counts), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_set_pool(stream, pool, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_get_pool(NULL, pool, counts), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_get_pool(stream, NULL, counts), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_stream_get_pool(stream, pool, NULL), PYLSTM_ERROR_NULL);
    counts[1] = INT64_C(1) << 53;
    CHECK_STATUS(pylstm_stream_set_pool(stream, pool, counts), PYLSTM_OK);
    counts[1]++;
    CHECK_STATUS(pylstm_stream_set_pool(stream, pool, counts), PYLSTM_ERROR_OVERFLOW);
    counts[1] = -1;
    CHECK_STATUS(pylstm_stream_set_pool(stream, pool, counts), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_stream_get_pool(stream, pool, counts), PYLSTM_OK);
    CHECK(counts[0] == 0 && counts[1] == INT64_C(1) << 53);
    free(own);
    free(weights);
}

/* ----------------------------------------------------- fit for a callback */

/* All that a stream can be asked while it runs. */
struct live {
    pylstm_stream *stream;
    void *x, *y, *state, *parameters;
};

static void run_live(const struct live *live)
{
    int failed = pylstm_stream_process(live->stream, 1, live->x, live->y);
    failed |= pylstm_stream_process(live->stream, N_STEPS, live->x, live->y);
    failed |= pylstm_stream_get_state(live->stream, live->state);
    failed |= pylstm_stream_set_weights(live->stream, live->parameters, NULL);
    failed |= pylstm_stream_set_state(live->stream, live->state);
    failed |= pylstm_stream_process(live->stream, N_STEPS, live->x, live->y);
    CHECK(!failed);
}

#ifdef COUNTS_CALLS
static long n_calls; /* of the functions below, from this file or the library: the linker leads them here */

#define COUNTED(type, function, parameters, arguments)                                                                 \
    type __real_##function parameters;                                                                                 \
    type __wrap_##function parameters;                                                                                 \
    type __wrap_##function parameters                                                                                  \
    {                                                                                                                  \
        n_calls++;                                                                                                     \
        return __real_##function arguments;                                                                            \
    }

COUNTED(void *, malloc, (size_t bytes), (bytes))
COUNTED(void *, calloc, (size_t n, size_t bytes), (n, bytes))
COUNTED(void *, realloc, (void *memory, size_t bytes), (memory, bytes))
COUNTED(int, pthread_mutex_lock, (void *mutex), (mutex))

static void expect_no_calls(const struct live *live)
{
    CHECK(n_calls > 0); /* by `allocate`: they are counted */
    long before = n_calls;
    run_live(live);
    CHECK(n_calls == before);
}
#else
static void expect_no_calls(const struct live *live)
{
    (void)live;
    printf("%s: calls of malloc are not counted here\n", __FILE__);
}
#endif

#ifdef __linux__
enum { FINISHED = 0, CANT_FORBID = 2, KILLED = -1 };

/* From here on every system call but exit kills the process. A filter: seccomp's strict mode, made for this, is refused
 * where there are filters already, as in containers. */
static int forbid_system_calls(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void call_the_system(const struct live *live)
{
    (void)live;
    syscall(SYS_getppid);
}

static int run_confined(void (*work)(const struct live *), const struct live *live)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        if (!forbid_system_calls())
            _exit(CANT_FORBID);
        work(live);
        syscall(SYS_exit, FINISHED);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? KILLED : WEXITSTATUS(status);
}

static void expect_no_system_calls(const struct live *live)
{
    int killed = run_confined(call_the_system, live);
    if (killed == CANT_FORBID) { /* emulators refuse it */
        printf("%s: system calls can't be forbidden here\n", __FILE__);
        return;
    }
    CHECK(killed == KILLED);
    CHECK(run_confined(run_live, live) == FINISHED);
}
#else
static void expect_no_system_calls(const struct live *live)
{
    (void)live;
    printf("%s: system calls are not forbidden here\n", __FILE__);
}
#endif

static void test_live(pylstm_isa isa, pylstm_dtype dtype, pylstm_cell cell)
{
    static const ptrdiff_t hidden_sizes[] = {33, 8};
    pylstm_net net = make_net(isa, dtype, cell, 3, 2, hidden_sizes, 1);
    pylstm_model model = with_head(net, 4, PYLSTM_CROSS_ENTROPY);
    model.pooling = PYLSTM_POOL_MEAN;
    struct live live = {
        .x = random_reals(&net, N_STEPS * 3, 1),
        .y = new_reals(&net, N_STEPS * 4),
        .state = new_reals(&net, pylstm_net_state_size(&net)),
        .parameters = random_reals(&net, pylstm_model_n_parameters(&model), 0.5),
    };
    void *memory;
    live.stream = new_stream(&model, 1, live.parameters, NULL, &memory);
    expect_no_calls(&live);
    expect_no_system_calls(&live);
    free(memory);
    free(live.x);
    free(live.y);
    free(live.state);
    free(live.parameters);
}

int main(void)
{
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++) {
        for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64 && is_tested(isa); dtype++) {
            for (int cell = PYLSTM_LSTM; cell < PYLSTM_N_CELLS; cell++) {
                test_bits((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell);
                test_pools((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell);
                test_silence((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell);
                test_live((pylstm_isa)isa, (pylstm_dtype)dtype, (pylstm_cell)cell);
            }
        }
    }
    for (int dtype = PYLSTM_FLOAT32; dtype <= PYLSTM_FLOAT64; dtype++) {
        test_missing((pylstm_dtype)dtype, PYLSTM_MISSING_INDICATOR);
        test_missing((pylstm_dtype)dtype, PYLSTM_MISSING_HOLD);
    }
    test_memory();
    test_model_errors();
    test_call_errors();
    return REPORT();
}
