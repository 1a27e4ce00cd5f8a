/* What goes into a net: rows of values, or tokens, which stand for rows. */
#ifndef PYLSTM_INPUTS_H
#define PYLSTM_INPUTS_H

#include "layers/net.h"
#include "support/real.h"

/* Of all steps, in the caller's order. */
struct inputs {
    const real *rows;   /* [N][I]; of tokens the table [n_tokens][I], or NULL: they are one-hot */
    const void *tokens; /* [N], or NULL */
    int token_size;     /* as in pylstm_forward_pass; or that of a ptrdiff_t */
    ptrdiff_t n_tokens;
};

/* The token of a row. One that is none, which is an error that has been looked for, may come of a caller who writes
 * meanwhile: it reads the first row, not what lies behind the last. */
static inline ptrdiff_t token_at(const struct inputs *inputs, ptrdiff_t row)
{
    size_t token = inputs->token_size == 1   ? ((const uint8_t *)inputs->tokens)[row]
                   : inputs->token_size == 2 ? ((const uint16_t *)inputs->tokens)[row]
                   : inputs->token_size == 4 ? ((const uint32_t *)inputs->tokens)[row]
                                             : (size_t)((const ptrdiff_t *)inputs->tokens)[row];
    return token < (size_t)inputs->n_tokens ? (ptrdiff_t)token : 0;
}

/* What a net reads of x, as pylstm_forward_pass has it. */
static inline struct inputs inputs_of(const pylstm_net *net, const real *parameters, const void *x, int token_size)
{
    if (!reads_tokens(net))
        return (struct inputs){.rows = x};
    return (struct inputs){has_table(net) ? parameters : NULL, x, token_size, net->n_tokens};
}

#endif
