/* Weights as they lie: reals; or, with PYLSTM_WEIGHT_BITS of 8, bytes, which each row's scale makes reals of. */
#ifndef PYLSTM_WEIGHTS_H
#define PYLSTM_WEIGHTS_H

#include "vector.h"

#if defined(PYLSTM_WEIGHT_BITS) && PYLSTM_WEIGHT_BITS == 8
typedef int8_t stored;

VEC_INLINE vec load_weights(const stored *from)
{
#if defined(__GNUC__) && PYLSTM_VECTOR_BYTES > 0
    typedef stored bytes __attribute__((vector_size(PYLSTM_VECTOR_BYTES / sizeof(real))));
    bytes b;
    memcpy(&b, from, sizeof b);
    return __builtin_convertvector(__builtin_convertvector(b, ivec), vec);
#else
    return (real)*from;
#endif
}
#else
typedef real stored;

VEC_INLINE vec load_weights(const stored *from)
{
    return load(from);
}
#endif

#endif
