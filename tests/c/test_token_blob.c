/* Blobs of models that read tokens: what is written comes back, byte for byte as pylstm.h says; anything else is
 * refused. */
#include "blobs.h"

#include <stdbool.h>

struct written {
    void *parameters;
    double *numbers[2]; /* of scaled targets, or NULL */
    unsigned char *blob;
    size_t bytes;
};

static struct written write_model(const pylstm_model *model, bool is_scaled)
{
    struct written all = {.parameters = random_reals(&model->net, pylstm_model_n_parameters(model), 0.5)};
    for (int k = 0; k < 2 && is_scaled; k++)
        all.numbers[k] = random_doubles(model->n_outputs, 3);
    const pylstm_scalings scalings = {.targets = {all.numbers[0], all.numbers[1]}};
    CHECK_STATUS(pylstm_blob_size(model, &scalings, &all.bytes), PYLSTM_OK);
    all.blob = allocate(all.bytes);
    const pylstm_memory memory = {all.blob, all.bytes}, small = {all.blob, all.bytes - 1};
    CHECK_STATUS(pylstm_blob_write(model, all.parameters, &scalings, small), PYLSTM_ERROR_WORKSPACE);
    CHECK_STATUS(pylstm_blob_write(model, all.parameters, &scalings, memory), PYLSTM_OK);
    return all;
}

static void free_written(struct written all)
{
    free(all.parameters);
    free(all.numbers[0]);
    free(all.numbers[1]);
    free(all.blob);
}

static void check_round_trip(const pylstm_model *model, bool is_scaled)
{
    const pylstm_net *net = &model->net;
    struct written all = write_model(model, is_scaled);
    pylstm_blob blob;
    CHECK(all.blob[8] == 5);
    CHECK_STATUS(pylstm_blob_open(all.blob, all.bytes, &blob), PYLSTM_OK);
    const pylstm_net *got = &blob.model.net;
    CHECK(got->dtype == net->dtype && got->cell == net->cell && got->input_size == net->input_size);
    CHECK(got->input == net->input && got->n_tokens == net->n_tokens);
    CHECK(got->n_layers == net->n_layers && got->n_directions == net->n_directions);
    CHECK(memcmp(blob.hidden_sizes, net->hidden_sizes, (size_t)net->n_layers * sizeof *net->hidden_sizes) == 0);
    CHECK(blob.model.n_outputs == model->n_outputs && blob.model.is_tied == model->is_tied);
    CHECK(blob.model.pooling == model->pooling && blob.model.loss == model->loss);
    size_t bytes = (size_t)pylstm_model_n_parameters(model) * real_size(net);
    CHECK(memcmp(blob.parameters, all.parameters, bytes) == 0);
    CHECK((const unsigned char *)blob.parameters + bytes == all.blob + all.bytes);
    CHECK(!blob.scalings.inputs.mean && !blob.scalings.inputs.scale && !blob.scalings.targets.mean == !is_scaled);
    size_t of_targets = (size_t)model->n_outputs * sizeof(double);
    if (is_scaled)
        CHECK(memcmp(blob.scalings.targets.mean, all.numbers[0], of_targets) == 0 &&
              memcmp(blob.scalings.targets.scale, all.numbers[1], of_targets) == 0);
    free_written(all);
}

