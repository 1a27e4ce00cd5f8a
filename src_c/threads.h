/* Runs the parts of a call side by side, on threads that live as long as the call: so there is no pool to keep, nothing
 * for fork to break, and nothing global. */
#ifndef PYLSTM_THREADS_H
#define PYLSTM_THREADS_H

#include <stddef.h>

/* work(context, 0) .. work(context, n_parts - 1); the first on the calling thread. A part for which no thread can be
 * had runs on the calling thread too. n_parts is at most MAX_THREADS. */
enum { MAX_THREADS = 64 };
void pylstm_run_parts(ptrdiff_t n_parts, void (*work)(void *context, ptrdiff_t part), void *context);

#endif
