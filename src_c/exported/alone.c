/* One thread and the kernels of one instruction set, for exported models: in place of parts.c, threads.c, isa.c and
 * kernel_table.c. */
#include "kernels/isa.h"
#include "layers/parts.h"
#include "support/threads.h"

extern const struct kernels ISA_NAME(kernels);

const struct kernels *NAME(kernels)(pylstm_isa isa)
{
    (void)isa;
    return &ISA_NAME(kernels);
}

ptrdiff_t pylstm_n_parts(const pylstm_net *net, const pylstm_shape *shape)
{
    (void)net, (void)shape;
    return 1;
}

ptrdiff_t pylstm_n_members(const pylstm_net *net, const pylstm_shape *shape)
{
    (void)net, (void)shape;
    return 1;
}

pylstm_shape pylstm_part_bound(const pylstm_shape *shape, ptrdiff_t n_parts)
{
    (void)n_parts;
    return *shape;
}

void pylstm_part_init(pylstm_batch *part_batch, const pylstm_batch *batch, ptrdiff_t part, ptrdiff_t n_parts)
{
    (void)part, (void)n_parts;
    *part_batch = *batch;
}

void pylstm_run_parts(ptrdiff_t n_parts, void (*work)(void *context, ptrdiff_t part), void *context)
{
    (void)n_parts;
    work(context, 0);
}

void pylstm_run_team(ptrdiff_t n_members, void (*work)(void *context, struct member member), void *context)
{
    (void)n_members;
    work(context, ALONE);
}

void pylstm_wait_for_team(struct member member)
{
    (void)member;
}
