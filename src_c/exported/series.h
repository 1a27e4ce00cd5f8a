/* What forecasters do to the values of a series, in double and without libm. The exported file says by EXPORTED_LOG and
 * EXPORTED_SQRT which transforms there are, and by EXPORTED_X, x_mean and x_scale how many numbers are known beside
 * each value, and what scales them. */
#ifndef PYLSTM_EXPORTED_SERIES_H
#define PYLSTM_EXPORTED_SERIES_H

#include "exported/math.h"

enum { TRANSFORM_NONE, TRANSFORM_LOG, TRANSFORM_SQRT };

/* By the bits, as all_finite. */
static inline bool is_finite(double value)
{
    uint64_t b;
    memcpy(&b, &value, sizeof b);
    return (b >> 52 & 0x7ff) != 0x7ff;
}

/* As log_of in math.h; of p > 0, denormals too. */
VEC_APART double log_in_double(double p)
{
    static const double ODD[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11,
                                 1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
    const int64_t root_half = 0x3fe6a09e667f3bcd;
    int n = 0;
    if (p < DBL_MIN) {
        p *= 18014398509481984.0; /* 2^54 */
        n = -54;
    }
    int64_t b;
    memcpy(&b, &p, sizeof b);
    const int more = (int)((b - root_half) >> 52);
    b -= more * ((int64_t)1 << 52);
    memcpy(&p, &b, sizeof p);
    const double z = (p - 1) / (p + 1), zz = z * z;
    double series = 0;
    for (int k = sizeof ODD / sizeof *ODD - 1; k >= 0; k--)
        series = zz * (ODD[k] + series);
    return (n + more) * 0.69314718055994530942 + 2 * (z + z * series);
}

/* 2^n of a normal one. */
static inline double two_to_the(int n)
{
    const uint64_t b = (uint64_t)(n + 1023) << 52;
    double power;
    memcpy(&power, &b, sizeof power);
    return power;
}

/* e^y = 2^n e^r with |r| <= ln(2) / 2, and e^r by Taylor's series. */
VEC_APART double exp_in_double(double y)
{
    static const double PARTS[] = {1.0,     1.0 / 2, 1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6, 1.0 / 7,
                                   1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13};
    y = y < 720 ? y : 720; /* beyond, it is infinite, and 0 */
    y = y > -760 ? y : -760;
    const int n = (int)(y * 1.44269504088896340736 + (y < 0 ? -0.5 : 0.5));
    const double r = y - n * 6.93147180369123816490e-1 - n * 1.90821492927058770002e-10;
    double power = 1;
    for (int k = sizeof PARTS / sizeof *PARTS - 1; k >= 0; k--)
        power = 1 + power * r * PARTS[k];
    return power * two_to_the(n / 2) * two_to_the(n - n / 2);
}

/* By Heron's method from a guess that is within 6 %; of squares >= 0. */
VEC_APART double root_in_double(double squares)
{
    uint64_t b;
    memcpy(&b, &squares, sizeof b);
    b = (b >> 1) + ((uint64_t)1023 << 51);
    double root;
    memcpy(&root, &b, sizeof root);
    for (int k = 0; k < 4; k++)
        root = (root + squares / root) / 2;
    return squares > 0 ? root : 0;
}

static inline double transformed(int transform, double value)
{
    if (EXPORTED_LOG && transform == TRANSFORM_LOG)
        return log_in_double(value);
    if (EXPORTED_SQRT && transform == TRANSFORM_SQRT)
        return root_in_double(value);
    return value;
}

static inline double as_it_was(int transform, double value)
{
    if (EXPORTED_LOG && transform == TRANSFORM_LOG)
        return exp_in_double(value);
    if (EXPORTED_SQRT && transform == TRANSFORM_SQRT)
        return value > 0 ? value * value : 0;
    return value;
}

/* Whether a value is one that all transforms take, and what is known beside it, x [EXPORTED_X], finite. */
static inline bool is_welcome(double value, const double *x)
{
#if EXPORTED_X > 0
    for (int k = 0; k < EXPORTED_X; k++)
        if (!is_finite(x[k]))
            return false;
#else
    (void)x;
#endif
    return is_finite(value) && !(EXPORTED_LOG && value <= 0) && !(EXPORTED_SQRT && value < 0);
}

/* A row of x [n][EXPORTED_X] as the net reads it: what never varied, as 0. */
static inline void scale_x(const double *x, int row, real *scaled)
{
#if EXPORTED_X > 0
    x += row * EXPORTED_X;
    for (int k = 0; k < EXPORTED_X; k++)
        scaled[k] = x_scale[k] > 0 ? (real)((x[k] - x_mean[k]) / x_scale[k]) : 0;
#else
    (void)x, (void)row, (void)scaled;
#endif
}

#endif
