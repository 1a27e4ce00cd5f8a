/* Models in a buffer: what is written comes back, anything else is refused without a look outside of it.
 *
 *     test_blob          all tests
 *     test_blob FILE     that the blob in the file opens, and none of its mutations does */
#include "blobs.h"

/* ------------------------------------------------------------- round trip */

enum { INPUTS = 1, TARGETS = 2, INDICATOR = 4, HOLD = 8 };

/* Of the first feature, so that it is within any model of three inputs. */
static const int64_t a_column[] = {0};

struct written {
    void *parameters;
    double *numbers[4]; /* of the scalings */
    pylstm_scalings scalings;
    unsigned char *blob;
    size_t bytes;
};

static struct written write_model(const pylstm_model *model, int is_scaled)
{
    const pylstm_net *net = &model->net;
    struct written all = {.parameters = random_reals(net, pylstm_model_n_parameters(model), 0.5)};
    for (int k = 0; k < 4; k++)
        if (is_scaled & (k < 2 ? INPUTS : TARGETS))
            all.numbers[k] = random_doubles(k < 2 ? net->input_size : model->n_outputs, 2 + k);
    all.scalings =
        (pylstm_scalings){.inputs = {all.numbers[0], all.numbers[1]}, .targets = {all.numbers[2], all.numbers[3]}};
    if (is_scaled & INDICATOR)
        all.scalings.missing = (pylstm_missing){PYLSTM_MISSING_INDICATOR, all.numbers[0], 1, a_column};
    else if (is_scaled & HOLD)
        all.scalings.missing = (pylstm_missing){PYLSTM_MISSING_HOLD, all.numbers[0], 0, NULL};
    CHECK_STATUS(pylstm_blob_size(model, is_scaled ? &all.scalings : NULL, &all.bytes), PYLSTM_OK);
    all.blob = allocate(all.bytes);
    CHECK_STATUS(pylstm_blob_write(model, all.parameters, is_scaled ? &all.scalings : NULL,
                                   (pylstm_memory){all.blob, all.bytes}),
                 PYLSTM_OK);
    return all;
}

static void free_written(struct written all)
{
    free(all.parameters);
    for (int k = 0; k < 4; k++)
        free(all.numbers[k]);
    free(all.blob);
}

static void expect_bytes(const void *got, const void *expected, size_t bytes)
{
    CHECK(!got == !expected);
    if (got && expected)
        CHECK(memcmp(got, expected, bytes) == 0);
}

static void check_round_trip(const pylstm_model *model, int is_scaled)
{
    const pylstm_net *net = &model->net;
    struct written all = write_model(model, is_scaled);
    pylstm_blob blob;
    CHECK_STATUS(pylstm_blob_open(all.blob, all.bytes, &blob), PYLSTM_OK);
    CHECK(blob.model.net.dtype == net->dtype && blob.model.net.input_size == net->input_size);
    CHECK(blob.model.net.cell == net->cell);
    CHECK(blob.model.net.n_layers == net->n_layers && blob.model.net.n_directions == net->n_directions);
    CHECK(blob.model.net.hidden_sizes == blob.hidden_sizes);
    CHECK(memcmp(blob.hidden_sizes, net->hidden_sizes, (size_t)net->n_layers * sizeof *net->hidden_sizes) == 0);
    CHECK(blob.model.net.dropout == 0 && blob.model.net.n_threads == 1 && blob.model.net.isa == PYLSTM_ISA_BEST);
    CHECK(blob.model.n_outputs == model->n_outputs && blob.model.pooling == model->pooling);
    CHECK(blob.model.loss == model->loss);
    size_t bytes = (size_t)pylstm_model_n_parameters(model) * real_size(net);
    expect_bytes(blob.parameters, all.parameters, bytes);
    const pylstm_scaling *inputs = &blob.scalings.inputs, *targets = &blob.scalings.targets;
    expect_bytes(inputs->mean, all.scalings.inputs.mean, (size_t)net->input_size * sizeof(double));
    expect_bytes(inputs->scale, all.scalings.inputs.scale, (size_t)net->input_size * sizeof(double));
    expect_bytes(targets->mean, all.scalings.targets.mean, (size_t)model->n_outputs * sizeof(double));
    expect_bytes(targets->scale, all.scalings.targets.scale, (size_t)model->n_outputs * sizeof(double));
    const pylstm_missing *missing = &blob.scalings.missing, *given = &all.scalings.missing;
    CHECK(missing->kind == given->kind && missing->n_columns == given->n_columns);
    if (missing->kind != PYLSTM_MISSING_NONE) {
        expect_bytes(missing->mean, given->mean, (size_t)(net->input_size - 2 * given->n_columns) * sizeof(double));
        CHECK(given->n_columns == 0 || *missing->columns == 0);
    }
    CHECK((const char *)blob.parameters + bytes == (const char *)all.blob + all.bytes);
    free_written(all);
}

