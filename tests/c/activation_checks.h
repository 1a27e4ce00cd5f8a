/* How far the kernels' tanh and sigmoid are from the true values, in units in the last place. Included once per dtype,
 * after PYLSTM_REAL_BITS is defined, by the tests and by tests/slow/activations.c. */
#ifndef ACTIVATION_CHECKS_H
#define ACTIVATION_CHECKS_H

#include "kernels/isa.h"

#include "check.h"

#include <float.h>

/* The true values come from libm in a wider type, whose own error is below a thousandth of an ulp of `real`. */
#if PYLSTM_REAL_BITS == 32
typedef uint32_t pattern;
typedef double wider;
#define WIDE(function) function
#define DIGITS FLT_MANT_DIG
#define LEAST_EXPONENT FLT_MIN_EXP
#else
typedef uint64_t pattern;
typedef long double wider;
#define WIDE(function) function##l
#define DIGITS DBL_MANT_DIG
#define LEAST_EXPONENT DBL_MIN_EXP
#endif

enum { N_FUNCTIONS = 2, CHUNK = 4096 }; /* a multiple of all lanes */
#define MAX_ULP 4.0

static const char *const FUNCTION_NAMES[N_FUNCTIONS] = {"tanh", "sigmoid"};

struct worst {
    double ulp;
    real x;
    long long n_wrong; /* values that break an exact rule: see follows_rules() */
    real wrong;        /* one of them */
};

static struct worst worst_of[PYLSTM_N_ISA][N_FUNCTIONS];

static real real_of(pattern bits_of_x)
{
    real x;
    memcpy(&x, &bits_of_x, sizeof x);
    return x;
}

static pattern pattern_of(real x)
{
    pattern bits_of_x;
    memcpy(&bits_of_x, &x, sizeof x);
    return bits_of_x;
}

static void run(const struct kernels *kernels, int function, ptrdiff_t n, const real *in, real *out)
{
    (function == 0 ? kernels->tanh : kernels->sigmoid)(n, in, out);
}

static wider exact_value(int function, real x)
{
    if (function == 0)
        return WIDE(tanh)((wider)x);
    wider t = WIDE(exp)(-WIDE(fabs)((wider)x));
    return (x < 0 ? t : 1) / (1 + t);
}

/* The distance of neighbours in `real` at this value: 2^(e - DIGITS) for |value| in [2^(e-1), 2^e), and among denormals
 * (and at 0) the smallest one's. */
static double ulp_at(wider value)
{
#if PYLSTM_REAL_BITS == 32
    /* what the other branch computes, quickly enough for 2^32 values */
    uint64_t exponent;
    double ulp;
    memcpy(&exponent, &value, sizeof value);
    exponent = exponent >> (DBL_MANT_DIG - 1) & (2 * DBL_MAX_EXP - 1);
    uint64_t least = LEAST_EXPONENT + DBL_MAX_EXP - 2;
    exponent = (exponent < least ? least : exponent) - (DIGITS - 1);
    exponent <<= DBL_MANT_DIG - 1;
    memcpy(&ulp, &exponent, sizeof ulp);
    return ulp;
#else
    int e = LEAST_EXPONENT;
    if (value != 0)
        WIDE(frexp)(value, &e);
    return ldexp(1, (e < LEAST_EXPONENT ? LEAST_EXPONENT : e) - DIGITS);
#endif
}

/* Exact at every x: NaN for NaN and only there, values in [-1, 1] and [0, 1], tanh odd to the bit. */
static int follows_rules(int function, real x, real y, real y_of_minus_x)
{
    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y);
    if (function == 0)
        return y >= -1 && y <= 1 && pattern_of(y_of_minus_x) == pattern_of(-y);
    return y >= 0 && y <= 1;
}

static void measure_one(int function, const struct kernels *kernels, const real *in, const wider *exact,
                        struct worst *worst)
{
    real minus[CHUNK], out[CHUNK], mirrored[CHUNK];
    for (ptrdiff_t k = 0; k < CHUNK; k++)
        minus[k] = -in[k];
    run(kernels, function, CHUNK, in, out);
    run(kernels, function, CHUNK, minus, mirrored);
    for (ptrdiff_t k = 0; k < CHUNK; k++) {
        if (!follows_rules(function, in[k], out[k], mirrored[k])) {
            worst->n_wrong++;
            worst->wrong = in[k];
        }
        wider error = ((wider)out[k] - exact[k]) / (wider)ulp_at(exact[k]);
        double ulp = (double)(error < 0 ? -error : error);
        if (ulp > worst->ulp) { /* not if one is NaN: then the rules decide */
            worst->ulp = ulp;
            worst->x = in[k];
        }
    }
}

