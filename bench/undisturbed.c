/* How much of a core a call takes when nobody else is on it, and what a second thread brings: for machines shared with
 * others.
 *
 * Another hardware thread of the same core takes every other turn of its decoder. FMA chains, which need two
 * instructions a cycle, hardly notice; a loop of six does at once. So before and after each call a loop of nops is
 * timed on each core: where it ran at its best speed, at least then the core was the call's alone.
 *
 *     make -C src_c
 *     cc -O2 -std=gnu11 -Isrc_c bench/undisturbed.c src_c/build/libpylstm.a -lm -lpthread -o undisturbed
 *     ./undisturbed infer|train INPUT HIDDEN SEQUENCES STEPS [SECONDS]
 *
 * x86-64 with AVX2, Linux, the cores 0 and 1. One LSTM layer, float32, from an explicit state, so that every step has
 * its recurrent product. */
#define _GNU_SOURCE
#include "pylstm.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MOST_ROUNDS = 1 << 16, NOPS = 3000, CHAIN_TURNS = 2000 };

/* Of the best speed of the nops: above, undisturbed. */
static const double undisturbed = 0.95;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pin(int core) /* to both where it is negative */
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    for (int c = 0; c < 2; c++)
        if (core < 0 || core == c)
            CPU_SET((size_t)c, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
}

/* Nops per second, about 10 microseconds of them. */
static double decoder_speed(void)
{
    long n = NOPS;
    double start = now();
    __asm__ volatile("1:\n.rept 60\nnop\n.endr\ndec %0\njnz 1b\n" : "+r"(n));
    return NOPS * 60 / (now() - start);
}

