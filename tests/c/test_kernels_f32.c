#define PYLSTM_REAL_BITS 32
#include "kernel_checks.h"

int main(void)
{
    check_all_kernels();
    return REPORT();
}