static void test_round_trips(void)
{
    ptrdiff_t hidden_sizes[PYLSTM_BLOB_LAYERS];
    for (int l = 0; l < PYLSTM_BLOB_LAYERS; l++)
        hidden_sizes[l] = 1 + l * 5 % 7;
    for (int k = 0; k < 2 * 3 * 2 * 3 * 2; k++) {
        const ptrdiff_t n_layers[] = {1, 2, PYLSTM_BLOB_LAYERS}, n_outputs[] = {0, 1, 5};
        const pylstm_model model = {
            .net = make_net(PYLSTM_ISA_BEST, (pylstm_dtype)(k % 2), (pylstm_cell)(k / 2 % 4), 1 + k % 4,
                            n_layers[k / 2 % 3], hidden_sizes, 1 + k / 6 % 2),
            .n_outputs = n_outputs[k / 12 % 3],
            .pooling = (pylstm_pooling)(k % 4),
            .loss = (pylstm_loss)(k / 36),
        };
        for (int is_scaled = 0; is_scaled <= (model.n_outputs > 0 ? INPUTS | TARGETS : INPUTS); is_scaled++)
            check_round_trip(&model, is_scaled);
        for (int kind = INDICATOR; kind <= HOLD && (kind == HOLD || model.net.input_size > 2); kind += kind)
            check_round_trip(&model, INPUTS | (model.n_outputs > 0 ? TARGETS : 0) | kind);
    }
}

/* What pylstm.h says of every byte. */
static void test_format(void)
{
    static const unsigned char expected[] = {
        0x89, 'P',  'Y',  'L',  'S', 'T', 'M', '\n', 2, 0, 0, 0, /* magic, version */
        0x00, 0x00, 0x00, 0x00,                                  /* checksum: below */
        0x70, 0,    0,    0,    0,   0,   0,   0,                /* bytes */
        0,    0,    0,    0,    1,   0,   0,   0,                /* float32, squared error */
        3,    0,    0,    0,    1,   0,   0,   0,                /* no pooling, scaled */
        2,    0,    0,    0,    0,   0,   0,   0,                /* input_size, n_outputs */
        1,    0,    0,    0,    1,   0,   0,   0,                /* n_directions, n_layers */
        3,    0,    0,    0,    1,   0,   0,   0,                /* cell, hidden_sizes */
    };
    const ptrdiff_t hidden_sizes[] = {1};
    const pylstm_model model = {.net =
                                    make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_RNN_RELU, 2, 1, hidden_sizes, 1),
                                .pooling = PYLSTM_POOL_NONE,
                                .loss = PYLSTM_SQUARED_ERROR};
    const float parameters[4] = {0.5f, 0.25f};
    const double mean[2] = {101325.25, 2}, scale[2] = {3, 1e-60};
    unsigned char blob[sizeof expected + sizeof mean + sizeof scale + sizeof parameters], sealed[sizeof blob];
    const pylstm_scalings scalings = {.inputs = {mean, scale}};
    CHECK_STATUS(pylstm_blob_write(&model, parameters, &scalings, (pylstm_memory){blob, sizeof blob}), PYLSTM_OK);
    memcpy(sealed, blob, sizeof blob);
    seal(sealed, sizeof sealed);
    CHECK(memcmp(blob, sealed, sizeof blob) == 0);
    memset(blob + CHECKSUM_AT, 0, 4);
    CHECK(memcmp(blob, expected, sizeof expected) == 0);
    CHECK(memcmp(blob + 64, mean, sizeof mean) == 0 && memcmp(blob + 80, scale, sizeof scale) == 0);
    CHECK(memcmp(blob + 96, parameters, sizeof parameters) == 0);
}

