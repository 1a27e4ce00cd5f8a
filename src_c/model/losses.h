/* The losses as a table: a row for each of pylstm_loss. */
#ifndef PYLSTM_LOSS_TABLE_H
#define PYLSTM_LOSS_TABLE_H

#include "kernels/losses.h"

struct loss {
    loss_row *row;                               /* value and gradient */
    void (*predict)(ptrdiff_t n, real *outputs); /* outputs of the dense layer to predictions; NULL: they are */
};

const struct loss *NAME(loss)(pylstm_loss loss);

#endif
