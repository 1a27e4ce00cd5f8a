/* Carving arrays out of memory that the caller handed in.
 *
 * Every layout is one function that takes its arrays from an arena. Run on an arena without a base it only counts,
 * so that the size asked for and the layout used can't drift apart. */
#ifndef PYLSTM_ARENA_H
#define PYLSTM_ARENA_H

#include "pylstm.h"

#include <stdbool.h>

#define ARENA_ALIGNMENT ((size_t)64) /* a cache line, and the widest vector */

struct arena {
    char *base; /* aligned; NULL while counting */
    size_t used;
    bool overflow;
};

/* a * b, or false if that is no ptrdiff_t or a factor is negative. */
static inline bool product_fits(ptrdiff_t a, ptrdiff_t b)
{
    return a >= 0 && b >= 0 && (b == 0 || a <= PTRDIFF_MAX / b);
}

/* An array [rows][columns] of elements of `width` bytes; NULL while counting or after an overflow. */
static inline void *arena_take(struct arena *arena, ptrdiff_t rows, ptrdiff_t columns, size_t width)
{
    const size_t limit = (size_t)PTRDIFF_MAX - 2 * ARENA_ALIGNMENT;
    if (!product_fits(rows, columns) || !product_fits(rows * columns, (ptrdiff_t)width) || arena->used > limit ||
        (size_t)(rows * columns) * width > limit - arena->used) {
        arena->overflow = true;
        return NULL;
    }
    size_t bytes = (size_t)(rows * columns) * width;
    void *taken = arena->base ? arena->base + arena->used : NULL;
    arena->used += (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    return taken;
}

/* What the counted arrays need, with room to align the start. */
static inline int arena_total(const struct arena *arena, size_t *bytes)
{
    if (arena->overflow)
        return PYLSTM_ERROR_OVERFLOW;
    *bytes = arena->used + ARENA_ALIGNMENT;
    return PYLSTM_OK;
}

static inline struct arena arena_at(pylstm_memory memory)
{
    size_t past = (size_t)((uintptr_t)memory.data % ARENA_ALIGNMENT);
    return (struct arena){.base = (char *)memory.data + (past ? ARENA_ALIGNMENT - past : 0)};
}

#endif
