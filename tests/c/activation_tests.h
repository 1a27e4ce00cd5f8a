/* The ordinary tests of tanh and sigmoid, sampled; tests/slow/ measures every float32. Included once per dtype, after
 * PYLSTM_REAL_BITS is defined. */
#ifndef ACTIVATION_TESTS_H
#define ACTIVATION_TESTS_H

#include "activation_checks.h"

#if PYLSTM_REAL_BITS == 32
#define REAL_MAX FLT_MAX
#define REAL_MIN FLT_MIN
#define REAL_LEAST FLT_TRUE_MIN
#define LEFT_END -104 /* below it, the sigmoid rounds to 0 */
#else
#define REAL_MAX DBL_MAX
#define REAL_MIN DBL_MIN
#define REAL_LEAST DBL_TRUE_MIN
#define LEFT_END -746
#endif

static real value_at(pylstm_isa isa, int function, real x)
{
    enum { MAX_LANES = 16 };
    const struct kernels *kernels = NAME(kernels)(isa);
    real in[MAX_LANES], out[MAX_LANES];
    for (ptrdiff_t k = 0; k < kernels->lanes; k++)
        in[k] = x;
    run(kernels, function, kernels->lanes, in, out);
    for (ptrdiff_t k = 1; k < kernels->lanes; k++)
        CHECK(pattern_of(out[k]) == pattern_of(out[0]));
    return out[0];
}

static void expect_exactly(pylstm_isa isa, int function, real x, real expected)
{
    real got = value_at(isa, function, x);
    if (pattern_of(got) != pattern_of(expected))
        printf("%s, float%d: %s(%a) is %a, not %a\n", pylstm_isa_name((int)isa), PYLSTM_REAL_BITS,
               FUNCTION_NAMES[function], (double)x, (double)got, (double)expected);
    CHECK(pattern_of(got) == pattern_of(expected));
}

/* To the bit: zeros, saturation and infinities. */
static void test_exact(pylstm_isa isa)
{
    const real tiny[] = {0, REAL_LEAST, 3 * REAL_LEAST, REAL_MIN, 5 * REAL_MIN};
    for (size_t k = 0; k < sizeof tiny / sizeof *tiny; k++) {
        expect_exactly(isa, 0, tiny[k], tiny[k]);
        expect_exactly(isa, 0, -tiny[k], -tiny[k]);
        expect_exactly(isa, 1, tiny[k], (real)0.5);
        expect_exactly(isa, 1, -tiny[k], (real)0.5);
    }
    const real large[] = {(real)22.5, 44, 50, 100, 1000, REAL_MAX / 2, REAL_MAX, (real)INFINITY};
    for (size_t k = 0; k < sizeof large / sizeof *large; k++) {
        expect_exactly(isa, 0, large[k], 1);
        expect_exactly(isa, 0, -large[k], -1);
        if (large[k] > 40)
            expect_exactly(isa, 1, large[k], 1);
        if (large[k] > -(real)LEFT_END)
            expect_exactly(isa, 1, -large[k], 0);
    }
    expect_exactly(isa, 1, LEFT_END, 0);
    for (int function = 0; function < N_FUNCTIONS; function++) {
        CHECK(isnan(value_at(isa, function, (real)NAN)));
        CHECK(isnan(value_at(isa, function, -(real)NAN)));
    }
}

/* The ruler itself: of what is one step away, and half a step. */
static void test_ulp(void)
{
    const real at[] = {1, (real)1.5, (real)0.75, REAL_MIN, REAL_MIN / 2, REAL_LEAST, 0};
    for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
        wider next = (wider)real_of(pattern_of(at[k]) + 1);
        CHECK((double)((next - (wider)at[k]) / (wider)ulp_at((wider)at[k])) == 1);
        CHECK((double)((next - (wider)at[k]) / (wider)ulp_at(-(wider)at[k])) == 1);
    }
    CHECK(ulp_at(1 - (wider)0x1p-60) == (PYLSTM_REAL_BITS == 32 ? (double)FLT_EPSILON : DBL_EPSILON) ||
          ulp_at(1 - (wider)0x1p-60) == (PYLSTM_REAL_BITS == 32 ? (double)FLT_EPSILON : DBL_EPSILON) / 2);
}

static void test_activations(void)
{
    unsigned isas = available_isas();
    test_ulp();
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        if (isas >> isa & 1)
            test_exact((pylstm_isa)isa);
    /* far fewer where long double, or all of it, is emulated */
    enum { EMULATED = LDBL_MANT_DIG > 64 };
    measure_patterns(isas, EMULATED ? 13 : 10);
    measure_samples(isas, EMULATED ? 100000 : 1000000);
    report_worst(isas);
}

#endif
