/* How much of a core, and of two, a call takes when nobody else is on them: for machines shared with others.
 *
 * Another hardware thread of the same core takes every other turn of its decoder. FMA chains, which need two
 * instructions a cycle, hardly notice; a loop of six does at once. So before and after each call a loop of nops is
 * timed on each core: where it ran at its best speed, at least then the core was the call's alone.
 *
 *     make -C src_c && cc -O2 -std=gnu11 -Isrc_c bench/undisturbed.c src_c/build/libpylstm.a -lm -lpthread -o
 * undisturbed
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

/* The slower one of the decoders of both cores, at the same time. */
static double slower_decoder(void)
{
    pthread_t thread;
    double other = 0;
    pin(0);
    bool started = pthread_create(&thread, NULL, decoder_of_core_1, &other) == 0;
    double speed = decoder_speed();
    speed = decoder_speed();
    if (started)
        pthread_join(thread, NULL);
    return speed < other ? speed : other;
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
    int status =
        pylstm_forward(&job->net, &batch, parameters, job->packed, x, state, y, NULL, 0, job->tape, job->forward);
    if (!status && trains)
        status = pylstm_backward(&job->net, &batch, parameters, dy, NULL, dparameters, dx, NULL, 0, job->tape,
                                 job->backward);
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

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_size);
    return n ? values[n / 2] : 0;
}

static double decoders[MOST_ROUNDS], shares[MOST_ROUNDS], gains[MOST_ROUNDS], chosen[MOST_ROUNDS];

static void report(const char *what, const double *values, int n_rounds, double best)
{
    for (int alone = 1; alone >= 0; alone--) {
        int n = 0;
        for (int k = 0; k < n_rounds; k++)
            if ((decoders[k] >= undisturbed * best) == alone)
                chosen[n++] = values[k];
        printf("%s, %s: %.2f, median of %d\n", what, alone ? "undisturbed" : "disturbed", median(chosen, n), n);
    }
}

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
    double peak = 0, best = 0, end = now() + seconds;
    int n_rounds = 0;
    for (; now() < end && n_rounds < MOST_ROUNDS; n_rounds++) {
        double before = slower_decoder(), on_core[2];
        for (int core = 0; core < 2; core++) {
            pin(core);
            double chains = chains_speed();
            peak = chains > peak ? chains : peak;
            seconds_of(&one); /* its cache */
            on_core[core] = seconds_of(&one);
        }
        pin(-1);
        seconds_of(&two);
        double together = seconds_of(&two), after = slower_decoder();
        decoders[n_rounds] = before < after ? before : after;
        best = decoders[n_rounds] > best ? decoders[n_rounds] : best;
        shares[n_rounds] = 2 * flops / (on_core[0] + on_core[1]);
        gains[n_rounds] = (on_core[0] + on_core[1]) / 2 / together;
    }
    for (int k = 0; k < n_rounds; k++)
        shares[k] *= 100 / peak;
    printf("chains: %.1f GFLOP/s; nops: %.1f G/s\n", peak * 1e-9, best * 1e-9);
    report("one thread, % of the chains", shares, n_rounds, best);
    report("two threads over one", gains, n_rounds, best);
    return 0;
}