static void test_round_trips(void)
{
    ptrdiff_t hidden_sizes[PYLSTM_BLOB_LAYERS];
    for (int l = 0; l < PYLSTM_BLOB_LAYERS; l++)
        hidden_sizes[l] = 1 + (l + 2) * 5 % 7;
    const ptrdiff_t n_layers[] = {1, 2, PYLSTM_BLOB_LAYERS}, n_outputs[] = {0, 1, 5};
    for (int k = 0; k < 2 * 3 * 2 * 3 * 3; k++) {
        pylstm_net net = {.dtype = (pylstm_dtype)(k % 2),
                          .n_layers = n_layers[k / 2 % 3],
                          .hidden_sizes = hidden_sizes,
                          .n_directions = 1 + k / 6 % 2,
                          .n_threads = 1,
                          .cell = (pylstm_cell)(k / 2 % 4),
                          .input = (pylstm_input)(PYLSTM_ONE_HOT + k / 36),
                          .n_tokens = 1 + k % 5};
        net.input_size = net.input == PYLSTM_ONE_HOT ? net.n_tokens : 1 + k % 3;
        pylstm_model model = {.net = net,
                              .n_outputs = n_outputs[k / 12 % 3],
                              .pooling = (pylstm_pooling)(k % 4),
                              .loss = (pylstm_loss)(k / 2 % 6)};
        check_round_trip(&model, false);
        if (model.n_outputs > 0)
            check_round_trip(&model, true);
        if (net.input != PYLSTM_EMBEDDING)
            continue;
        model.is_tied = 1;
        model.n_outputs = net.n_tokens;
        model.net.input_size = pylstm_net_output_size(&net);
        check_round_trip(&model, k % 2);
    }
}

/* What pylstm.h says of every byte. */
static void test_format(void)
{
    static const unsigned char expected[] = {
        0x89, 'P', 'Y', 'L', 'S', 'T', 'M', '\n', 5, 0, 0, 0, 0, 0, 0, 0, /* version, checksum */
        116,  0,   0,   0,   0,   0,   0,   0,    0, 0, 0, 0, 0, 0, 0, 0, /* bytes, dtype, loss */
        3,    0,   0,   0,   0,   0,   0,   0,    1, 0, 0, 0, 3, 0, 0, 0, /* pooling, is_scaled, I, n_outputs */
        1,    0,   0,   0,   1,   0,   0,   0,    2, 0, 0, 0,             /* directions, layers, cell */
        2,    0,   0,   0,   3,   0,   0,   0,    1, 0, 0, 0,             /* input, n_tokens, is_tied */
        1,    0,   0,   0,   0,   0,   0,   0,                            /* hidden_sizes, zeros */
    };
    const ptrdiff_t hidden_sizes[] = {1};
    const pylstm_model model = {.net = {.dtype = PYLSTM_FLOAT32,
                                        .input_size = 1,
                                        .n_layers = 1,
                                        .hidden_sizes = hidden_sizes,
                                        .n_directions = 1,
                                        .n_threads = 1,
                                        .cell = PYLSTM_RNN_TANH,
                                        .input = PYLSTM_EMBEDDING,
                                        .n_tokens = 3},
                                .n_outputs = 3,
                                .pooling = PYLSTM_POOL_NONE,
                                .loss = PYLSTM_CROSS_ENTROPY,
                                .is_tied = 1};
    const float parameters[9] = {0.5f, 0.25f, -1, 2, 3, 4, 5, 6, 7}; /* table, W, R, bias, bias_out */
    unsigned char blob[sizeof expected + sizeof parameters], sealed[sizeof blob];
    size_t bytes = 0;
    CHECK_STATUS(pylstm_blob_size(&model, NULL, &bytes), PYLSTM_OK);
    CHECK(bytes == sizeof blob && pylstm_model_n_parameters(&model) == 9);
    CHECK_STATUS(pylstm_blob_write(&model, parameters, NULL, (pylstm_memory){blob, sizeof blob}), PYLSTM_OK);
    memcpy(sealed, blob, sizeof blob);
    seal(sealed, sizeof sealed);
    CHECK(memcmp(blob, sealed, sizeof blob) == 0);
    memset(blob + CHECKSUM_AT, 0, 4);
    CHECK(memcmp(blob, expected, sizeof expected) == 0);
    CHECK(memcmp(blob + sizeof expected, parameters, sizeof parameters) == 0);
}

/* ---------------------------------------------------------------- refused */

enum { VERSION = 8, IS_SCALED = 36, INPUT_SIZE = 40, N_OUTPUTS = 44, INPUT = 60, N_TOKENS = 64, IS_TIED = 68 };
enum { HIDDEN_SIZE = 72 };

/* A field that says something else under a good checksum. */
static void check_hostile(const struct written *all, size_t at, uint32_t value, int expected)
{
    unsigned char *blob = copy_bytes(all->blob, all->bytes);
    put(blob + at, value);
    seal(blob, all->bytes);
    CHECK_STATUS(open_exactly(blob, all->bytes), expected);
    free(blob);
}

