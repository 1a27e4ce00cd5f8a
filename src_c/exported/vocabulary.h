/* The tokens of an exported model as texts: bytes of UTF-8, each token's behind that of the token before, and a 0
 * behind each. */
#ifndef PYLSTM_VOCABULARY_H
#define PYLSTM_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vocabulary {
    const uint8_t *bytes;
    const place *starts; /* [n + 1] of each token in bytes, and of what comes after the last */
    const place *sorted; /* [n_sorted] tokens that can be looked up, in the order of their bytes */
    ptrdiff_t n_sorted;
};

static inline size_t text_size(const struct vocabulary *in, uint32_t token)
{
    return (size_t)(in->starts[token + 1] - in->starts[token]) - 1;
}

/* Whether the bytes of a token come before those of a text, after them, or are the same: below 0, above, or 0. */
static inline int compare_text(const struct vocabulary *in, uint32_t token, const uint8_t *text, size_t n_bytes)
{
    const uint8_t *own = in->bytes + in->starts[token];
    size_t n_own = text_size(in, token);
    for (size_t k = 0; k < n_own && k < n_bytes; k++)
        if (own[k] != text[k])
            return own[k] < text[k] ? -1 : 1;
    return n_own < n_bytes ? -1 : n_own > n_bytes;
}

/* The token that is a text; 0 if none is. */
static inline uint32_t find_token(const struct vocabulary *in, const char *text, size_t n_bytes)
{
    ptrdiff_t first = 0, end = in->n_sorted;
    while (first < end) {
        ptrdiff_t middle = first + (end - first) / 2;
        int is = compare_text(in, in->sorted[middle], (const uint8_t *)text, n_bytes);
        if (is == 0)
            return in->sorted[middle];
        if (is < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return 0;
}

#endif
