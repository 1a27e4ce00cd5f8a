/* Instruction sets: which this build has, which this processor runs. */
#include "pylstm.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define HAS_X86 1
#else
#define HAS_X86 0
#endif
#if defined(__GNUC__) && defined(__aarch64__)
#define HAS_NEON 1
#else
#define HAS_NEON 0
#endif

const char *pylstm_isa_name(int isa)
{
    static const char *const names[PYLSTM_N_ISA] = {"best", "scalar", "baseline", "avx2", "avx512", "neon"};
    return isa >= 0 && isa < PYLSTM_N_ISA ? names[isa] : NULL;
}

int pylstm_isa_available(int isa)
{
    switch (isa) {
    case PYLSTM_ISA_BEST:
    case PYLSTM_ISA_SCALAR:
        return 1;
    case PYLSTM_ISA_NEON:
        return HAS_NEON;
#if HAS_X86
    /* These ask the operating system too (XGETBV), whether it saves the wide registers. */
    case PYLSTM_ISA_BASELINE:
        return 1;
    case PYLSTM_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#if !defined(PYLSTM_WITHOUT_AVX512)
    case PYLSTM_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma");
#endif
#endif
    default:
        return 0;
    }
}

pylstm_isa pylstm_isa_best(void)
{
    pylstm_isa best = PYLSTM_ISA_SCALAR;
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        if (pylstm_isa_available(isa))
            best = (pylstm_isa)isa;
    return best;
}
