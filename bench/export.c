/* Prints the seconds per step of the exported model that is included before this file. */
#include <stdio.h>
#include <time.h>

enum { STEPS = 4096, TRIES = 500 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
    static float x[STEPS][model_input_size], y[STEPS][model_output_size];
    static model_state state;
    unsigned random = 1;
    for (int t = 0; t < STEPS; t++)
        for (int k = 0; k < model_input_size; k++) {
            random = random * 1664525u + 1013904223u;
            x[t][k] = (float)(random >> 8) / 8388608.0f - 1.0f;
        }
    double best = 1e9;
    for (int i = 0; i < TRIES; i++) {
        double start = now(), elapsed;
        for (int t = 0; t < STEPS; t++)
            model_step(&state, x[t], y[t]);
        elapsed = now() - start;
        if (elapsed < best)
            best = elapsed;
    }
    printf("%.4g\n", best / STEPS);
    return y[STEPS - 1][0] == 12345.0f; /* the outputs are used */
}
