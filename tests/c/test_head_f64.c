#define PYLSTM_REAL_BITS 64
#include "head_checks.h"

int main(void)
{
    check_heads();
    return REPORT();
}
