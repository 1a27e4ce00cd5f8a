/* Trains an exported model on windows of the Japanese vowels, and compares with what Python's gradients make of it; on
 * an emulated Cortex-M4 or on Linux. tests/cortex_m4.sh compiles it: MODEL_FILE and CASES_FILE are what
 * tests/export_learning.py wrote. */
#include "device.h"

#include <stdio.h>

#define vowels_HEADER
#include MODEL_FILE

#include CASES_FILE

enum {
    N_CASES = sizeof labels / sizeof *labels,
    N_WEIGHTS = sizeof expected_weights / sizeof *expected_weights,
    STACK = 64 * sizeof(void *)
};

static float distance(float a, float b)
{
    return a < b ? b - a : a - b;
}

int main(void)
{
    static vowels_model model;
    float difference = 0, first = 0, last = 0;
    int stack = 0;
    vowels_init(&model);
    for (int k = 0; k < N_CASES; k++) {
        int written;
        STACK_OF(last = vowels_learn(&model, inputs + k * vowels_window * vowels_input_size, labels[k], learning_rate),
                 written);
        if (k == 0)
            first = last;
        if (written > stack)
            stack = written;
        float d = distance(last, expected_losses[k]);
        if (!(d <= difference))
            difference = d;
    }
    for (int k = 0; k < N_WEIGHTS; k++) {
        float d = distance(model.weights[k], expected_weights[k]);
        if (!(d <= difference))
            difference = d;
    }
    float y[vowels_output_size];
    int written;
    STACK_OF(vowels_step(&model, inputs, y), written);
    if (written > stack)
        stack = written;
    printf("loss %.3f to %.3f, losses and weights within %.1e, model %d bytes", (double)first, (double)last,
           (double)difference, (int)sizeof model);
    if (stack > 0)
        printf(", stack %d", stack);
    int passed = difference <= 1e-5f && last < first && stack <= STACK;
    printf("%s\n", passed ? "" : ": FAILED");
    return !passed;
}
