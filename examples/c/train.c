/* Trains a net to say, after every bit, whether it has seen an odd number of ones.
 *
 *     train EARLY.blob LATE.blob
 *
 * writes the model halfway and at the end. Succeeds if it is right for 99 of 100 bits of sequences four times as long
 * as those that it learnt from. */
#include "common.h"

#include <math.h>
#include <string.h>

enum { HIDDEN = 8, LENGTH = 12, LONG = 4 * LENGTH, N_SEQUENCES = 512, N_TEST = 64, BATCH = 32, EPOCHS = 20 };

static uint32_t draw(void) /* 16 bits */
{
    static uint32_t state = 1;
    state = state * 1664525 + 1013904223;
    return state >> 16;
}

static void draw_sequence(ptrdiff_t n, float *x, ptrdiff_t *labels)
{
    ptrdiff_t parity = 0;
    for (ptrdiff_t s = 0; s < n; s++) {
        ptrdiff_t bit = draw() & 1;
        x[s] = (float)bit;
        labels[s] = parity ^= bit;
    }
}

static void write_blob(const pylstm_model *model, const float *parameters, const char *path)
{
    pylstm_memory blob;
    check(pylstm_blob_size(model, NULL, &blob.bytes), path);
    blob.data = allocate(blob.bytes);
    check(pylstm_blob_write(model, parameters, NULL, blob), path);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(blob.data, 1, blob.bytes, file) != blob.bytes || fclose(file) != 0) {
        fprintf(stderr, "%s: can't be written\n", path);
        exit(EXIT_FAILURE);
    }
    free(blob.data);
}

/* The share of bits of new, longer sequences after which the model in a file is right. */
static double accuracy(const char *path)
{
    pylstm_blob blob;
    pylstm_stream *stream;
    pylstm_memory file = open_blob(path, &blob), memory = new_stream(&blob, &stream);
    ptrdiff_t right = 0;
    for (int k = 0; k < N_TEST; k++) {
        float x[LONG], p[LONG][2];
        ptrdiff_t labels[LONG];
        draw_sequence(LONG, x, labels);
        check(pylstm_stream_set_state(stream, NULL), "state");
        check(pylstm_stream_process(stream, LONG, x, p), "test");
        for (int s = 0; s < LONG; s++)
            right += (p[s][1] > p[s][0]) == labels[s];
    }
    free(memory.data);
    free(file.data);
    return (double)right / (N_TEST * LONG);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: train EARLY.blob LATE.blob\n");
        return EXIT_FAILURE;
    }
    static float x[N_SEQUENCES * LENGTH];
    static ptrdiff_t labels[N_SEQUENCES * LENGTH];
    for (ptrdiff_t k = 0; k < N_SEQUENCES; k++)
        draw_sequence(LENGTH, x + k * LENGTH, labels + k * LENGTH);
    const ptrdiff_t hidden_sizes[] = {HIDDEN};
    const pylstm_model model = {
        .net = {.input_size = 1, .n_layers = 1, .hidden_sizes = hidden_sizes, .n_directions = 1, .n_threads = 1},
        .n_outputs = 2,
        .pooling = PYLSTM_POOL_NONE,
        .loss = PYLSTM_CROSS_ENTROPY,
    };
    check(pylstm_model_check(&model), "model");
    size_t n_parameters = (size_t)pylstm_model_n_parameters(&model);
    float *parameters = allocate(n_parameters * sizeof(float)), *gradients = allocate(n_parameters * sizeof(float));
    float *moments = allocate(2 * n_parameters * sizeof(float));
    for (size_t k = 0; k < n_parameters; k++)
        parameters[k] = ((float)draw() / 32768.0f - 1.0f) / sqrtf(HIDDEN);
    memset(moments, 0, 2 * n_parameters * sizeof(float));
    pylstm_solver solver = {.kind = PYLSTM_ADAM,
                            .learning_rate = 0.02,
                            .beta_1 = 0.9,
                            .beta_2 = 0.999,
                            .epsilon = 1e-8,
                            .max_grad_norm = 1,
                            .first_moment = moments,
                            .second_moment = moments + n_parameters};

    pylstm_memory memory;
    pylstm_gradient *gradient;
    const pylstm_shape bound = {BATCH, LENGTH, BATCH * LENGTH};
    check(pylstm_gradient_size(&model, &bound, &memory.bytes), "size of a gradient");
    memory.data = allocate(memory.bytes);
    check(pylstm_gradient_init(&gradient, &model, &pylstm_blas_reference, &bound, parameters, gradients, memory),
          "gradient");
    const void *x_of[BATCH], *labels_of[BATCH];
    ptrdiff_t length[BATCH];
    const pylstm_minibatch batch = {.n_sequences = BATCH,
                                    .x = x_of,
                                    .x_stride = 1,
                                    .length = length,
                                    .targets = labels_of,
                                    .total_weight = BATCH * LENGTH};
    for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        double loss = 0;
        for (ptrdiff_t from = 0; from < N_SEQUENCES; from += BATCH) {
            for (ptrdiff_t b = 0; b < BATCH; b++) {
                ptrdiff_t k = (ptrdiff_t)(draw() % N_SEQUENCES);
                x_of[b] = x + k * LENGTH;
                labels_of[b] = labels + k * LENGTH;
                length[b] = LENGTH;
            }
            check(pylstm_train_step(gradient, &batch, &solver, &loss), "train");
        }
        if (epoch % 5 == 0)
            printf("epoch %2d: loss %.4f\n", epoch, loss);
        if (epoch == EPOCHS / 2)
            write_blob(&model, parameters, argv[1]);
    }
    write_blob(&model, parameters, argv[2]);
    double right = accuracy(argv[2]);
    printf("right after %.1f %% of the bits of sequences of %d\n", 100 * right, LONG);
    free(parameters);
    free(gradients);
    free(moments);
    free(memory.data);
    return right >= 0.99 ? EXIT_SUCCESS : EXIT_FAILURE;
}