/* With scaled targets it is another version, and has their numbers behind those of the inputs. */
static void test_format_of_targets(void)
{
    const ptrdiff_t hidden_sizes[] = {1};
    const pylstm_model model = {.net =
                                    make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT64, PYLSTM_RNN_TANH, 2, 1, hidden_sizes, 1),
                                .n_outputs = 1,
                                .pooling = PYLSTM_POOL_MEAN,
                                .loss = PYLSTM_SQUARED_ERROR};
    struct written all = write_model(&model, INPUTS | TARGETS);
    CHECK(all.blob[8] == 3 && all.blob[36] == 3);
    for (int k = 0; k < 4; k++)
        CHECK(memcmp(all.blob + 64 + (k < 2 ? 16 * k : 16 + 8 * k), all.numbers[k], k < 2 ? 16 : 8) == 0);
    CHECK(memcmp(all.blob + 112, all.parameters, all.bytes - 112) == 0 && all.bytes == 112 + 6 * sizeof(double));
    free_written(all);
}

/* A stream is the same stream from a blob. */
static void check_stream(pylstm_cell cell, pylstm_pooling pooling)
{
    const ptrdiff_t hidden_sizes[] = {5, 3};
    const pylstm_model model = {.net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT64, cell, 2, 2, hidden_sizes, 1),
                                .n_outputs = 3,
                                .pooling = pooling,
                                .loss = PYLSTM_CROSS_ENTROPY};
    struct written all = write_model(&model, INPUTS | (cell % 2 ? TARGETS : 0));
    pylstm_blob blob;
    CHECK_STATUS(pylstm_blob_open(all.blob, all.bytes, &blob), PYLSTM_OK);
    void *x = random_reals(&model.net, 20, 1);
    double y[2][30];
    size_t bytes;
    CHECK_STATUS(pylstm_stream_size(&blob.model, 1, &bytes), PYLSTM_OK);
    pylstm_memory memory = {allocate(bytes), bytes};
    pylstm_stream *stream;
    CHECK_STATUS(pylstm_stream_init(&stream, &blob.model, 1, blob.parameters, &blob.scalings, memory), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_process(stream, 10, x, y[0]), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_init(&stream, &model, 1, all.parameters, &all.scalings, memory), PYLSTM_OK);
    CHECK_STATUS(pylstm_stream_process(stream, 10, x, y[1]), PYLSTM_OK);
    CHECK(memcmp(y[0], y[1], sizeof y[0]) == 0);
    free(memory.data);
    free(x);
    free_written(all);
}

/* ---------------------------------------------------------------- refused */

/* A field that says something else under a good checksum. */
static void check_hostile(const struct written *all, size_t at, uint32_t value, int expected)
{
    unsigned char *blob = copy_bytes(all->blob, all->bytes);
    put(blob + at, value);
    seal(blob, all->bytes);
    CHECK_STATUS(open_exactly(blob, all->bytes), expected);
    free(blob);
}

enum { DTYPE = 24, LOSS = 28, POOLING = 32, IS_SCALED = 36, INPUT_SIZE = 40, N_OUTPUTS = 44, N_DIRECTIONS = 48 };
enum { N_LAYERS = 52, CELL = 56, HIDDEN_SIZE = 60 };