static void test_hostile(const struct written *table, const struct written *tied, const struct written *one_hot)
{
    const struct written *const all[] = {table, tied, one_hot};
    for (int k = 0; k < 3; k++) {
        check_hostile(all[k], INPUT, PYLSTM_VALUES, PYLSTM_ERROR_BLOB);
        check_hostile(all[k], INPUT, PYLSTM_N_INPUTS, PYLSTM_ERROR_INPUT);
        check_hostile(all[k], INPUT, UINT32_MAX, PYLSTM_ERROR_INPUT);
        check_hostile(all[k], N_TOKENS, 0, PYLSTM_ERROR_SIZE);
        check_hostile(all[k], N_TOKENS, UINT32_MAX, PYLSTM_ERROR_OVERFLOW);
        check_hostile(all[k], N_TOKENS, (uint32_t)INT32_MAX + 1, PYLSTM_ERROR_OVERFLOW);
        check_hostile(all[k], IS_TIED, 2, PYLSTM_ERROR_BLOB);
        check_hostile(all[k], IS_TIED, UINT32_MAX, PYLSTM_ERROR_BLOB);
        check_hostile(all[k], HIDDEN_SIZE, UINT32_MAX, PYLSTM_ERROR_OVERFLOW);
        check_hostile(all[k], VERSION, 6, PYLSTM_ERROR_VERSION);
        for (uint32_t version = 2; version <= 4; version++)
            check_hostile(all[k], VERSION, version, PYLSTM_ERROR_BLOB);
        for (uint32_t is_scaled = 1; is_scaled < 16; is_scaled++)
            check_hostile(all[k], IS_SCALED, is_scaled, PYLSTM_ERROR_BLOB); /* of which there are no numbers */
    }
    check_hostile(table, N_TOKENS, INT32_MAX, PYLSTM_ERROR_BLOB); /* fits in memory, not in these bytes */
    check_hostile(table, N_TOKENS, 4, PYLSTM_ERROR_BLOB);
    check_hostile(table, IS_TIED, 1, PYLSTM_ERROR_SIZE); /* which are not as many outputs as tokens */
    check_hostile(table, INPUT, PYLSTM_ONE_HOT, PYLSTM_ERROR_SIZE);
    check_hostile(table, INPUT, PYLSTM_FROZEN, PYLSTM_OK); /* the same numbers, that stay what they are */
    check_hostile(tied, IS_TIED, 0, PYLSTM_ERROR_BLOB);
    check_hostile(tied, INPUT, PYLSTM_FROZEN, PYLSTM_ERROR_SIZE);
    check_hostile(tied, N_OUTPUTS, 4, PYLSTM_ERROR_SIZE);
    check_hostile(tied, N_TOKENS, 4, PYLSTM_ERROR_SIZE);
    check_hostile(tied, INPUT_SIZE, 1, PYLSTM_ERROR_SIZE);
    check_hostile(one_hot, N_TOKENS, 4, PYLSTM_ERROR_SIZE);
    check_hostile(one_hot, INPUT_SIZE, 4, PYLSTM_ERROR_SIZE);
    check_hostile(one_hot, INPUT, PYLSTM_EMBEDDING, PYLSTM_ERROR_BLOB);
    check_hostile(one_hot, IS_TIED, 1, PYLSTM_ERROR_SIZE);
}

/* Sizes that are said to follow, in a blob that ends before them. */
static void test_header_only(void)
{
    for (size_t bytes = HEADER; bytes <= HIDDEN_SIZE + 4; bytes += 4) {
        unsigned char header[HIDDEN_SIZE + 16] = {0x89, 'P', 'Y', 'L', 'S', 'T', 'M', '\n', 5};
        put(header + BYTES_AT, (uint32_t)bytes);
        for (size_t at = INPUT_SIZE; at < bytes; at += 4)
            put(header + at, at != IS_TIED);
        seal(header, bytes);
        CHECK_STATUS(open_exactly(header, bytes), PYLSTM_ERROR_BLOB);
    }
}

