/* What a step of a stream costs: LSTM + Dense(1), float32, one sequence. stream.py compiles it, with libpylstm.a.
 *
 *     stream I H        one line of numbers:
 *         step_best step_median     us per step, a call for each
 *         block_best block_median   us per step, a call for each block of 64
 *         worst worst_cpu typical   us per block, of 100,000 blocks: the longest, by the clock and without the time
 * that the system gave to others; the median rest decay                the time of 10 s of silence, at 48,000 steps per
 * second, over that of 10 s of noise before; of a net with biases, which comes to rest somewhere, and of one without
 * but for the forget gate's, which decays towards zero: into the denormals
 */
#include "pylstm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 64, TRIES = 300, N_BLOCKS = 100000, SECONDS_10 = 480000 / BLOCK, REPEATS = 5 };

static const double us_per_try = 1000; /* short: some fall between the slices that others take of the core */

static double us_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static double now(void)
{
    return us_of(CLOCK_MONOTONIC);
}

static float draw(void)
{
    static uint32_t state = 1;
    state = state * 1664525 + 1013904223;
    return (float)(state >> 8) / (float)(1 << 23) - 1;
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes);
    if (!memory)
        abort();
    return memory;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static pylstm_stream *new_stream(const pylstm_model *model, int has_biases)
{
    const pylstm_layer at = pylstm_net_layer(&model->net, 0, 0);
    ptrdiff_t n = pylstm_model_n_parameters(model), hidden = at.hidden_size;
    float *parameters = allocate((size_t)n * sizeof(float)); /* for as long as the program runs */
    for (ptrdiff_t k = 0; k < n; k++)
        parameters[k] = draw() / sqrtf((float)hidden);
    for (ptrdiff_t k = 0; k < 4 * hidden && !has_biases; k++)
        parameters[at.bias + k] = k / hidden == 1;
    pylstm_memory memory;
    pylstm_stream *stream;
    if (pylstm_stream_size(model, 1, &memory.bytes))
        abort();
    memory.data = allocate(memory.bytes); /* likewise */
    if (pylstm_stream_init(&stream, model, 1, parameters, NULL, memory))
        abort();
    return stream;
}

/* Prints the best and the median time of a step, in calls of n steps. */
static void time_calls(pylstm_stream *stream, ptrdiff_t n, const float *x, float *y)
{
    static double times[TRIES];
    for (int i = 0; i < TRIES; i++) {
        double start = now(), elapsed;
        long n_calls = 0;
        do {
            for (int k = 0; k < 640 / n; k++, n_calls++)
                pylstm_stream_process(stream, n, x, y);
            elapsed = now() - start;
        } while (elapsed < us_per_try);
        times[i] = elapsed / (double)(n_calls * n);
    }
    qsort(times, TRIES, sizeof *times, ascending);
    printf("%.4f %.4f ", times[0], times[TRIES / 2]);
}

static void time_blocks(pylstm_stream *stream, const float *x, float *y)
{
    double *times = allocate(N_BLOCKS * sizeof *times), worst_cpu = 0;
    for (int k = 0; k < N_BLOCKS; k++) {
        double cpu = us_of(CLOCK_THREAD_CPUTIME_ID), start = now();
        pylstm_stream_process(stream, BLOCK, x, y);
        times[k] = now() - start;
        worst_cpu = fmax(worst_cpu, us_of(CLOCK_THREAD_CPUTIME_ID) - cpu);
    }
    qsort(times, N_BLOCKS, sizeof *times, ascending);
    printf("%.2f %.2f %.2f ", times[N_BLOCKS - 1], worst_cpu, times[N_BLOCKS / 2]);
    free(times);
}

static double ten_seconds(pylstm_stream *stream, const float *x, float *y)
{
    double start = now();
    for (int k = 0; k < SECONDS_10; k++)
        pylstm_stream_process(stream, BLOCK, x, y);
    return now() - start;
}

/* The least disturbed of some runs of noise and silence. */
static double silence(pylstm_stream *stream, const float *noise, const float *zeros, float *y)
{
    double signal = HUGE_VAL, after = HUGE_VAL;
    for (int i = 0; i < REPEATS; i++) {
        signal = fmin(signal, ten_seconds(stream, noise, y));
        after = fmin(after, ten_seconds(stream, zeros, y));
    }
    return after / signal;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    ptrdiff_t input_size = atoi(argv[1]), hidden_sizes[] = {atoi(argv[2])};
    const pylstm_model model = {
        .net =
            {.input_size = input_size, .n_layers = 1, .hidden_sizes = hidden_sizes, .n_directions = 1, .n_threads = 1},
        .n_outputs = 1,
        .pooling = PYLSTM_POOL_NONE,
        .loss = PYLSTM_SQUARED_ERROR,
    };
    if (pylstm_model_check(&model))
        return 2;
    size_t n_x = (size_t)(BLOCK * input_size);
    float *noise = allocate(n_x * sizeof(float)), *zeros = allocate(n_x * sizeof(float)), y[BLOCK];
    memset(zeros, 0, n_x * sizeof(float));
    for (size_t k = 0; k < n_x; k++)
        noise[k] = draw();
    pylstm_stream *resting = new_stream(&model, 1), *decaying = new_stream(&model, 0);
    time_calls(resting, 1, noise, y);
    time_calls(resting, BLOCK, noise, y);
    time_blocks(resting, noise, y);
    printf("%.3f ", silence(resting, noise, zeros, y));
    printf("%.3f\n", silence(decaying, noise, zeros, y));
    return 0;
}
