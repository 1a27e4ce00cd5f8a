/* A step of gradient descent on a device: where the gradient is too long, and where it is no number. */
#ifndef PYLSTM_EXPORTED_DESCENT_H
#define PYLSTM_EXPORTED_DESCENT_H

#include "exported/math.h"

/* What to multiply a gradient of this sum of squares by, so that it is clipped to a norm of max_norm; 0: any. Returns 0
 * where nothing is to be learnt, since it or the loss is not finite, which the loss then says. Squares are in float: a
 * norm beyond 1e19 is infinite. */
static inline real descent_rate(real squares, real max_norm, real learning_rate, real *loss)
{
    if (!all_finite(1, &squares))
        *loss = squares;
    if (!all_finite(1, loss))
        return 0;
    return max_norm > 0 && squares > max_norm * max_norm ? learning_rate * (max_norm / root_of(squares))
                                                         : learning_rate;
}

#endif