static void test_hostile(const struct written *all)
{
    check_hostile(all, 8, 1, PYLSTM_ERROR_VERSION); /* which had mean and scale in the dtype */
    check_hostile(all, BYTES_AT, 0, PYLSTM_ERROR_BLOB);
    check_hostile(all, BYTES_AT + 4, 1, PYLSTM_ERROR_BLOB);
    check_hostile(all, DTYPE, 1, PYLSTM_ERROR_BLOB);
    check_hostile(all, DTYPE, 2, PYLSTM_ERROR_DTYPE);
    check_hostile(all, DTYPE, UINT32_MAX, PYLSTM_ERROR_DTYPE);
    check_hostile(all, LOSS, PYLSTM_N_LOSSES, PYLSTM_ERROR_LOSS);
    check_hostile(all, POOLING, 4, PYLSTM_ERROR_POOLING);
    check_hostile(all, IS_SCALED, 0, PYLSTM_ERROR_BLOB);
    check_hostile(all, IS_SCALED, 2, PYLSTM_ERROR_BLOB);
    check_hostile(all, IS_SCALED, 3, PYLSTM_ERROR_BLOB);
    check_hostile(all, IS_SCALED, 4, PYLSTM_ERROR_BLOB);
    check_hostile(all, 8, 3, PYLSTM_ERROR_BLOB);     /* which has scaled targets */
    check_hostile(all, 8, 4, PYLSTM_ERROR_BLOB);     /* which has inputs that may be missing */
    check_hostile(all, 8, 5, PYLSTM_ERROR_OVERFLOW); /* which is of tokens: what lies where they have sizes is none */
    check_hostile(all, 8, 6, PYLSTM_ERROR_VERSION);
    check_hostile(all, INPUT_SIZE, 3, PYLSTM_ERROR_BLOB);
    check_hostile(all, N_OUTPUTS, 0, PYLSTM_ERROR_BLOB);
    check_hostile(all, N_DIRECTIONS, 2, PYLSTM_ERROR_BLOB);
    check_hostile(all, N_DIRECTIONS, 3, PYLSTM_ERROR_SIZE);
    check_hostile(all, N_LAYERS, PYLSTM_BLOB_LAYERS + 1, PYLSTM_ERROR_OVERFLOW);
    for (uint32_t cell = PYLSTM_GRU; cell < PYLSTM_N_CELLS; cell++)
        check_hostile(all, CELL, cell, PYLSTM_ERROR_BLOB); /* which has fewer parameters */
    check_hostile(all, CELL, PYLSTM_N_CELLS, PYLSTM_ERROR_CELL);
    check_hostile(all, CELL, UINT32_MAX, PYLSTM_ERROR_CELL);
    const size_t sizes[] = {INPUT_SIZE, N_OUTPUTS, N_DIRECTIONS, N_LAYERS, HIDDEN_SIZE};
    for (int k = 0; k < 5; k++) {
        const uint32_t values[] = {UINT32_MAX, (uint32_t)INT32_MAX + 1};
        for (int i = 0; i < 2; i++)
            check_hostile(all, sizes[k], values[i], PYLSTM_ERROR_OVERFLOW);
        if (sizes[k] != N_DIRECTIONS && sizes[k] != N_LAYERS && sizes[k] != N_OUTPUTS)
            check_hostile(all, sizes[k], INT32_MAX, PYLSTM_ERROR_OVERFLOW);
        if (sizes[k] != N_OUTPUTS)
            check_hostile(all, sizes[k], 0, PYLSTM_ERROR_SIZE);
    }
    check_hostile(all, N_OUTPUTS, INT32_MAX, PYLSTM_ERROR_BLOB);
    check_hostile(all, HIDDEN_SIZE, 1 << 24, PYLSTM_ERROR_BLOB); /* fits in memory, not in these bytes */
}

/* Layers that are said to follow, in a blob that ends before them. */
static void test_header_only(void)
{
    unsigned char header[HEADER] = {0x89, 'P', 'Y', 'L', 'S', 'T', 'M', '\n', 2};
    put(header + BYTES_AT, HEADER);
    for (size_t at = INPUT_SIZE; at < HEADER; at += 4)
        put(header + at, 1);
    seal(header, HEADER);
    CHECK_STATUS(open_exactly(header, HEADER), PYLSTM_ERROR_BLOB);
}

