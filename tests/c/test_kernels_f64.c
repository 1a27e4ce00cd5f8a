#define PYLSTM_REAL_BITS 64
#include "kernel_checks.h"

int main(void)
{
    check_all_kernels();
    return REPORT();
}
