/* Sequences of tokens, and the same as values: for tests that want the same of both. */
#ifndef TOKENS_H
#define TOKENS_H

#include "reals.h"

#include <stdbool.h>

/* Sequences, one after the other, in each size that a token can have. */
struct text {
    ptrdiff_t n_sequences, n_rows, n_tokens;
    const ptrdiff_t *lengths;
    uint8_t *bytes;
    uint16_t *pairs;
    uint32_t *quads;
    pylstm_batch batch;
    void *batch_memory;
};

/* The last token and, if there is room, the first occur; of the others some may not. */
static inline struct text new_text(ptrdiff_t n_tokens, ptrdiff_t n_sequences, const ptrdiff_t *lengths)
{
    struct text text = {.n_sequences = n_sequences, .n_tokens = n_tokens, .lengths = lengths};
    pylstm_shape shape;
    size_t bytes;
    CHECK_STATUS(pylstm_shape_init(&shape, n_sequences, lengths), PYLSTM_OK);
    CHECK_STATUS(pylstm_batch_size(&shape, &bytes), PYLSTM_OK);
    text.batch_memory = allocate(bytes);
    CHECK_STATUS(pylstm_batch_init(&text.batch, n_sequences, lengths, text.batch_memory, bytes), PYLSTM_OK);
    size_t n = (size_t)shape.n_rows;
    text.n_rows = shape.n_rows;
    text.bytes = allocate(n), text.pairs = allocate(n * 2), text.quads = allocate(n * 4);
    for (size_t k = 0; k < n; k++) {
        uint32_t token = (uint32_t)((draw() + 1) / 2 * (double)n_tokens);
        token = k == 0 ? (uint32_t)n_tokens - 1 : k + 1 == n ? 0 : token;
        text.bytes[k] = (uint8_t)token, text.pairs[k] = (uint16_t)token, text.quads[k] = token;
    }
    return text;
}

static inline void free_text(struct text text)
{
    free(text.bytes);
    free(text.pairs);
    free(text.quads);
    free(text.batch_memory);
}

/* Whether so many tokens can be told apart in so many bytes. */
static inline bool fits(ptrdiff_t n_tokens, int token_size)
{
    return token_size == 4 || n_tokens <= (ptrdiff_t)1 << 8 * token_size;
}

static inline const void *tokens_of(const struct text *text, int token_size)
{
    return token_size == 1 ? (const void *)text->bytes : token_size == 2 ? (const void *)text->pairs : text->quads;
}

/* That net with tokens going in: of a table with rows as wide as its inputs, else as many as there are inputs. */
static inline pylstm_net with_tokens(pylstm_net net, pylstm_input input, ptrdiff_t n_tokens)
{
    net.input = input;
    net.n_tokens = n_tokens;
    CHECK_STATUS(pylstm_net_check(&net), PYLSTM_OK);
    size_t end = strlen(label);
    static const char *const names[PYLSTM_N_INPUTS] = {"values", "one-hot", "embedding", "frozen"};
    snprintf(label + end, sizeof label - end, ", %td tokens, %s", n_tokens, names[input]);
    return net;
}

/* What the tokens stand for: [n_rows][I]. */
static inline void *values_of(const pylstm_net *net, void *parameters, const struct text *text)
{
    ptrdiff_t n_x = net->input_size;
    void *x = new_reals(net, text->n_rows * n_x);
    for (ptrdiff_t r = 0; r < text->n_rows; r++) {
        ptrdiff_t token = text->quads[r];
        if (net->input != PYLSTM_ONE_HOT)
            memcpy(element(net, x, r * n_x), element(net, parameters, token * n_x), (size_t)n_x * real_size(net));
        for (ptrdiff_t k = 0; net->input == PYLSTM_ONE_HOT && k < n_x; k++)
            set_real(net, x, r * n_x + k, k == token);
    }
    return x;
}

/* The same layers without tokens; their parameters are those behind the table. */
static inline pylstm_net without_tokens(pylstm_net net)
{
    net.input = PYLSTM_VALUES;
    net.n_tokens = 0;
    return net;
}

static inline pylstm_memory memory_of(size_t bytes)
{
    return (pylstm_memory){allocate(bytes), bytes};
}

/* At an odd address: any will do. */
static inline pylstm_memory odd_memory_of(size_t bytes, char **allocated)
{
    *allocated = allocate(bytes + 1);
    return (pylstm_memory){*allocated + 1, bytes};
}

#endif
