/* A model in a buffer; pylstm.h has its format, byte by byte. */
#include "interface/checks.h"
#include "layers/net.h"
#include "layers/passes.h"
#include "model/model.h"
#include "pylstm.h"

#include <stdbool.h>
#include <string.h>

/* FIRST has no scaled targets, and what is written without them is read by those who know no more; so with inputs that
 * may be missing, and tokens. */
enum { FIRST = 2, WITH_TARGETS = 3, WITH_MISSING = 4, WITH_TOKENS = 5, ALIGNMENT = 8 };

/* Of the latter, with the kind of pylstm_missing_kind in the bits from OF_MISSING on. */
enum { SCALED_INPUTS = 1, SCALED_TARGETS = 2, OF_MISSING = 4 };

/* Where the fields are. */
enum {
    VERSION_AT = 8,
    CHECKSUM_AT = 12,
    BYTES_AT = 16,
    DTYPE_AT = 24,
    LOSS_AT = 28,
    POOLING_AT = 32,
    IS_SCALED_AT = 36,
    INPUT_SIZE_AT = 40,
    N_OUTPUTS_AT = 44,
    N_DIRECTIONS_AT = 48,
    N_LAYERS_AT = 52,
    CELL_AT = 56,
    HIDDEN_SIZES_AT = 60,
    INPUT_AT = 60, /* of tokens, and behind it the sizes */
    N_TOKENS_AT = 64,
    IS_TIED_AT = 68,
    HIDDEN_SIZES_OF_TOKENS_AT = 72
};

static size_t hidden_sizes_at(bool of_tokens)
{
    return of_tokens ? HIDDEN_SIZES_OF_TOKENS_AT : HIDDEN_SIZES_AT;
}

static const unsigned char magic[8] = {0x89, 'P', 'Y', 'L', 'S', 'T', 'M', '\n'};

