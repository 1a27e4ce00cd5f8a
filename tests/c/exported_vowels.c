/* Runs an exported model over the test utterances of the Japanese vowels, and compares with what pylstm predicts; on
 * an emulated Cortex-M4 or on Linux. tests/cortex_m4.sh compiles it:
 * MODEL_FILE and CASES_FILE are what tests/export_vowels.py wrote. */
#include "device.h"

#include <stdio.h>

#define vowels_HEADER
#include MODEL_FILE

#include CASES_FILE

enum { N_CASES = sizeof lengths / sizeof *lengths, STACK = 64 * sizeof(void *) };

static int largest(const float *values)
{
    int best = 0;
    for (int j = 1; j < vowels_output_size; j++)
        if (values[j] > values[best])
            best = j;
    return best;
}

int main(void)
{
    static vowels_state state;
    float y[vowels_output_size] = {0}, difference = 0;
    const float *x = inputs;
    int n_equal = 0, stack = 0;
    for (int k = 0; k < N_CASES; k++) {
        const float *probabilities = expected + k * vowels_output_size;
        vowels_reset(&state);
        for (int t = 0; t < lengths[k]; t++, x += vowels_input_size) {
            int written;
            STACK_OF(vowels_step(&state, x, y), written);
            if (written > stack)
                stack = written;
        }
        n_equal += largest(y) == largest(probabilities);
        for (int j = 0; j < vowels_output_size; j++) {
            float d = y[j] < probabilities[j] ? probabilities[j] - y[j] : y[j] - probabilities[j];
            if (!(d <= difference))
                difference = d;
        }
    }
    printf("%d of %d predictions equal, probabilities within %.1e, state %d bytes", n_equal, (int)N_CASES,
           (double)difference, (int)sizeof state);
    if (stack > 0)
        printf(", stack %d", stack);
    int passed = n_equal == N_CASES && difference <= bound && stack <= STACK;
    printf("%s\n", passed ? "" : ": FAILED");
    return !passed;
}
