/* The limits of one core: FMA peak and read bandwidth by working set. roofline.py compiles it with -DVECTOR_BYTES=...
 * and starts one process per core.
 *
 *     roofline peak          GFLOP/s, float32
 *     roofline read BYTES    GB/s, reading an array of that size again and again
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef float vector __attribute__((vector_size(VECTOR_BYTES)));

/* Enough independent chains to hide the latency of two FMA units; with the two factors they fit 16 registers. */
enum { LANES = VECTOR_BYTES / 4, CHAINS = 12, TRIES = 200 };

static const double seconds_per_try = 0.001; /* short: some fall between the slices that others take of the core */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static volatile vector sink; /* whole vectors, or the compiler may compute one lane only */

static double fma_flops(void)
{
    const size_t steps = 10000;
    volatile float unknown = 0.5f; /* or the compiler computes the result itself */
    const vector factor = unknown - (vector){0}, term = factor;
    vector chain[CHAINS];
    for (int k = 0; k < CHAINS; k++)
        chain[k] = factor + (float)k;
    for (size_t s = 0; s < steps; s++)
        for (int k = 0; k < CHAINS; k++)
            chain[k] = chain[k] * factor + term;
    for (int k = 0; k < CHAINS; k++)
        sink = chain[k];
    return 2.0 * LANES * CHAINS * (double)steps;
}

static double read_bytes(const vector *array, size_t bytes)
{
    vector sum[8] = {{0}};
    const size_t n = bytes / sizeof(vector);
    for (size_t j = 0; j < n; j += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += array[j + k];
    for (size_t k = 0; k < 8; k++)
        sink = sum[k];
    return (double)(n * sizeof(vector));
}

int main(int argc, char **argv)
{
    const int reads = argc == 3 && strcmp(argv[1], "read") == 0;
    if (!reads && !(argc == 2 && strcmp(argv[1], "peak") == 0))
        return 2;
    const size_t bytes = reads ? strtoul(argv[2], NULL, 10) / 4096 * 4096 : 0;
    vector *array = reads ? aligned_alloc(4096, bytes) : NULL;
    if (reads && array == NULL)
        return 1;
    if (reads)
        memset(array, 0, bytes);

    double best = 0;
    for (int i = 0; i < TRIES; i++) {
        double work = 0, start = now(), elapsed;
        do {
            work += reads ? read_bytes(array, bytes) : fma_flops();
            elapsed = now() - start;
        } while (elapsed < seconds_per_try);
        if (work / elapsed > best)
            best = work / elapsed;
    }
    printf("%.2f\n", best / 1e9);
    free(array);
    return 0;
}
