/* Reading weights, as vectors of reals, whatever they are stored as (rows.h). */
#ifndef PYLSTM_WEIGHTS_H
#define PYLSTM_WEIGHTS_H

#include "kernels/rows.h"
#include "kernels/vector.h"

#if defined(PYLSTM_WEIGHT_BITS) && PYLSTM_WEIGHT_BITS == 8
#if PYLSTM_VECTOR_BYTES == 32
VEC_INLINE vec load_weights(const stored *from)
{
    return (vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadu_si64(from)));
}
#elif PYLSTM_VECTOR_BYTES == 16
/* Each byte to the four of a lane, of which the shift leaves one: compilers widen bytes one after the other. */
VEC_INLINE vec load_weights(const stored *from)
{
    typedef stored bytes __attribute__((vector_size(16)));
    int32_t four;
    memcpy(&four, from, sizeof four);
    const ivec in_one = {four, 0, 0, 0};
    const bytes b = (bytes)in_one;
#if defined(__SSE2__) && !defined(__SSSE3__) /* where nothing shuffles bytes, but two interleavings do it */
    typedef int16_t pairs __attribute__((vector_size(16)));
    const pairs p = (pairs)__builtin_shufflevector(b, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const ivec lanes = (ivec)__builtin_shufflevector(p, p, 0, 8, 1, 9, 2, 10, 3, 11) >> 24;
#else
    const ivec lanes = (ivec)__builtin_shufflevector(b, b, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3) >> 24;
#endif
    return __builtin_convertvector(lanes, vec);
}
#else
VEC_INLINE vec load_weights(const stored *from)
{
    return (real)*from;
}
#endif
#else
VEC_INLINE vec load_weights(const stored *from)
{
    return load(from);
}
#endif

#endif
