#define PYLSTM_REAL_BITS 32
#include "head_checks.h"

int main(void)
{
    check_heads();
    return REPORT();
}
