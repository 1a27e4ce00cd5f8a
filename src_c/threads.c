#include "threads.h"

#if defined(_WIN32)
void pylstm_run_parts(ptrdiff_t n_parts, void (*work)(void *context, ptrdiff_t part), void *context)
{
    for (ptrdiff_t part = 0; part < n_parts; part++)
        work(context, part);
}
#else
#include <pthread.h>
#include <stdbool.h>

struct task {
    void (*work)(void *context, ptrdiff_t part);
    void *context;
    ptrdiff_t part;
    pthread_t thread;
    bool started;
};

static void *run(void *argument)
{
    struct task *task = argument;
    task->work(task->context, task->part);
    return NULL;
}

void pylstm_run_parts(ptrdiff_t n_parts, void (*work)(void *context, ptrdiff_t part), void *context)
{
    struct task tasks[MAX_THREADS];
    for (ptrdiff_t part = 1; part < n_parts; part++) {
        tasks[part] = (struct task){.work = work, .context = context, .part = part};
        tasks[part].started = pthread_create(&tasks[part].thread, NULL, run, &tasks[part]) == 0;
    }
    work(context, 0);
    for (ptrdiff_t part = 1; part < n_parts; part++) {
        if (tasks[part].started)
            pthread_join(tasks[part].thread, NULL);
        else
            work(context, part);
    }
}
#endif
