/* What kind of input a net reads. */
#ifndef PYLSTM_NET_H
#define PYLSTM_NET_H

#include "pylstm.h"

#include <stdbool.h>

static inline bool reads_tokens(const pylstm_net *net)
{
    return net->input != PYLSTM_VALUES;
}

/* Whether they are looked up in a table. */
static inline bool has_table(const pylstm_net *net)
{
    return net->input == PYLSTM_EMBEDDING || net->input == PYLSTM_FROZEN;
}

/* Whose gradient is asked for. */
static inline bool learns_table(const pylstm_net *net)
{
    return net->input == PYLSTM_EMBEDDING;
}

#endif
