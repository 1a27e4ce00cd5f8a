/* What tokens stand for in a model that learns: rows, which are read, and whose gradient is that of all steps that read
 * them. They come first among the weights; those that stay what they are, are constants, EXPORTED_TABLE. */
#ifndef PYLSTM_EXPORTED_TOKENS_H
#define PYLSTM_EXPORTED_TOKENS_H

#include "exported/products.h"

/* Where number k of a token's row is: in a table [n_tokens][I], or in weights [I][n_tokens]. */
static inline ptrdiff_t place_of(const struct learner *learner, reading token, ptrdiff_t k)
{
    return IS_ONE_HOT ? k * EXPORTED_TOKENS + (ptrdiff_t)token : (ptrdiff_t)token * learner->input_size + k;
}

/* out [I] = the row of a token */
static inline void read_token(const struct learner *learner, reading token, const struct memory *memory, real *out)
{
    const real *rows = IS_FROZEN ? EXPORTED_TABLE : memory->weights;
    for (ptrdiff_t k = 0; k < learner->input_size; k++)
        out[k] = rows[place_of(learner, token, k)];
}

/* drow [I] += the gradient by what was read in step t. */
static inline void add_token_back(const struct learner *learner, ptrdiff_t t, const struct memory *memory, real *drow)
{
    const struct matrix *inputs = learner->matrices + INPUTS;
    const real *dout = memory->tape + inputs->out + t * inputs->out_step;
    if (!IS_ONE_HOT)
        add_back(inputs, t, memory, drow);
    for (ptrdiff_t k = 0; IS_ONE_HOT && k < learner->input_size; k++)
        drow[k] += dout[k];
}

/* Of a table that is the dense layer's weights, too: what the gradient by number k of a row is as that. */
static inline real tied_gradient(const struct learner *learner, reading token, ptrdiff_t k, const struct memory *memory)
{
    const struct matrix *head = learner->matrices + learner->n_layers * MATRICES + INPUTS;
    const real *in = memory->tape + head->in + k, *dout = memory->tape + head->out + (ptrdiff_t)token;
    real gradient = 0;
    for (ptrdiff_t t = 0; t < head->n_steps; t++, in += head->in_step, dout += head->out_step)
        gradient += *dout * *in;
    return gradient;
}

static inline bool is_read_before(const reading *tokens, ptrdiff_t t)
{
    for (ptrdiff_t s = 0; s < t; s++)
        if (tokens[s] == tokens[t])
            return true;
    return false;
}

/* As descend, of the rows of a window's tokens, each once. It needs the first layer's weights as they were. Where rows
 * are tied, `descend` goes down the dense layer's gradient a, this one down the rest b: (a + b)^2 = a^2 + b (b + 2 a).
 */
static inline real descend_tokens(const struct learner *learner, const reading *tokens, real rate,
                                  const struct memory *memory)
{
    ptrdiff_t n = learner->input_size;
    real *drow = memory->tape + learner->dstate, squares = 0;
    for (ptrdiff_t t = 0; t < learner->window; t++) {
        if (is_read_before(tokens, t))
            continue;
        memset(drow, 0, (size_t)n * sizeof *drow);
        for (ptrdiff_t s = t; s < learner->window; s++)
            if (tokens[s] == tokens[t])
                add_token_back(learner, s, memory, drow);
        for (ptrdiff_t k = 0; k < n; k++) {
            real tied = EXPORTED_TIED ? 2 * tied_gradient(learner, tokens[t], k, memory) : 0;
            squares += drow[k] * (drow[k] + tied);
            if (rate != 0)
                memory->weights[place_of(learner, tokens[t], k)] -= rate * drow[k];
        }
    }
    return squares;
}

#endif
