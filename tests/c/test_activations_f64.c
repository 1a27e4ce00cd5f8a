#define PYLSTM_REAL_BITS 64
#include "activation_tests.h"

int main(void)
{
    test_activations();
    return REPORT();
}
