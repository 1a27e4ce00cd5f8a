/* What libm.h names, without libm: for exported models. */
#ifndef PYLSTM_EXPORTED_MATH_H
#define PYLSTM_EXPORTED_MATH_H

#include "kernels/activation.h"

#include <stdbool.h>

#define EXP exp_of
#define LOG log_of
#define IS_NAN is_nan

/* Whether no value [n] is infinite or NaN, by the bits: a compiler may have been told that there are no such floats. */
VEC_APART bool all_finite(ptrdiff_t n, const real *values)
{
    const int32_t largest_exponent = 0x7f800000;
    for (ptrdiff_t k = 0; k < n; k++) {
        int32_t b;
        memcpy(&b, values + k, sizeof b);
        if ((b & largest_exponent) == largest_exponent)
            return false;
    }
    return true;
}

VEC_INLINE bool is_nan(real value)
{
    int32_t b;
    memcpy(&b, &value, sizeof b);
    return (b & 0x7fffffff) > 0x7f800000;
}

/* NaN for each value [n], of bits as well. */
VEC_INLINE void no_numbers(ptrdiff_t n, real *values)
{
    memset(values, 0xff, (size_t)n * sizeof *values);
}

/* e^y for y <= 0: softmax and the losses ask for no more. */
VEC_INLINE real exp_of(real y)
{
    real lanes[LANES];
    store(lanes, vec_exp(splat(y)));
    return lanes[0];
}

/* log p for normal p > 0, with p = 2^n m, m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh((m - 1) / (m + 1)). */
VEC_INLINE float log_of(float p)
{
    int32_t b;
    memcpy(&b, &p, sizeof b);
    const int32_t root_half = 0x3f3504f3, n = (b - root_half) >> 23;
    b -= n * ((int32_t)1 << 23); /* an int may have 16 bits */
    float m;
    memcpy(&m, &b, sizeof m);
    const float z = (m - 1) / (m + 1), zz = z * z;
    const float series = zz * (1.0f / 3 + zz * (1.0f / 5 + zz * (1.0f / 7 + zz * (1.0f / 9))));
    return (float)n * 0.693147181f + 2 * (z + z * series);
}

/* The square root of normal squares, by Heron's method from a guess that is within 4 % of it. */
VEC_INLINE float root_of(float squares)
{
    int32_t b;
    memcpy(&b, &squares, sizeof b);
    b = (b >> 1) + ((int32_t)127 << 22);
    float root;
    memcpy(&root, &b, sizeof root);
    for (int k = 0; k < 3; k++)
        root = (root + squares / root) / 2;
    return root;
}

#endif
