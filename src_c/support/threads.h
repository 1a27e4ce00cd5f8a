/* Runs the parts of a call side by side, on threads that live as long as the call: so there is no pool to keep, nothing
 * for fork to break, and nothing global. */
#ifndef PYLSTM_THREADS_H
#define PYLSTM_THREADS_H

#include <stddef.h>

enum { MAX_THREADS = 64 };

/* work(context, 0) .. work(context, n_parts - 1); the first on the calling thread. A part for which no thread can be
 * had runs on the calling thread too. n_parts is at most MAX_THREADS. */
void pylstm_run_parts(ptrdiff_t n_parts, void (*work)(void *context, ptrdiff_t part), void *context);

/* Threads that work on the same thing together, each on its share, and wait for each other. */
struct member {
    struct team *team;
    ptrdiff_t index, n_members;
};

static const struct member ALONE = {NULL, 0, 1};

/* work(context, member) for as many members up to n_members as threads can be had, side by side. */
void pylstm_run_team(ptrdiff_t n_members, void (*work)(void *context, struct member member), void *context);

/* Returns when all of the team have called it: what they wrote before is then there to be read. */
void pylstm_wait_for_team(struct member member);

#endif