/* Random sizes under a good checksum: whatever is said of them, nothing outside the blob is read. */
static void test_random_headers(const struct written *all)
{
    unsigned char *blob = copy_bytes(all->blob, all->bytes);
    for (int trial = 0; trial < 20000; trial++) {
        memcpy(blob, all->blob, all->bytes);
        for (int k = 0; k < 3; k++) {
            size_t field = (size_t)((draw() + 1) * 6.5); /* from dtype to the hidden sizes and one number */
            double limit = draw() < 0 ? 6.0 : (double)UINT32_MAX;
            put(blob + FIELDS_AT + 4 * field, (uint32_t)((draw() + 1) / 2 * limit));
        }
        seal(blob, all->bytes);
        open_exactly(blob, all->bytes);
    }
    free(blob);
}

static void test_calls(const struct written *all)
{
    pylstm_blob blob;
    CHECK_STATUS(pylstm_blob_open(NULL, all->bytes, &blob), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_blob_open(all->blob, all->bytes, NULL), PYLSTM_ERROR_NULL);
    unsigned char *room = allocate(all->bytes + 8);
    for (size_t past = 1; past <= 8; past++) {
        memcpy(room + past, all->blob, all->bytes);
        CHECK_STATUS(pylstm_blob_open(room + past, all->bytes, &blob), past < 8 ? PYLSTM_ERROR_ALIGNMENT : PYLSTM_OK);
    }
    free(room);
}

static void test_write_errors(void)
{
    ptrdiff_t hidden_sizes[PYLSTM_BLOB_LAYERS + 1];
    for (int l = 0; l <= PYLSTM_BLOB_LAYERS; l++)
        hidden_sizes[l] = 1;
    const pylstm_model model = {.net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_LSTM, 1, 1, hidden_sizes, 1),
                                .n_outputs = 1,
                                .pooling = PYLSTM_POOL_NONE,
                                .loss = PYLSTM_SQUARED_ERROR};
    const float numbers[32] = {0};
    const double features[1] = {0};
    unsigned char room[256] = {0};
    const pylstm_memory memory = {room, sizeof room}, none = {NULL, sizeof room};
    size_t bytes = 0;
    pylstm_model bad = model;
    bad.net.n_layers = PYLSTM_BLOB_LAYERS + 1;
    CHECK_STATUS(pylstm_blob_size(&bad, NULL, &bytes), PYLSTM_ERROR_OVERFLOW);
    CHECK_STATUS(pylstm_blob_write(&bad, numbers, NULL, memory), PYLSTM_ERROR_OVERFLOW);
    bad = model;
    bad.net.cell = PYLSTM_N_CELLS;
    CHECK_STATUS(pylstm_blob_size(&bad, NULL, &bytes), PYLSTM_ERROR_CELL);
    CHECK_STATUS(pylstm_blob_write(&bad, numbers, NULL, memory), PYLSTM_ERROR_CELL);
    bad = model;
    bad.loss = PYLSTM_N_LOSSES;
    CHECK_STATUS(pylstm_blob_size(&bad, NULL, &bytes), PYLSTM_ERROR_LOSS);
    CHECK_STATUS(pylstm_blob_write(&bad, numbers, NULL, memory), PYLSTM_ERROR_LOSS);
    CHECK_STATUS(pylstm_blob_size(NULL, NULL, &bytes), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_blob_size(&model, NULL, NULL), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_blob_write(NULL, numbers, NULL, memory), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_blob_write(&model, NULL, NULL, memory), PYLSTM_ERROR_NULL);
    const pylstm_scalings halves[] = {
        {.inputs.mean = features},
        {.inputs.scale = features},
        {.targets.mean = features},
        {.inputs = {features, features}, .targets.scale = features},
    };
    for (int k = 0; k < 4; k++) {
        CHECK_STATUS(pylstm_blob_size(&model, &halves[k], &bytes), PYLSTM_ERROR_NULL);
        CHECK_STATUS(pylstm_blob_write(&model, numbers, &halves[k], memory), PYLSTM_ERROR_NULL);
    }
    const pylstm_scalings scalings = {.inputs = {features, features}, .targets = {features, features}};
    bad = model;
    bad.n_outputs = 0; /* and no targets */
    CHECK_STATUS(pylstm_blob_size(&bad, &scalings, &bytes), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_blob_write(&bad, numbers, &scalings, memory), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_blob_write(&model, numbers, NULL, none), PYLSTM_ERROR_NULL);
    CHECK_STATUS(pylstm_blob_size(&model, &scalings, &bytes), PYLSTM_OK);
    const pylstm_memory small = {room, bytes - 1};
    CHECK_STATUS(pylstm_blob_write(&model, numbers, &scalings, small), PYLSTM_ERROR_WORKSPACE);
    for (size_t k = 0; k < sizeof room; k++)
        CHECK(room[k] == 0);
}