/* Both functions at in [CHUNK], of every instruction set of the mask (bit k: isa k). */
static void measure(unsigned isas, const real *in)
{
    wider exact[CHUNK];
    for (int function = 0; function < N_FUNCTIONS; function++) {
        for (ptrdiff_t k = 0; k < CHUNK; k++)
            exact[k] = exact_value(function, in[k]);
        for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
            if (isas >> isa & 1)
                measure_one(function, NAME(kernels)((pylstm_isa)isa), in, exact, &worst_of[isa][function]);
    }
}

static unsigned available_isas(void)
{
    unsigned isas = 0;
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        if (is_tested(isa))
            isas |= 1u << isa;
    return isas;
}

static void report_worst(unsigned isas)
{
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++) {
        for (int function = 0; function < N_FUNCTIONS && isas >> isa & 1; function++) {
            const struct worst *worst = &worst_of[isa][function];
            printf("float%d %-8s %-7s: %.3f ulp at %a\n", PYLSTM_REAL_BITS, pylstm_isa_name(isa),
                   FUNCTION_NAMES[function], worst->ulp, (double)worst->x);
            if (worst->n_wrong > 0)
                printf("%lld values break exact rules, one at %a\n", worst->n_wrong, (double)worst->wrong);
            CHECK(worst->ulp <= MAX_ULP);
            CHECK(worst->n_wrong == 0);
        }
    }
}

/* -------------------------------------------------------- where to measure */

/* Patterns k * 2^skip, each with its `skip` low bits at random: all exponents and signs, NaN, infinities. */
static void measure_patterns(unsigned isas, int skip)
{
#if PYLSTM_REAL_BITS == 32
    real in[CHUNK];
    uint64_t step = (uint64_t)1 << skip;
    for (uint64_t from = 0; from < (uint64_t)1 << 32; from += CHUNK * step) {
        for (uint64_t k = 0; k < CHUNK; k++) {
            uint64_t low = skip ? (uint64_t)((draw() + 1) / 2 * (double)step) : 0;
            in[k] = real_of((pattern)(from + k * step + low));
        }
        measure(isas, in);
    }
#else
    (void)isas, (void)skip;
#endif
}

static uint64_t random_bits(void)
{
    uint64_t high = (uint64_t)((draw() + 1) * 0x1p30), middle = (uint64_t)((draw() + 1) * 0x1p30);
    return high << 33 ^ middle << 16 ^ (uint64_t)((draw() + 1) * 0x1p30);
}

static double between(double low, double high)
{
    return low + (high - low) * ((double)(random_bits() >> 11) * 0x1p-53);
}

/* Where float64 could go wrong, by kind. */
static double sample(long long kind)
{
    double sign = draw() < 0 ? -1 : 1;
    switch (kind) {
    case 0: /* any pattern */
        return (double)real_of((pattern)random_bits());
    case 1:
        return between(-25, 25);
    case 2: /* near zero, all exponents */
        return sign * exp2(between(-70, 3));
    case 3: /* the sigmoid's left tail, from the normals into the denormals */
        return between(-747, -690);
    case 4: /* before saturation */
        return sign * between(17, 46);
    default: /* around the ends of the argument reduction, of tanh and of sigmoid */
        return (floor(between(-60, 60)) + 0.5) * log(2) * (draw() < 0 ? 0.5 : 1) * (1 + draw() * 0x1p-30);
    }
}

static void measure_samples(unsigned isas, long long n)
{
    enum { N_KINDS = 6 };
    real in[CHUNK];
    for (long long done = 0; done < n; done += CHUNK) {
        for (ptrdiff_t k = 0; k < CHUNK; k++)
            in[k] = (real)sample((done + k) % N_KINDS);
        measure(isas, in);
    }
}

#endif
