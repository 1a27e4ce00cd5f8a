/* The gradient of a table of tokens: of each row the sum over the steps that read it. */
#ifndef PYLSTM_TABLE_H
#define PYLSTM_TABLE_H

#include "layers/inputs.h"
#include "support/arena.h"
#include "support/threads.h"

/* What a batch's steps give to it. */
struct table_rows {
    ptrdiff_t n_rows;  /* N; where no table is learnt 0, and no arrays */
    ptrdiff_t *places; /* [N], caller's order: which row each step's dx is added to, */
    real *dx;          /* [N][I] */
};

struct table_rows NAME(table_rows_carve)(const pylstm_net *net, const pylstm_shape *shape, struct arena *arena);

/* dtable, rows of I, += dx, each step's at its place; each member of a team has columns of its own, and takes the steps
 * in order: the bits are the same for any number of members. */
void NAME(add_to_table)(const pylstm_net *net, const struct table_rows *rows, real *dtable, struct member member);

#endif