static uint32_t get(const unsigned char *from)
{
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void put(unsigned char *to, uint32_t value)
{
    for (int k = 0; k < 4; k++)
        to[k] = (unsigned char)(value >> 8 * k);
}

static uint32_t checksum(const unsigned char *data, size_t bytes)
{
    static const uint32_t of_nibble[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = UINT32_MAX;
    for (size_t k = 0; k < bytes; k++) {
        crc ^= data[k];
        crc = crc >> 4 ^ of_nibble[crc & 15];
        crc = crc >> 4 ^ of_nibble[crc & 15];
    }
    return ~crc;
}

static bool is_little_endian(void)
{
    const uint32_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

static int check_model(const pylstm_model *model)
{
    int status = pylstm_model_or_net_check(model);
    return !status && model->net.n_layers > PYLSTM_BLOB_LAYERS ? PYLSTM_ERROR_OVERFLOW : status;
}

/* Offsets of the numbers, for a model that has been checked: then none of this can overflow. */
struct places {
    size_t inputs, targets; /* of scalings the mean, and behind it the scale */
    size_t missing;         /* how many columns, then these, then the mean */
    size_t parameters, end;
};

static struct places places_of(const pylstm_model *model, uint32_t is_scaled, ptrdiff_t n_columns)
{
    size_t real_size = model->net.dtype == PYLSTM_FLOAT32 ? sizeof(float) : sizeof(double);
    size_t of_inputs = is_scaled & SCALED_INPUTS ? 2 * (size_t)model->net.input_size * sizeof(double) : 0;
    size_t of_targets = is_scaled & SCALED_TARGETS ? 2 * (size_t)model->n_outputs * sizeof(double) : 0;
    size_t header = hidden_sizes_at(reads_tokens(&model->net)) + 4 * (size_t)model->net.n_layers;
    struct places at = {.inputs = (header + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT};
    at.targets = at.inputs + of_inputs;
    at.missing = at.targets + of_targets;
    at.parameters = at.missing;
    if (is_scaled >= OF_MISSING) /* F = I - 2 n_columns, and one number is n_columns */
        at.parameters += (size_t)(1 + model->net.input_size - n_columns) * sizeof(double);
    at.end = at.parameters + (size_t)pylstm_model_n_parameters(model) * real_size;
    return at;
}

static uint32_t which_are_scaled(const pylstm_scalings *scalings)
{
    if (!scalings)
        return 0;
    return (scalings->inputs.mean ? SCALED_INPUTS : 0) | (scalings->targets.mean ? SCALED_TARGETS : 0) |
           (uint32_t)scalings->missing.kind * OF_MISSING;
}

static ptrdiff_t n_columns_of(const pylstm_scalings *scalings)
{
    return scalings && scalings->missing.kind != PYLSTM_MISSING_NONE ? scalings->missing.n_columns : 0;
}

static uint32_t version_of(uint32_t is_scaled, bool of_tokens)
{
    if (of_tokens)
        return WITH_TOKENS;
    if (is_scaled >= OF_MISSING)
        return WITH_MISSING;
    return is_scaled & SCALED_TARGETS ? WITH_TARGETS : FIRST;
}

/* Nothing, where a scaling is empty. */
static pylstm_scaling scaling_at(const unsigned char *from, size_t at, size_t end)
{
    if (at == end)
        return (pylstm_scaling){NULL, NULL};
    return (pylstm_scaling){(const void *)(from + at), (const void *)(from + at + (end - at) / 2)};
}

static void write_scaling(unsigned char *to, size_t at, size_t end, pylstm_scaling scaling)
{
    size_t bytes = (end - at) / 2;
    if (bytes > 0) {
        memcpy(to + at, scaling.mean, bytes);
        memcpy(to + at + bytes, scaling.scale, bytes);
    }
}

/* Fails where it does not fit in the bytes that there are, or is none. */
static int read_missing(const unsigned char *from, size_t bytes, struct places at, pylstm_blob *blob)
{
    pylstm_missing *missing = &blob->scalings.missing;
    int64_t n_columns;
    missing->kind = (pylstm_missing_kind)(get(from + IS_SCALED_AT) / OF_MISSING);
    if (missing->kind == PYLSTM_MISSING_NONE)
        return PYLSTM_OK;
    if (bytes < at.missing + sizeof n_columns)
        return PYLSTM_ERROR_BLOB;
    memcpy(&n_columns, from + at.missing, sizeof n_columns);
    if (n_columns < 0 || n_columns > (blob->model.net.input_size - 1) / 2)
        return PYLSTM_ERROR_BLOB;
    missing->n_columns = (ptrdiff_t)n_columns;
    missing->columns = (const void *)(from + at.missing + sizeof n_columns);
    missing->mean = (const void *)(missing->columns + n_columns);
    return PYLSTM_OK;
}

static void write_missing(unsigned char *to, const pylstm_missing *missing, ptrdiff_t n_inputs)
{
    int64_t n_columns = missing->n_columns;
    size_t of_columns = (size_t)n_columns * sizeof n_columns;
    memcpy(to, &n_columns, sizeof n_columns);
    to += sizeof n_columns;
    if (n_columns > 0)
        memcpy(to, missing->columns, of_columns);
    memcpy(to + of_columns, missing->mean, (size_t)(n_inputs - 2 * n_columns) * sizeof *missing->mean);
}

/* The model's sizes, as far as they are there; whether they make a model is not checked. */
static int read_model(const unsigned char *from, size_t bytes, pylstm_blob *blob)
{
    for (size_t at = INPUT_SIZE_AT; at <= N_LAYERS_AT; at += 4)
        if (get(from + at) > INT32_MAX)
            return PYLSTM_ERROR_OVERFLOW;
    ptrdiff_t n_layers = (ptrdiff_t)get(from + N_LAYERS_AT);
    if (n_layers > PYLSTM_BLOB_LAYERS)
        return PYLSTM_ERROR_OVERFLOW;
    uint32_t is_scaled = get(from + IS_SCALED_AT);
    bool of_tokens = get(from + VERSION_AT) == WITH_TOKENS;
    const unsigned char *hidden_sizes = from + hidden_sizes_at(of_tokens);
    if (is_scaled / OF_MISSING > PYLSTM_MISSING_HOLD || get(from + VERSION_AT) != version_of(is_scaled, of_tokens) ||
        bytes < hidden_sizes_at(of_tokens) + 4 * (size_t)n_layers)
        return PYLSTM_ERROR_BLOB;
    if (of_tokens && (get(from + INPUT_AT) == PYLSTM_VALUES || get(from + IS_TIED_AT) > 1))
        return PYLSTM_ERROR_BLOB;
    if (of_tokens && get(from + N_TOKENS_AT) > INT32_MAX)
        return PYLSTM_ERROR_OVERFLOW;
    for (ptrdiff_t l = 0; l < n_layers; l++) {
        uint32_t hidden = get(hidden_sizes + 4 * l);
        if (hidden > INT32_MAX)
            return PYLSTM_ERROR_OVERFLOW;
        blob->hidden_sizes[l] = (ptrdiff_t)hidden;
    }
    blob->model = (pylstm_model){
        .net = {.dtype = (pylstm_dtype)get(from + DTYPE_AT),
                .input_size = (ptrdiff_t)get(from + INPUT_SIZE_AT),
                .n_layers = n_layers,
                .hidden_sizes = blob->hidden_sizes,
                .n_directions = (ptrdiff_t)get(from + N_DIRECTIONS_AT),
                .isa = PYLSTM_ISA_BEST,
                .n_threads = 1,
                .cell = (pylstm_cell)get(from + CELL_AT),
                .input = of_tokens ? (pylstm_input)get(from + INPUT_AT) : PYLSTM_VALUES,
                .n_tokens = of_tokens ? (ptrdiff_t)get(from + N_TOKENS_AT) : 0},
        .n_outputs = (ptrdiff_t)get(from + N_OUTPUTS_AT),
        .pooling = (pylstm_pooling)get(from + POOLING_AT),
        .loss = (pylstm_loss)get(from + LOSS_AT),
        .is_tied = of_tokens && get(from + IS_TIED_AT),
    };
    return PYLSTM_OK;
}

int pylstm_blob_open(const void *data, size_t bytes, pylstm_blob *out)
{
    const unsigned char *from = data;
    if (!data || !out)
        return PYLSTM_ERROR_NULL;
    if (!is_little_endian())
        return PYLSTM_ERROR_ENDIAN;
    if ((uintptr_t)data % ALIGNMENT != 0)
        return PYLSTM_ERROR_ALIGNMENT;
    if (bytes < HIDDEN_SIZES_AT || memcmp(from, magic, sizeof magic) != 0)
        return PYLSTM_ERROR_BLOB;
    uint32_t version = get(from + VERSION_AT);
    if (version < FIRST || version > WITH_TOKENS)
        return PYLSTM_ERROR_VERSION;
    uint64_t said = (uint64_t)get(from + BYTES_AT + 4) << 32 | get(from + BYTES_AT);
    if (said != bytes || get(from + CHECKSUM_AT) != checksum(from + BYTES_AT, bytes - BYTES_AT))
        return PYLSTM_ERROR_BLOB;

    pylstm_blob blob = {0};
    int status = read_model(from, bytes, &blob);
    if (!status)
        status = check_model(&blob.model);
    if (status)
        return status;
    struct places at = places_of(&blob.model, get(from + IS_SCALED_AT), 0);
    status = read_missing(from, bytes, at, &blob);
    if (status)
        return status;
    at = places_of(&blob.model, get(from + IS_SCALED_AT), blob.scalings.missing.n_columns);
    if (at.end != bytes)
        return PYLSTM_ERROR_BLOB;
    blob.scalings.inputs = scaling_at(from, at.inputs, at.targets);
    blob.scalings.targets = scaling_at(from, at.targets, at.missing);
    if (pylstm_scalings_check(&blob.model, &blob.scalings))
        return PYLSTM_ERROR_BLOB;
    blob.parameters = from + at.parameters;
    *out = blob;
    out->model.net.hidden_sizes = out->hidden_sizes;
    return PYLSTM_OK;
}

int pylstm_blob_size(const pylstm_model *model, const pylstm_scalings *scalings, size_t *bytes)
{
    int status = check_model(model);
    if (!status)
        status = pylstm_scalings_check(model, scalings);
    if (!status && !bytes)
        status = PYLSTM_ERROR_NULL;
    if (!status)
        *bytes = places_of(model, which_are_scaled(scalings), n_columns_of(scalings)).end;
    return status;
}

int pylstm_blob_write(const pylstm_model *model, const void *parameters, const pylstm_scalings *scalings,
                      pylstm_memory memory)
{
    if (!parameters || !memory.data)
        return PYLSTM_ERROR_NULL;
    if (!is_little_endian())
        return PYLSTM_ERROR_ENDIAN;
    int status = check_model(model);
    if (!status)
        status = pylstm_scalings_check(model, scalings);
    if (status)
        return status;
    const pylstm_net *net = &model->net;
    uint32_t is_scaled = which_are_scaled(scalings);
    struct places at = places_of(model, is_scaled, n_columns_of(scalings));
    if (memory.bytes < at.end)
        return PYLSTM_ERROR_WORKSPACE;

    unsigned char *to = memory.data;
    memset(to, 0, at.inputs);
    memcpy(to, magic, sizeof magic);
    put(to + VERSION_AT, version_of(is_scaled, reads_tokens(net)));
    put(to + BYTES_AT, (uint32_t)at.end);
    put(to + BYTES_AT + 4, (uint32_t)((uint64_t)at.end >> 32));
    put(to + DTYPE_AT, (uint32_t)net->dtype);
    put(to + LOSS_AT, (uint32_t)model->loss);
    put(to + POOLING_AT, (uint32_t)model->pooling);
    put(to + IS_SCALED_AT, is_scaled);
    put(to + INPUT_SIZE_AT, (uint32_t)net->input_size);
    put(to + N_OUTPUTS_AT, (uint32_t)model->n_outputs);
    put(to + N_DIRECTIONS_AT, (uint32_t)net->n_directions);
    put(to + N_LAYERS_AT, (uint32_t)net->n_layers);
    put(to + CELL_AT, (uint32_t)net->cell);
    if (reads_tokens(net)) {
        put(to + INPUT_AT, (uint32_t)net->input);
        put(to + N_TOKENS_AT, (uint32_t)net->n_tokens);
        put(to + IS_TIED_AT, (uint32_t)(model->is_tied != 0));
    }
    for (ptrdiff_t l = 0; l < net->n_layers; l++)
        put(to + hidden_sizes_at(reads_tokens(net)) + 4 * (size_t)l, (uint32_t)net->hidden_sizes[l]);
    if (scalings) {
        write_scaling(to, at.inputs, at.targets, scalings->inputs);
        write_scaling(to, at.targets, at.missing, scalings->targets);
        if (scalings->missing.kind != PYLSTM_MISSING_NONE)
            write_missing(to + at.missing, &scalings->missing, net->input_size);
    }
    memcpy(to + at.parameters, parameters, at.end - at.parameters);
    put(to + CHECKSUM_AT, checksum(to + BYTES_AT, at.end - BYTES_AT));
    return PYLSTM_OK;
}
