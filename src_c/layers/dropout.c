#include "layers/dropout.h"

/* The finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection that scatters neighbouring numbers. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void NAME(dropout)(uint64_t seed, uint64_t stream, double p, ptrdiff_t first, ptrdiff_t n, real *values)
{
    if (p == 0.0)
        return;
    const uint64_t golden_ratio = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t key = mix(seed + mix(stream + golden_ratio));
    uint64_t threshold = (uint64_t)(p * 0x1p53);
    real scale = (real)(1.0 / (1.0 - p));
    for (ptrdiff_t k = 0; k < n; k++) {
        uint64_t drawn = mix(key + (uint64_t)(first + k) * golden_ratio) >> 11;
        values[k] = drawn < threshold ? 0 : values[k] * scale;
    }
}
