/* The smallest test harness: CHECK counts failures, REPORT prints them and makes the exit code. */
#ifndef CHECK_H
#define CHECK_H

#include "pylstm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_checks, n_failures;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        n_checks++;                                                                                                    \
        if (!(condition)) {                                                                                            \
            n_failures++;                                                                                              \
            printf("%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                                       \
        }                                                                                                              \
    } while (0)

#define CHECK_STATUS(call, expected)                                                                                   \
    do {                                                                                                               \
        int status_ = (call);                                                                                          \
        n_checks++;                                                                                                    \
        if (status_ != (expected)) {                                                                                   \
            n_failures++;                                                                                              \
            printf("%s:%d: %s gave \"%s\"\n", __FILE__, __LINE__, #call, pylstm_strerror(status_));                    \
        }                                                                                                              \
    } while (0)

#define REPORT()                                                                                                       \
    (printf("%s: %d passed, %d failed\n", __FILE__, n_checks - n_failures, n_failures),                                \
     n_failures ? EXIT_FAILURE : EXIT_SUCCESS)

/* Whether an instruction set is tested: all that are there, or, with -DONLY_ISA=..., that one. Under an emulator the
 * scalars, which every machine has, would take as long again. */
static inline int is_tested(int isa)
{
#ifdef ONLY_ISA
    if (isa != ONLY_ISA)
        return 0;
#endif
    return pylstm_isa_available((pylstm_isa)isa);
}

/* Memory of exactly this size, so that the address sanitizer sees the first byte past it. */
static inline void *allocate(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory)
        abort();
    memset(memory, 0xa5, bytes); /* no test may pass because memory happened to be zero */
    return memory;
}

/* Uniform in [-1, 1), the same on every machine. */
static inline double draw(void)
{
    static unsigned long long state = 1;
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state >> 33) / (double)(1ULL << 30) - 1.0;
}

#endif
