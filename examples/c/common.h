/* What the examples share: memory and files or a message, a stream of a blob, numbers of either dtype. */
#ifndef COMMON_H
#define COMMON_H

#include "pylstm.h"

#include <stdio.h>
#include <stdlib.h>

static inline void check(int status, const char *what)
{
    if (status == PYLSTM_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, pylstm_strerror(status));
    exit(EXIT_FAILURE);
}

static inline void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (memory)
        return memory;
    fprintf(stderr, "no memory\n");
    exit(EXIT_FAILURE);
}

/* A file as a whole. What malloc returns is aligned as a blob has to be. */
static inline pylstm_memory read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long bytes = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        bytes = ftell(file);
    pylstm_memory memory = {NULL, bytes > 0 ? (size_t)bytes : 0};
    if (memory.bytes > 0 && fseek(file, 0, SEEK_SET) == 0) {
        memory.data = allocate(memory.bytes);
        if (fread(memory.data, 1, memory.bytes, file) == memory.bytes && fclose(file) == 0)
            return memory;
    }
    fprintf(stderr, "%s: can't be read\n", path);
    exit(EXIT_FAILURE);
}

/* The model in a file, and the memory that it is in. */
static inline pylstm_memory open_blob(const char *path, pylstm_blob *blob)
{
    pylstm_memory file = read_file(path);
    check(pylstm_blob_open(file.data, file.bytes, blob), path);
    return file;
}

/* A stream of one sequence, and the memory that it is in: the blob's is needed no more. */
static inline pylstm_memory new_stream(const pylstm_blob *blob, pylstm_stream **stream)
{
    pylstm_memory memory = {NULL, 0};
    check(pylstm_stream_size(&blob->model, 1, &memory.bytes), "size of the stream");
    memory.data = allocate(memory.bytes);
    check(pylstm_stream_init(stream, &blob->model, 1, blob->parameters, &blob->scalings, memory), "stream");
    return memory;
}

static inline ptrdiff_t output_size(const pylstm_model *model)
{
    return model->n_outputs > 0 ? model->n_outputs : pylstm_net_output_size(&model->net);
}

static inline size_t real_size(const pylstm_net *net)
{
    return net->dtype == PYLSTM_FLOAT32 ? sizeof(float) : sizeof(double);
}

static inline void set_real(const pylstm_net *net, void *array, ptrdiff_t k, double value)
{
    if (net->dtype == PYLSTM_FLOAT32)
        ((float *)array)[k] = (float)value;
    else
        ((double *)array)[k] = value;
}

/* An input of a stream, or an output: a double where it is scaled. */
static inline size_t number_size(const pylstm_blob *blob, pylstm_scaling scaling)
{
    return scaling.mean ? sizeof(double) : real_size(&blob->model.net);
}

static inline void set_input(const pylstm_blob *blob, void *x, ptrdiff_t k, double value)
{
    if (blob->scalings.inputs.mean)
        ((double *)x)[k] = value;
    else
        set_real(&blob->model.net, x, k, value);
}

static inline double get_real(const pylstm_net *net, const void *array, ptrdiff_t k)
{
    return net->dtype == PYLSTM_FLOAT32 ? (double)((const float *)array)[k] : ((const double *)array)[k];
}

static inline double get_output(const pylstm_blob *blob, const void *y, ptrdiff_t k)
{
    return blob->scalings.targets.mean ? ((const double *)y)[k] : get_real(&blob->model.net, y, k);
}

#endif
