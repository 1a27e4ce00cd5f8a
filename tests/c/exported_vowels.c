/* Runs an exported model over the test utterances of the Japanese vowels, and compares with what pylstm predicts; with
 * the memory and the start-up code of an emulated Cortex-M4, or on Linux. tests/cortex_m4.sh compiles it:
 * MODEL_FILE and CASES_FILE are what tests/export_vowels.py wrote. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define VOWELS_HEADER
#include MODEL_FILE

#include CASES_FILE

enum {
    N_CASES = sizeof lengths / sizeof *lengths,
    PAINTED = 4096,
    STACK = 512 /* which the model's comment promises */
};

/* Takes a step; returns the bytes of stack below this function that it wrote. */
static __attribute__((noinline)) int stack_of_step(vowels_state *state, const float *x, float *y)
{
    int written = 0;
#if defined(__arm__) || defined(__aarch64__)
    volatile unsigned char *stack;
    __asm__ volatile("mov %0, sp" : "=r"(stack));
    for (int k = 1; k <= PAINTED; k++)
        stack[-k] = 0xA5;
    vowels_step(state, x, y);
    for (written = PAINTED; written > 0 && stack[-written] == 0xA5;)
        written--;
#else
    vowels_step(state, x, y);
#endif
    return written;
}

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
            int written = stack_of_step(&state, x, y);
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
    int passed = n_equal == N_CASES && difference <= 2e-6f && stack <= STACK;
    printf("%s\n", passed ? "" : ": FAILED");
    return !passed;
}

#ifdef CORTEX_M4
#include <unistd.h>

extern unsigned char data_in_flash[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
void initialise_monitor_handles(void);
void start(void);

void start(void)
{
    *(volatile uint32_t *)0xE000ED88 |= (uint32_t)0xF << 20; /* CPACR: floating point on */
    __asm__ volatile("dsb\n isb");
    memcpy(data_start, data_in_flash, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    initialise_monitor_handles();
    int status = main();
    fflush(stdout);
    _exit(status);
}

static void fault(void)
{
    for (;;) {
    }
}

/* Where the stack begins, reset, NMI, and the four faults. */
__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
    (void (*)(void))stack_top, start, fault, fault, fault, fault, fault};
#endif
