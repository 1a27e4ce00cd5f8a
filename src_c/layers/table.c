#include "layers/table.h"

#include "kernels/isa.h"
#include "kernels/kernels.h"

struct table_rows NAME(table_rows_carve)(const pylstm_net *net, const pylstm_shape *shape, struct arena *arena)
{
    ptrdiff_t n_rows = shape->n_rows;
    if (!learns_table(net))
        return (struct table_rows){0, NULL, NULL};
    ptrdiff_t *places = arena_take(arena, n_rows, 1, sizeof *places);
    return (struct table_rows){n_rows, places, arena_take(arena, n_rows, net->input_size, sizeof(real))};
}

void NAME(add_to_table)(const pylstm_net *net, const struct table_rows *rows, real *dtable, struct member member)
{
    const struct kernels *kernels = NAME(kernels)(net->isa);
    ptrdiff_t width = net->input_size, n_vectors = (width + kernels->lanes - 1) / kernels->lanes;
    ptrdiff_t from = n_vectors * member.index / member.n_members * kernels->lanes;
    ptrdiff_t to = n_vectors * (member.index + 1) / member.n_members * kernels->lanes;
    to = to < width ? to : width;
    if (from < to)
        kernels->scatter(rows->n_rows, to - from, true, (struct const_rows){rows->dx + from, width},
                         (struct rows){dtable + from, width}, (struct places){rows->places, NULL, 0});
}
