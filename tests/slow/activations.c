/* The largest error of tanh and sigmoid: over all 2^32 float32, or over 10^8 samples of float64. Compiled once per
 * dtype; see README.md here. Arguments are names of instruction sets, none means all. */
#include "../c/activation_checks.h"

static unsigned isas_of(int n_names, char **names)
{
    unsigned isas = 0;
    for (int isa = PYLSTM_ISA_SCALAR; isa < PYLSTM_N_ISA; isa++)
        for (int k = 0; k < n_names; k++)
            if (strcmp(names[k], pylstm_isa_name(isa)) == 0)
                isas |= 1u << isa;
    return isas & available_isas();
}

int main(int n_arguments, char **arguments)
{
    unsigned isas = n_arguments > 1 ? isas_of(n_arguments - 1, arguments + 1) : available_isas();
    if (!isas) {
        puts("no such instruction set here");
        return EXIT_FAILURE;
    }
    if (PYLSTM_REAL_BITS == 32)
        measure_patterns(isas, 0);
    else
        measure_samples(isas, 100000000);
    report_worst(isas);
    return REPORT();
}
