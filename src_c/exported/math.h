/* What libm.h names, without libm: for exported models. */
#ifndef PYLSTM_EXPORTED_MATH_H
#define PYLSTM_EXPORTED_MATH_H

#include "kernels/activation.h"

#define EXP exp_of
#define LOG log_of
#define IS_FINITE(v) ((v) - (v) == 0)

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
    b -= n * (1 << 23);
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
    b = (b >> 1) + (127 << 22);
    float root;
    memcpy(&root, &b, sizeof root);
    for (int k = 0; k < 3; k++)
        root = (root + squares / root) / 2;
    return root;
}

#endif
