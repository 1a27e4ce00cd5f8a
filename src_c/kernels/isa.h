/* Which kernels run. */
#ifndef PYLSTM_ISA_H
#define PYLSTM_ISA_H

#include "kernels/kernels.h"

/* Those of an instruction set that is available. */
const struct kernels *NAME(kernels)(pylstm_isa isa);

#endif
