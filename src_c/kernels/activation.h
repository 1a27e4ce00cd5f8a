/* tanh and the logistic function in vector form, within 4 ulp over every float32 (tests/slow/) and sampled float64;
 * exact at 0 and in saturation, NaN for NaN. The same operations in the same order for every vector width. */
#ifndef PYLSTM_ACTIVATION_H
#define PYLSTM_ACTIVATION_H

#include "kernels/vector.h"

/* Q of expm1(r) = r + r^2 Q(r) on |r| <= ln(2) / 2, interpolated at Chebyshev nodes; relative error of expm1 below
 * 2.4e-8 and 5.3e-19. LN2_HIGH has so many trailing zeros that n LN2_HIGH is exact. */
#if PYLSTM_REAL_BITS == 32
#define EXPONENT_BITS 23
#define EXPONENT_BIAS 127
#define ROUND_MAGIC 12582912.0f
#define EXP_POWER 63
#define EXP_SCALE 1.08420217e-19f
#define LOG2_E 1.44269502f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -0.000212194442f
#define TANH_END 20.0f
#define SIGMOID_END 104.0f
#define SIGN_BIT INT32_MIN
static const real EXPM1_Q[] = {0.5f, 0.166665769897f, 0.0416665546172f, 0.00836317905272f, 0.00139261835877f};
#else
#define EXPONENT_BITS 52
#define EXPONENT_BIAS 1023
#define ROUND_MAGIC 0x1.8p52
#define EXP_POWER 511
#define EXP_SCALE 0x1p-511
#define LOG2_E 0x1.71547652b82fep+0
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW 0x1.ef35793c7673p-45
#define TANH_END 44.0
#define SIGMOID_END 746.0
#define SIGN_BIT INT64_MIN
static const real EXPM1_Q[] = {
    0.5,
    0.16666666666666670991,
    0.041666666666666669755,
    0.0083333333333261351258,
    0.0013888888888883748305,
    0.00019841269874820625271,
    0.000024801587325547741216,
    2.755725540020642443e-6,
    2.7557273643110295328e-7,
    2.5105217004720745164e-8,
    2.0914686968086877233e-9,
};
#endif

/* y = n ln 2 + r, with y in [-SIGMOID_END, 0]; e^r = 1 + r + r^2 q. Before `reduce` r is y. `shifted` is n + magic, in
 * whose last bits n stands as the exponent of 2^(n + power). Every power is odd, as the exponent's bias is: so magic is
 * even, and halves are rounded as by ROUND_MAGIC. */
struct reduced {
    vec r, q, whole, shifted; /* whole is n */
    real magic;
};

#define MAGIC(power) ((real)ROUND_MAGIC + (EXPONENT_BIAS + (power)))

/* n = shifted - magic. A compiler that may reorder floats (-ffast-math) takes that for what shifted was made of, and
 * x87 has not rounded it. So a vector is `rounded` before, and of one lane the bits are taken. */
VEC_INLINE vec whole_of(vec shifted, real magic)
{
#if PYLSTM_VECTOR_BYTES > 0 && defined(__GNUC__)
    return shifted - splat(magic);
#else
    return (real)(AS_BITS(shifted) - AS_BITS(magic));
#endif
}

VEC_INLINE struct reduced to_reduce(vec y, real magic)
{
    struct reduced e;
    e.r = y;
    e.magic = magic;
    return e;
}

/* Of several y at once, one operation of each after the other: each would have to wait for its own last one. */
VEC_INLINE void reduce(int count, struct reduced *e)
{
    enum { DEGREE = sizeof EXPM1_Q / sizeof *EXPM1_Q - 1 };
    UNROLL
    for (int j = 0; j < count; j++)
        e[j].shifted = rounded(e[j].r * splat((real)LOG2_E) + splat(e[j].magic));
    UNROLL
    for (int j = 0; j < count; j++)
        e[j].whole = whole_of(e[j].shifted, e[j].magic);
    UNROLL
    for (int j = 0; j < count; j++)
        e[j].r -= e[j].whole * splat((real)LN2_HIGH);
    UNROLL
    for (int j = 0; j < count; j++)
        e[j].r -= e[j].whole * splat((real)LN2_LOW);
    UNROLL
    for (int j = 0; j < count; j++)
        e[j].q = splat(EXPM1_Q[DEGREE]);
    UNROLL
    for (int k = DEGREE - 1; k >= 0; k--) {
        UNROLL
        for (int j = 0; j < count; j++)
            e[j].q = e[j].q * e[j].r + splat(EXPM1_Q[k]);
    }
}

