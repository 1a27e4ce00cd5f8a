/* A vector of `real`, as wide as the instruction set that the file is compiled for (PYLSTM_VECTOR_BYTES), in GNU C's
 * portable vector extensions; without them, or with PYLSTM_VECTOR_BYTES of 0, a vector of one. */
#ifndef PYLSTM_VECTOR_H
#define PYLSTM_VECTOR_H

#include "real.h"

#include <string.h>

#if PYLSTM_REAL_BITS == 32
typedef int32_t bits;
typedef uint32_t unsigned_bits;
#else
typedef int64_t bits;
typedef uint64_t unsigned_bits;
#endif

#if defined(__GNUC__) && PYLSTM_VECTOR_BYTES > 0
#define LANES ((ptrdiff_t)(PYLSTM_VECTOR_BYTES / (PYLSTM_REAL_BITS / 8)))
typedef real vec __attribute__((vector_size(PYLSTM_VECTOR_BYTES)));
typedef bits ivec __attribute__((vector_size(PYLSTM_VECTOR_BYTES)));
typedef unsigned_bits uvec __attribute__((vector_size(PYLSTM_VECTOR_BYTES)));
#define VEC_INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")
#define AS_BITS(v) ((ivec)(v))
#define AS_REAL(v) ((vec)(v))

VEC_INLINE vec splat(real x)
{
    return x - (vec){0};
}

/* All bits set where a < b; none where one is NaN. */
VEC_INLINE ivec less(vec a, vec b)
{
    return a < b;
}
#else
#define LANES ((ptrdiff_t)1)
typedef real vec;
typedef bits ivec;
typedef unsigned_bits uvec;
#define VEC_INLINE static inline
#define UNROLL

VEC_INLINE ivec AS_BITS(vec v)
{
    ivec b;
    memcpy(&b, &v, sizeof b);
    return b;
}

VEC_INLINE vec AS_REAL(ivec b)
{
    vec v;
    memcpy(&v, &b, sizeof v);
    return v;
}

VEC_INLINE vec splat(real x)
{
    return x;
}

VEC_INLINE ivec less(vec a, vec b)
{
    return -(ivec)(a < b);
}
#endif

/* v, rounded before anything is added to it. Of the two products in a * b + c * d the compiler may fuse either with the
 * sum, and another one in another inlined copy of the same function; it can't see through an assembler statement. */
VEC_INLINE vec rounded(vec v)
{
#if defined(__GNUC__) && defined(__x86_64__)
    __asm__("" : "+v"(v));
#elif defined(__GNUC__) && defined(__aarch64__)
    __asm__("" : "+w"(v));
#endif
    return v;
}

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address, 0, 2)
#else
#define PREFETCH(address) ((void)(address))
#endif
enum { LINE = 64 / sizeof(real) }; /* elements in a cache line */

VEC_INLINE vec load(const real *from)
{
    vec v;
    memcpy(&v, from, sizeof v);
    return v;
}

VEC_INLINE void store(real *to, vec v)
{
    memcpy(to, &v, sizeof v);
}

/* Two operations for which an instruction set may have better than what GNU C can say. */
#if PYLSTM_VECTOR_BYTES == 64 && PYLSTM_REAL_BITS == 32
#include <immintrin.h>

VEC_INLINE vec at_least(vec low, vec v)
{
    return (vec)_mm512_max_ps((__m512)low, (__m512)v); /* the second operand where one is NaN */
}

/* The hardware's division takes as long as 32 multiplications. One Newton step from 14 bits is within an ulp or so, and
 * exact for b of 1 and 2. */
VEC_INLINE vec quotient(vec a, vec b)
{
    vec near = (vec)_mm512_rcp14_ps((__m512)b);
    return a * (near + near * (splat(1) - b * near));
}
#else
/* v where it is at least `low` or NaN, else low. */
VEC_INLINE vec at_least(vec low, vec v)
{
    ivec mask = less(v, low);
    return AS_REAL((AS_BITS(low) & mask) | (AS_BITS(v) & ~mask));
}

/* a / b for b in [1, 2]. */
VEC_INLINE vec quotient(vec a, vec b)
{
    return a / b;
}
#endif

/* The widest square that is transposed within 128 bits. */
enum { SIDE = LANES == 1 ? 1 : (int)(16 / sizeof(real)) };

#if PYLSTM_VECTOR_BYTES > 0 && defined(__GNUC__)
typedef real quad __attribute__((vector_size(16)));

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
#if PYLSTM_REAL_BITS == 32
#define JOIN_QUADS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#define JOIN_OCTETS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#else
#define JOIN_QUADS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3)
#define JOIN_OCTETS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#endif
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
#define PER_QUAD(M) {M(0), M(SIDE), M(2 * SIDE), M(3 * SIDE)}
#elif PYLSTM_VECTOR_BYTES == 32
#define PER_QUAD(M) {M(0), M(SIDE)}
#else
#define PER_QUAD(M) {M(0)}
#endif

/* Within each quad, column j of the square of rows v[0] .. v[SIDE - 1] to v[j]. */
VEC_INLINE void transpose_quads(vec *v)
{
#if PYLSTM_REAL_BITS == 32
#define LOW(q) (q), (q) + LANES, (q) + 1, (q) + 1 + LANES
#define HIGH(q) (q) + 2, (q) + 2 + LANES, (q) + 3, (q) + 3 + LANES
#define LEFT(q) (q), (q) + 1, (q) + LANES, (q) + 1 + LANES
#define RIGHT(q) (q) + 2, (q) + 3, (q) + 2 + LANES, (q) + 3 + LANES
    const ivec low = PER_QUAD(LOW), high = PER_QUAD(HIGH), left = PER_QUAD(LEFT), right = PER_QUAD(RIGHT);
    vec a = __builtin_shuffle(v[0], v[1], low), b = __builtin_shuffle(v[2], v[3], low);
    vec c = __builtin_shuffle(v[0], v[1], high), d = __builtin_shuffle(v[2], v[3], high);
    v[0] = __builtin_shuffle(a, b, left);
    v[1] = __builtin_shuffle(a, b, right);
    v[2] = __builtin_shuffle(c, d, left);
    v[3] = __builtin_shuffle(c, d, right);
#else
#define LOW(q) (q), (q) + LANES
#define HIGH(q) (q) + 1, (q) + 1 + LANES
    const ivec low = PER_QUAD(LOW), high = PER_QUAD(HIGH);
    vec a = __builtin_shuffle(v[0], v[1], low), b = __builtin_shuffle(v[0], v[1], high);
    v[0] = a;
    v[1] = b;
#endif
}
#else
VEC_INLINE vec load_quads(const real *from, ptrdiff_t stride)
{
    (void)stride;
    return *from;
}

VEC_INLINE void transpose_quads(vec *v)
{
    (void)v;
}
#endif

VEC_INLINE vec blend(ivec mask, vec yes, vec no)
{
    return AS_REAL((AS_BITS(yes) & mask) | (AS_BITS(no) & ~mask));
}

#endif