/* Random fields under a good checksum: whatever is said of them, nothing outside the blob is read. */
static void test_random_headers(const struct written *all)
{
    unsigned char *blob = copy_bytes(all->blob, all->bytes);
    int n_opened = 0;
    for (int trial = 0; trial < 20000; trial++) {
        memcpy(blob, all->blob, all->bytes);
        for (int k = 0; k < 2; k++) {
            size_t field = (size_t)((draw() + 1) * 7); /* from dtype to the hidden sizes */
            double limit = draw() < 0.5 ? 6.0 : (double)UINT32_MAX;
            put(blob + FIELDS_AT + 4 * field, (uint32_t)((draw() + 1) / 2 * limit));
        }
        seal(blob, all->bytes);
        n_opened += open_exactly(blob, all->bytes) == PYLSTM_OK;
    }
    CHECK(n_opened > 0);
    free(blob);
}

static void test_write_errors(const pylstm_model *model)
{
    const double numbers[16] = {0};
    const int64_t columns[] = {0};
    unsigned char room[512] = {0};
    const pylstm_memory memory = {room, sizeof room};
    const pylstm_scalings scaled[] = {
        {.inputs = {numbers, numbers}},
        {.inputs = {numbers, numbers}, .missing = {PYLSTM_MISSING_HOLD, numbers, 0, NULL}},
        {.inputs = {numbers, numbers}, .missing = {PYLSTM_MISSING_INDICATOR, numbers, 1, columns}},
    };
    size_t bytes = 0;
    for (int k = 0; k < 3; k++) {
        CHECK_STATUS(pylstm_blob_size(model, &scaled[k], &bytes), PYLSTM_ERROR_INPUT);
        CHECK_STATUS(pylstm_blob_write(model, numbers, &scaled[k], memory), PYLSTM_ERROR_INPUT);
    }
    pylstm_model bad = *model;
    bad.net.n_tokens = 0;
    CHECK_STATUS(pylstm_blob_size(&bad, NULL, &bytes), PYLSTM_ERROR_SIZE);
    CHECK_STATUS(pylstm_blob_write(&bad, numbers, NULL, memory), PYLSTM_ERROR_SIZE);
    bad = *model;
    bad.net.input = PYLSTM_N_INPUTS;
    CHECK_STATUS(pylstm_blob_size(&bad, NULL, &bytes), PYLSTM_ERROR_INPUT);
    CHECK_STATUS(pylstm_blob_write(&bad, numbers, NULL, memory), PYLSTM_ERROR_INPUT);
    CHECK(bytes == 0);
    for (size_t k = 0; k < sizeof room; k++)
        CHECK(room[k] == 0);
}

int main(void)
{
    const ptrdiff_t hidden_sizes[] = {3, 2};
    pylstm_model model = {.net = {.dtype = PYLSTM_FLOAT32,
                                  .input_size = 2,
                                  .n_layers = 2,
                                  .hidden_sizes = hidden_sizes,
                                  .n_directions = 1,
                                  .n_threads = 1,
                                  .cell = PYLSTM_GRU,
                                  .input = PYLSTM_EMBEDDING,
                                  .n_tokens = 3},
                          .n_outputs = 2,
                          .pooling = PYLSTM_POOL_LAST,
                          .loss = PYLSTM_CROSS_ENTROPY};
    test_round_trips();
    test_format();
    test_header_only();
    test_write_errors(&model);
    struct written table = write_model(&model, false), scaled = write_model(&model, true);
    model.is_tied = 1, model.n_outputs = 3;
    struct written tied = write_model(&model, false);
    model.is_tied = 0, model.net.input = PYLSTM_ONE_HOT, model.net.input_size = 3;
    struct written one_hot = write_model(&model, false);
    test_hostile(&table, &tied, &one_hot);
    const struct written *const all[] = {&table, &scaled, &tied, &one_hot};
    for (int k = 0; k < 4; k++) {
        check_mutations(all[k]->blob, all[k]->bytes);
        test_random_headers(all[k]);
        free_written(*all[k]);
    }
    return REPORT();
}