/* 2^(n + power) */
VEC_INLINE vec power_of_two(struct reduced e)
{
    return AS_REAL((ivec)((uvec)AS_BITS(e.shifted) << EXPONENT_BITS));
}

/* e^y for y <= 0, down into the denormals, which are rounded but once: 2^n itself may be none. */
VEC_INLINE struct reduced exp_argument(vec y)
{
    return to_reduce(at_least(splat(-(real)SIGMOID_END), y), MAGIC(EXP_POWER));
}

VEC_INLINE vec exp_from(struct reduced y)
{
    vec exp_r = (y.q * y.r + splat(1)) * y.r + splat(1);
#if PYLSTM_VECTOR_BYTES == 64 && PYLSTM_REAL_BITS == 32
    return (vec)_mm512_scalef_ps((__m512)exp_r, (__m512)y.whole); /* the same in one */
#else
    return exp_r * power_of_two(y) * splat((real)EXP_SCALE);
#endif
}

/* Where code is to be small, there is one copy of each of these. */
#if defined(__OPTIMIZE_SIZE__) && PYLSTM_VECTOR_BYTES == 0
#define VEC_ONCE VEC_APART
#else
#define VEC_ONCE VEC_INLINE
#endif

VEC_ONCE vec vec_exp(vec y)
{
    struct reduced parts = exp_argument(y);
    reduce(1, &parts);
    return exp_from(parts);
}

/* tanh(|x|) = e / (2 - e) with e = -expm1(y), y = -2|x|: no cancellation, one division. Of 2^(n + 1), it is 2e. */
VEC_INLINE struct reduced tanh_argument(vec x)
{
    return to_reduce(at_least(splat(-(real)TANH_END), splat(-2) * AS_REAL(AS_BITS(x) & ~SIGN_BIT)), MAGIC(1));
}

VEC_INLINE vec tanh_from(vec x, struct reduced y)
{
    vec expm1_r = y.r * y.r * y.q + y.r, scale = power_of_two(y);
    vec twice_e = (splat(2) - scale) - scale * expm1_r;
    return AS_REAL(AS_BITS(quotient(twice_e, splat(4) - twice_e)) ^ (AS_BITS(x) & SIGN_BIT));
}

VEC_ONCE vec vec_tanh(vec x)
{
    struct reduced parts = tanh_argument(x);
    reduce(1, &parts);
    return tanh_from(x, parts);
}

/* 1 / (1 + t) for x >= 0, t / (1 + t) for x < 0, with t = e^y, y = -|x|. */
VEC_INLINE struct reduced sigmoid_argument(vec x)
{
    return exp_argument(AS_REAL(AS_BITS(x) | SIGN_BIT));
}

VEC_INLINE vec sigmoid_of_exp(vec x, vec t)
{
    return quotient(where_negative(x, t, splat(1)), t + splat(1));
}

VEC_INLINE vec sigmoid_from(vec x, struct reduced y)
{
    return sigmoid_of_exp(x, exp_from(y));
}

VEC_ONCE vec vec_sigmoid(vec x)
{
    return sigmoid_of_exp(x, vec_exp(sigmoid_argument(x).r));
}

#if defined(__OPTIMIZE_SIZE__) && PYLSTM_VECTOR_BYTES == 0 /* for all that would be worked out side by side, too */
#define reduce(count, e) ((void)(e))
#define tanh_from(x, y) vec_tanh(x)
#define sigmoid_from(x, y) vec_sigmoid(x)
#endif

#endif
