/* A vector of `real`, as wide as the instruction set that the file is compiled for (PYLSTM_VECTOR_BYTES), in GNU C's
 * portable vector extensions; without them, or with PYLSTM_VECTOR_BYTES of 0, a vector of one. */
#ifndef PYLSTM_VECTOR_H
#define PYLSTM_VECTOR_H

#include "support/real.h"

#if PYLSTM_REAL_BITS == 32
typedef int32_t bits;
typedef uint32_t unsigned_bits;
#else
typedef int64_t bits;
typedef uint64_t unsigned_bits;
#endif

#if defined(__GNUC__)
#define VEC_INLINE static inline __attribute__((always_inline, unused))
#define VEC_APART static __attribute__((noinline, unused))
#else
#define VEC_INLINE static inline
#define VEC_APART static
#endif

/* Before loops over registers, of which the array would lie in memory were they not unrolled. clang does so unasked,
 * but for -Os; GCC makes vectors of the scalar loops, where a processor has them, if they are left as they are. */
#if __GNUC__ >= 8 && !defined(__clang__) && (PYLSTM_VECTOR_BYTES > 0 || !(defined(__SSE2__) || defined(__ARM_NEON)))
#define UNROLL _Pragma("GCC unroll 32")
#elif defined(__clang__) && defined(__OPTIMIZE_SIZE__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL
#endif

#if defined(__GNUC__) && PYLSTM_VECTOR_BYTES > 0
#define LANES ((ptrdiff_t)(PYLSTM_VECTOR_BYTES / (PYLSTM_REAL_BITS / 8)))
typedef real vec __attribute__((vector_size(PYLSTM_VECTOR_BYTES)));
typedef bits ivec __attribute__((vector_size(PYLSTM_VECTOR_BYTES)));
typedef unsigned_bits uvec __attribute__((vector_size(PYLSTM_VECTOR_BYTES)));
#define AS_BITS(v) ((ivec)(v))
#define AS_REAL(v) ((vec)(v))

VEC_INLINE vec splat(real x)
{
    const vec zeros = {0};
    return x - zeros;
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

/* v, of which the compiler is not to know where it comes from. */
VEC_INLINE vec in_register(vec v)
{
#if defined(__GNUC__) && (defined(__x86_64__) || (defined(__SSE2__) && PYLSTM_VECTOR_BYTES > 0))
    __asm__("" : "+v"(v));
#elif defined(__GNUC__) && defined(__aarch64__)
    __asm__("" : "+w"(v));
#elif defined(__wasm_simd128__) && PYLSTM_VECTOR_BYTES > 0
    __asm__("" : "+r"(v));
#endif
    return v;
}

/* v, rounded before anything is added to it. Of the two products in a * b + c * d the compiler may fuse either with the
 * sum, and another one in another inlined copy of the same function. */
VEC_INLINE vec rounded(vec v)
{
    return in_register(v);
}

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

/* Operations for which an instruction set may have better than what GNU C can say. */
#if PYLSTM_VECTOR_BYTES >= 32
#include <immintrin.h>
#endif

/* The first n of a vector's lanes, n <= LANES, then zeros. What is behind them is not read. */
VEC_INLINE vec load_first(const real *from, ptrdiff_t n)
{
#if PYLSTM_VECTOR_BYTES == 64 && PYLSTM_REAL_BITS == 32
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), from);
#elif PYLSTM_VECTOR_BYTES == 64
    return (vec)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), from);
#elif PYLSTM_VECTOR_BYTES == 32 && PYLSTM_REAL_BITS == 32
    const ivec lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    return (vec)_mm256_maskload_ps(from, (__m256i)(lanes < (bits)n));
#elif PYLSTM_VECTOR_BYTES == 32
    const ivec lanes = {0, 1, 2, 3};
    return (vec)_mm256_maskload_pd(from, (__m256i)(lanes < (bits)n));
#else
    real padded[LANES] = {0};
    memcpy(padded, from, (size_t)n * sizeof *from);
    return load(padded);
#endif
}

/* Whether lanes can be left out of a load or a store at no cost. */
enum { HAS_MASKS = PYLSTM_VECTOR_BYTES == 64 };

/* A vector of a row, of which `left` elements are left, without those that are not there; or where there are no masks,
 * with what is behind them, which has to exist. */
VEC_INLINE vec load_of_row(const real *from, ptrdiff_t left)
{
    return HAS_MASKS ? load_first(from, left < 0 ? 0 : left < LANES ? left : LANES) : load(from);
}

VEC_INLINE void store_of_row(real *to, ptrdiff_t left, vec v)
{
#if PYLSTM_VECTOR_BYTES == 64
    unsigned lanes = (1u << (left < 0 ? 0 : left < LANES ? left : LANES)) - 1;
#if PYLSTM_REAL_BITS == 32
    _mm512_mask_storeu_ps(to, (__mmask16)lanes, (__m512)v);
#else
    _mm512_mask_storeu_pd(to, (__mmask8)lanes, (__m512d)v);
#endif
#else
    (void)left;
    store(to, v);
#endif
}

/* v where it is at least `low` or NaN, else low: the hardware's maximum is its second operand where one is NaN. */
VEC_INLINE vec at_least(vec low, vec v)
{
#if PYLSTM_VECTOR_BYTES == 64 && PYLSTM_REAL_BITS == 32
    return (vec)_mm512_max_ps((__m512)low, (__m512)v);
#elif PYLSTM_VECTOR_BYTES == 32 && PYLSTM_REAL_BITS == 32
    return (vec)_mm256_max_ps((__m256)low, (__m256)v);
#elif !defined(__GNUC__) || PYLSTM_VECTOR_BYTES == 0
    return v < low ? low : v;
#else
    ivec mask = less(v, low);
    return AS_REAL((AS_BITS(low) & mask) | (AS_BITS(v) & ~mask));
#endif
}

/* a / b for b in [1, 4]. */
VEC_INLINE vec quotient(vec a, vec b)
{
#if PYLSTM_VECTOR_BYTES == 64 && PYLSTM_REAL_BITS == 32
    /* The hardware's division takes as long as 32 multiplications. One Newton step from 14 bits is within an ulp or so,
     * and exact for powers of two. */
    vec near = (vec)_mm512_rcp14_ps((__m512)b);
    return a * (near + near * (splat(1) - b * near));
#else
    return a / b;
#endif
}

VEC_INLINE vec blend(ivec mask, vec yes, vec no)
{
    return AS_REAL((AS_BITS(yes) & mask) | (AS_BITS(no) & ~mask));
}

/* yes where x has the sign bit, else no. */
VEC_INLINE vec where_negative(vec x, vec yes, vec no)
{
#if PYLSTM_VECTOR_BYTES == 32 && PYLSTM_REAL_BITS == 32
    return (vec)_mm256_blendv_ps((__m256)no, (__m256)yes, (__m256)x);
#else
    return blend(AS_BITS(x) >> (PYLSTM_REAL_BITS - 1), yes, no);
#endif
}

#endif