/* FLOPs per second of ten independent chains of FMAs. */
static double chains_speed(void)
{
    long n = CHAIN_TURNS;
    double start = now();
    __asm__ volatile("vxorps %%ymm12, %%ymm12, %%ymm12\n"
                     "1:\n"
                     ".irp chain,0,1,2,3,4,5,6,7,8,9\n"
                     "vfmadd231ps %%ymm12, %%ymm12, %%ymm\\chain\n"
                     ".endr\n"
                     "dec %0\n"
                     "jnz 1b\n"
                     : "+r"(n)
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm12");
    return CHAIN_TURNS * 10 * 16.0 / (now() - start);
}

static void *decoder_of_core_1(void *speed)
{
    pin(1);
    *(double *)speed = decoder_speed();
    *(double *)speed = decoder_speed(); /* the first one woke it */
    return NULL;
}

/* Of both cores, at the same time. */
static void decoder_speeds(double speeds[2])
{
    pthread_t thread;
    speeds[1] = 0;
    pin(0);
    bool started = pthread_create(&thread, NULL, decoder_of_core_1, &speeds[1]) == 0;
    decoder_speed();
    speeds[0] = decoder_speed();
    if (started)
        pthread_join(thread, NULL);
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

static void *zeros(size_t bytes)
{
    const size_t page = 2 << 20;
    void *memory = aligned_alloc(page, (bytes / page + 1) * page);
    if (!memory)
        exit(1);
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memset(memory, 0, bytes);
}

static float *random_floats(ptrdiff_t n, float scale)
{
    float *values = zeros((size_t)n * sizeof *values);
    for (ptrdiff_t k = 0; k < n; k++)
        values[k] = scale * (2 * (float)rand() / (float)RAND_MAX - 1);
    return values;
}

static pylstm_memory room(size_t bytes)
{
    return (pylstm_memory){zeros(bytes), bytes};
}

/* The same net on one thread and on two. */
struct job {
    pylstm_net net;
    pylstm_memory packed, tape, forward, backward;
};

static bool trains;
static pylstm_batch batch;
static float *parameters, *x, *state, *y, *dy, *dparameters, *dx;

static void prepare(struct job *job, ptrdiff_t input, ptrdiff_t *hidden, int n_threads)
{
    size_t bytes;
    job->net = (pylstm_net){.dtype = PYLSTM_FLOAT32, .input_size = input, .n_layers = 1, .hidden_sizes = hidden};
    job->net.n_directions = 1;
    job->net.isa = PYLSTM_ISA_BEST;
    job->net.n_threads = n_threads;
    if (!pylstm_forward_size(&job->net, &batch.shape, &bytes))
        job->forward = room(bytes);
    if (trains && !pylstm_tape_size(&job->net, &batch.shape, &bytes))
        job->tape = room(bytes);
    if (trains && !pylstm_backward_size(&job->net, &batch.shape, &bytes))
        job->backward = room(bytes);
    if (!trains && !pylstm_packed_size(&job->net, &bytes))
        job->packed = room(bytes);
    if (!trains)
        pylstm_pack(&job->net, parameters, job->packed);
}

static double seconds_of(struct job *job)
{
    double start = now();
    int status = pylstm_forward(&job->net, &(pylstm_forward_pass){.batch = &batch,
                                                                  .parameters = parameters,
                                                                  .packed = job->packed,
                                                                  .x = x,
                                                                  .state_in = state,
                                                                  .y = y,
                                                                  .tape = job->tape,
                                                                  .workspace = job->forward});
    if (!status && trains)
        status = pylstm_backward(&job->net, &(pylstm_backward_pass){.batch = &batch,
                                                                    .parameters = parameters,
                                                                    .dy = dy,
                                                                    .dparameters = dparameters,
                                                                    .dx = dx,
                                                                    .tape = job->tape,
                                                                    .workspace = job->backward});
    double seconds = now() - start;
    if (status) {
        fprintf(stderr, "%s\n", pylstm_strerror(status));
        exit(1);
    }
    return seconds;
}

static int by_size(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static double decile(double *values, int n, int which)
{
    qsort(values, (size_t)n, sizeof *values, by_size);
    return n ? values[n * which / 10] : 0;
}

static double decoders[2 * MOST_ROUNDS], shares[2 * MOST_ROUNDS], gains[MOST_ROUNDS], chosen[2 * MOST_ROUNDS];

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: undisturbed infer|train INPUT HIDDEN SEQUENCES STEPS [SECONDS]\n");
        return 2;
    }
    trains = argv[1][0] == 't';
    ptrdiff_t input = atol(argv[2]), hidden = atol(argv[3]), n_sequences = atol(argv[4]), n_steps = atol(argv[5]);
    double seconds = argc > 6 ? atof(argv[6]) : 10;
    ptrdiff_t n_rows = n_sequences * n_steps, n_parameters = 4 * hidden * (input + hidden + 1);
    ptrdiff_t *lengths = zeros((size_t)n_sequences * sizeof *lengths);
    for (ptrdiff_t b = 0; b < n_sequences; b++)
        lengths[b] = n_steps;
    pylstm_shape shape;
    size_t bytes;
    if (pylstm_shape_init(&shape, n_sequences, lengths) || pylstm_batch_size(&shape, &bytes) ||
        pylstm_batch_init(&batch, n_sequences, lengths, zeros(bytes), bytes))
        return 1;
    parameters = random_floats(n_parameters, 0.1f), dparameters = random_floats(n_parameters, 0);
    x = random_floats(n_rows * input, 1), dx = random_floats(n_rows * input, 0);
    y = random_floats(n_rows * hidden, 0), dy = random_floats(n_rows * hidden, 1);
    state = random_floats(2 * n_sequences * hidden, 0.5f);
    struct job one = {0}, two = {0};
    prepare(&one, input, &hidden, 1);
    prepare(&two, input, &hidden, 2);

    double flops = 8.0 * (double)(hidden * (input + hidden) * n_rows) * (trains ? 3 : 1);
    double peak = 0, fastest = 0, end = now() + seconds;
    int n_rounds = 0;
    for (; now() < end && n_rounds < MOST_ROUNDS; n_rounds++) {
        double before[2], after[2], on_core[2];
        decoder_speeds(before);
        for (int core = 0; core < 2; core++) {
            pin(core);
            peak = greater(peak, chains_speed());
            seconds_of(&one); /* its cache */
            on_core[core] = seconds_of(&one);
        }
        decoder_speeds(after);
        pin(-1);
        seconds_of(&two);
        gains[n_rounds] = (on_core[0] + on_core[1]) / 2 / seconds_of(&two);
        for (int core = 0; core < 2; core++) {
            fastest = greater(fastest, greater(before[core], after[core]));
            decoders[2 * n_rounds + core] = before[core] < after[core] ? before[core] : after[core];
            shares[2 * n_rounds + core] = flops / on_core[core];
        }
    }
    printf("chains: %.1f GFLOP/s; nops: %.1f G/s\n", peak * 1e-9, fastest * 1e-9);
    for (int alone = 1; alone >= 0; alone--) {
        int n = 0;
        for (int k = 0; k < 2 * n_rounds; k++)
            if ((decoders[k] >= undisturbed * fastest) == alone)
                chosen[n++] = 100 * shares[k] / peak;
        double middle = decile(chosen, n, 5);
        printf("one thread, %s: median %.1f%% of the chains, of %d\n", alone ? "undisturbed" : "disturbed", middle, n);
    }
    double middle = decile(gains, n_rounds, 5);
    printf("two threads over one: median %.2f, highest tenth %.2f, of %d\n", middle, decile(gains, n_rounds, 9),
           n_rounds);
    return 0;
}