static int check_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    static unsigned char data[1 << 16];
    size_t bytes = file ? fread(data, 1, sizeof data, file) : 0;
    CHECK(file != NULL && bytes > 0 && bytes < sizeof data);
    if (file)
        fclose(file);
    check_mutations(data, bytes);
    return REPORT();
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return check_file(argv[1]);
    const ptrdiff_t hidden_sizes[] = {3, 2};
    const pylstm_model model = {.net = make_net(PYLSTM_ISA_BEST, PYLSTM_FLOAT32, PYLSTM_LSTM, 2, 2, hidden_sizes, 1),
                                .n_outputs = 2,
                                .pooling = PYLSTM_POOL_LAST,
                                .loss = PYLSTM_CROSS_ENTROPY};
    pylstm_model of_three = model;
    of_three.net.input_size = 3;
    struct written all = write_model(&model, INPUTS), of_targets = write_model(&model, INPUTS | TARGETS);
    struct written indicates = write_model(&of_three, INPUTS | INDICATOR), holds = write_model(&model, INPUTS | HOLD);
    test_round_trips();
    test_format();
    test_format_of_targets();
    for (int cell = PYLSTM_LSTM; cell < PYLSTM_N_CELLS; cell++)
        check_stream((pylstm_cell)cell, (pylstm_pooling)cell);
    check_mutations(all.blob, all.bytes);
    check_mutations(of_targets.blob, of_targets.bytes);
    check_mutations(indicates.blob, indicates.bytes);
    check_mutations(holds.blob, holds.bytes);
    test_hostile(&all);
    check_hostile(&of_targets, IS_SCALED, 1, PYLSTM_ERROR_BLOB);
    check_hostile(&of_targets, IS_SCALED, 2, PYLSTM_ERROR_BLOB);
    check_hostile(&of_targets, N_OUTPUTS, 0, PYLSTM_ERROR_BLOB);
    check_hostile(&of_targets, N_OUTPUTS, INT32_MAX, PYLSTM_ERROR_BLOB);
    check_hostile(&of_targets, 8, 2, PYLSTM_ERROR_BLOB);
    check_hostile(&indicates, IS_SCALED, 1, PYLSTM_ERROR_BLOB);
    check_hostile(&indicates, IS_SCALED, 4, PYLSTM_ERROR_BLOB);  /* and no scaling */
    check_hostile(&indicates, IS_SCALED, 9, PYLSTM_ERROR_BLOB);  /* held, of which nothing is told */
    check_hostile(&indicates, IS_SCALED, 13, PYLSTM_ERROR_BLOB); /* a third kind */
    check_hostile(&indicates, 8, 3, PYLSTM_ERROR_BLOB);
    const size_t columns_at = HEADER + 12 + 2 * 3 * 8; /* sizes of two layers, padded; mean and scale */
    check_hostile(&indicates, columns_at, 0, PYLSTM_ERROR_BLOB);
    check_hostile(&indicates, columns_at, 2, PYLSTM_ERROR_BLOB);
    check_hostile(&indicates, columns_at + 4, UINT32_MAX, PYLSTM_ERROR_BLOB); /* a negative number */
    check_hostile(&indicates, columns_at + 8, 1, PYLSTM_ERROR_BLOB);          /* column 1 of a single feature */
    check_hostile(&indicates, columns_at + 12, UINT32_MAX, PYLSTM_ERROR_BLOB);
    test_header_only();
    test_random_headers(&all);
    test_random_headers(&of_targets);
    test_random_headers(&indicates);
    test_calls(&all);
    test_write_errors();
    free_written(all);
    free_written(of_targets);
    free_written(indicates);
    free_written(holds);
    return REPORT();
}
