/* Across the lanes of vectors, within quads of 128 bits: squares of weights transposed in registers, and sums. */
#ifndef PYLSTM_QUADS_H
#define PYLSTM_QUADS_H

#include "kernels/vector.h"

/* The widest square that is transposed within 128 bits. */
enum { SIDE = LANES == 1 ? 1 : (int)(16 / sizeof(real)) };

#if PYLSTM_VECTOR_BYTES > 0 && defined(__GNUC__)
typedef real quad __attribute__((vector_size(16)));

/* The lanes of the first quad of a vector, of the second, and so on. */
#if PYLSTM_REAL_BITS == 32
#define LOW_QUAD 0, 1, 2, 3
#define HIGH_QUAD 4, 5, 6, 7
#define HIGH_OCTET 8, 9, 10, 11, 12, 13, 14, 15
#else
#define LOW_QUAD 0, 1
#define HIGH_QUAD 2, 3
#define HIGH_OCTET 4, 5, 6, 7
#endif
#define LOW_OCTET LOW_QUAD, HIGH_QUAD

VEC_INLINE quad load_quad(const real *from)
{
    quad q;
    memcpy(&q, from, sizeof q);
    return q;
}

/* The quads at from, from + stride, ..., side by side. */
VEC_INLINE vec load_quads(const real *from, ptrdiff_t stride)
{
#if PYLSTM_VECTOR_BYTES == 16
    (void)stride;
    return load_quad(from);
#else
    typedef real octet __attribute__((vector_size(32)));
#define JOIN_QUADS(a, b) __builtin_shufflevector(a, b, LOW_OCTET)
#define JOIN_OCTETS(a, b) __builtin_shufflevector(a, b, LOW_OCTET, HIGH_OCTET)
    octet low = JOIN_QUADS(load_quad(from), load_quad(from + stride));
#if PYLSTM_VECTOR_BYTES == 32
    return low;
#else
    octet high = JOIN_QUADS(load_quad(from + 2 * stride), load_quad(from + 3 * stride));
    return JOIN_OCTETS(low, high);
#endif
#endif
}

#if PYLSTM_VECTOR_BYTES == 64
#define PER_QUAD(M) M(0), M(SIDE), M(2 * SIDE), M(3 * SIDE)
#elif PYLSTM_VECTOR_BYTES == 32
#define PER_QUAD(M) M(0), M(SIDE)
#else
#define PER_QUAD(M) M(0)
#endif

/* Within each quad, column j of the square of rows v[0] .. v[SIDE - 1] to v[j]. */
VEC_INLINE void transpose_quads(vec *v)
{
#if PYLSTM_REAL_BITS == 32
#define LOW(q) (q), (q) + LANES, (q) + 1, (q) + 1 + LANES
#define HIGH(q) (q) + 2, (q) + 2 + LANES, (q) + 3, (q) + 3 + LANES
#define LEFT(q) (q), (q) + 1, (q) + LANES, (q) + 1 + LANES
#define RIGHT(q) (q) + 2, (q) + 3, (q) + 2 + LANES, (q) + 3 + LANES
    vec a = __builtin_shufflevector(v[0], v[1], PER_QUAD(LOW)), b = __builtin_shufflevector(v[2], v[3], PER_QUAD(LOW));
    vec c = __builtin_shufflevector(v[0], v[1], PER_QUAD(HIGH)),
        d = __builtin_shufflevector(v[2], v[3], PER_QUAD(HIGH));
    v[0] = __builtin_shufflevector(a, b, PER_QUAD(LEFT));
    v[1] = __builtin_shufflevector(a, b, PER_QUAD(RIGHT));
    v[2] = __builtin_shufflevector(c, d, PER_QUAD(LEFT));
    v[3] = __builtin_shufflevector(c, d, PER_QUAD(RIGHT));
#else
#define LOW(q) (q), (q) + LANES
#define HIGH(q) (q) + 1, (q) + 1 + LANES
    vec a = __builtin_shufflevector(v[0], v[1], PER_QUAD(LOW)), b = __builtin_shufflevector(v[0], v[1], PER_QUAD(HIGH));
    v[0] = a;
    v[1] = b;
#endif
}

/* The upper half of the lanes added to the lower one, until a quad is left. */
VEC_INLINE quad sum_to_quad(vec v)
{
#if PYLSTM_VECTOR_BYTES == 16
    return v;
#else
    typedef real octet __attribute__((vector_size(32)));
#if PYLSTM_VECTOR_BYTES == 32
    octet sum = v;
#else
    octet sum = __builtin_shufflevector(v, v, LOW_OCTET) + __builtin_shufflevector(v, v, HIGH_OCTET);
#endif
    return __builtin_shufflevector(sum, sum, LOW_QUAD) + __builtin_shufflevector(sum, sum, HIGH_QUAD);
#endif
}

/* The sum of the lanes: the upper half added to the lower one, until one is left. */
VEC_INLINE real sum_of_lanes(vec v)
{
    quad q = sum_to_quad(v);
#if PYLSTM_REAL_BITS == 32
    return (q[0] + q[2]) + (q[1] + q[3]);
#else
    return q[0] + q[1];
#endif
}

/* The same of four vectors. */
VEC_INLINE void sums_of_lanes(const vec *v, real *sums)
{
#if PYLSTM_REAL_BITS == 32
    quad a = sum_to_quad(v[0]), b = sum_to_quad(v[1]), c = sum_to_quad(v[2]), d = sum_to_quad(v[3]);
    quad ab = __builtin_shufflevector(a, b, 0, 1, 4, 5) + __builtin_shufflevector(a, b, 2, 3, 6, 7);
    quad cd = __builtin_shufflevector(c, d, 0, 1, 4, 5) + __builtin_shufflevector(c, d, 2, 3, 6, 7);
    quad all = __builtin_shufflevector(ab, cd, 0, 2, 4, 6) + __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
    memcpy(sums, &all, sizeof all);
#else
    for (int j = 0; j < 4; j++)
        sums[j] = sum_of_lanes(v[j]);
#endif
}
#else
VEC_INLINE vec load_quads(const real *from, ptrdiff_t stride)
{
    (void)stride;
    return *from;
}

VEC_INLINE real sum_of_lanes(vec v)
{
    return v;
}

VEC_INLINE void sums_of_lanes(const vec *v, real *sums)
{
    memcpy(sums, v, 4 * sizeof *v);
}

VEC_INLINE void transpose_quads(vec *v)
{
    (void)v;
}
#endif

#endif
