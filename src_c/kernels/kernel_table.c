/* The kernels of each instruction set, for one dtype. */
#include "kernels/isa.h"

extern const struct kernels NAME(kernels_scalar);
#if defined(__GNUC__) && defined(__x86_64__)
extern const struct kernels NAME(kernels_baseline), NAME(kernels_avx2);
#if !defined(PYLSTM_WITHOUT_AVX512)
extern const struct kernels NAME(kernels_avx512);
#endif
#elif defined(__GNUC__) && defined(__aarch64__)
extern const struct kernels NAME(kernels_neon);
#endif

const struct kernels *NAME(kernels)(pylstm_isa isa)
{
    switch (isa == PYLSTM_ISA_BEST ? pylstm_isa_best() : isa) {
#if defined(__GNUC__) && defined(__x86_64__)
    case PYLSTM_ISA_BASELINE:
        return &NAME(kernels_baseline);
    case PYLSTM_ISA_AVX2:
        return &NAME(kernels_avx2);
#if !defined(PYLSTM_WITHOUT_AVX512)
    case PYLSTM_ISA_AVX512:
        return &NAME(kernels_avx512);
#endif
#elif defined(__GNUC__) && defined(__aarch64__)
    case PYLSTM_ISA_NEON:
        return &NAME(kernels_neon);
#endif
    default:
        return &NAME(kernels_scalar);
    }
}
