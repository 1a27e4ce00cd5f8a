#if defined(__linux__)
#define _GNU_SOURCE /* affinities, in sched.h and pthread.h */
#endif
#include "support/threads.h"

#if defined(_WIN32)
void pylstm_run_parts(ptrdiff_t n_parts, void (*work)(void *context, ptrdiff_t part), void *context)
{
    for (ptrdiff_t part = 0; part < n_parts; part++)
        work(context, part);
}

void pylstm_run_team(ptrdiff_t n_members, void (*work)(void *context, struct member member), void *context)
{
    (void)n_members;
    work(context, ALONE);
}

void pylstm_wait_for_team(struct member member)
{
    (void)member;
}
#else
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#if defined(__GLIBC__)
#include <sched.h>

/* Linux often starts a thread on its creator's processor, though another is idle: there it waits for as long as the
 * creator works, and nothing is gained (seen in half of calls that follow one another at once). So it starts anywhere
 * but here, and may go everywhere once it runs. */
static bool create_elsewhere(pthread_t *thread, void *(*run)(void *), void *argument, cpu_set_t elsewhere)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes))
        return false;
    bool created = pthread_attr_setaffinity_np(&attributes, sizeof elsewhere, &elsewhere) == 0 &&
                   pthread_create(thread, &attributes, run, argument) == 0;
    pthread_attr_destroy(&attributes);
    return created;
}

static bool create_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    cpu_set_t allowed, elsewhere;
    int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return pthread_create(thread, NULL, run, argument) == 0;
    elsewhere = allowed;
    CPU_CLR((size_t)here, &elsewhere);
    if (CPU_COUNT(&elsewhere) == 0 || !create_elsewhere(thread, run, argument, elsewhere))
        return pthread_create(thread, NULL, run, argument) == 0;
    pthread_setaffinity_np(*thread, sizeof allowed, &allowed);
    return true;
}
#else
static bool create_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    return pthread_create(thread, NULL, run, argument) == 0;
}
#endif

/* About 20 microseconds: longer than any step that is worth a team takes, short where the other has no core. */
enum { SPINS = 1000 };

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A thread that has set `done` touches nothing of the caller's any more. Spun for: to sleep and be woken by the
 * thread's end takes longer than most threads are late. */
static void finish(pthread_t thread, atomic_bool *done)
{
    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load_explicit(done, memory_order_acquire)) {
            pthread_detach(thread);
            return;
        }
        relax();
    }
    pthread_join(thread, NULL);
}

/* ------------------------------------------------------------------- parts */

struct task {
    void (*work)(void *context, ptrdiff_t part);
    void *context;
    ptrdiff_t part;
    pthread_t thread;
    bool started;
    atomic_bool done;
};

static void *run_task(void *argument)
{
    struct task *task = argument;
    task->work(task->context, task->part);
    atomic_store_explicit(&task->done, true, memory_order_release);
    return NULL;
}

void pylstm_run_parts(ptrdiff_t n_parts, void (*work)(void *context, ptrdiff_t part), void *context)
{
    struct task tasks[MAX_THREADS];
    for (ptrdiff_t part = 1; part < n_parts; part++) {
        tasks[part] = (struct task){.work = work, .context = context, .part = part};
        tasks[part].started = create_thread(&tasks[part].thread, run_task, &tasks[part]);
    }
    work(context, 0);
    for (ptrdiff_t part = 1; part < n_parts; part++) {
        if (tasks[part].started)
            finish(tasks[part].thread, &tasks[part].done);
        else
            work(context, part);
    }
}

/* -------------------------------------------------------------------- team */

struct team {
    void (*work)(void *context, struct member member);
    void *context;
    ptrdiff_t n_members; /* 0 until it is known how many threads there are */
    atomic_ptrdiff_t arrived;
    atomic_uint phase; /* how often all have met */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* phase or n_members */
};

void pylstm_wait_for_team(struct member member)
{
    struct team *team = member.team;
    if (member.n_members == 1)
        return;
    unsigned phase = atomic_load(&team->phase);
    if (atomic_fetch_add(&team->arrived, 1) + 1 == member.n_members) {
        atomic_store(&team->arrived, 0);
        pthread_mutex_lock(&team->mutex);
        atomic_store(&team->phase, phase + 1);
        pthread_cond_broadcast(&team->changed);
        pthread_mutex_unlock(&team->mutex);
        return;
    }
    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load(&team->phase) != phase)
            return;
        relax();
    }
    pthread_mutex_lock(&team->mutex);
    while (atomic_load(&team->phase) == phase)
        pthread_cond_wait(&team->changed, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

struct recruit {
    struct team *team;
    ptrdiff_t index;
    pthread_t thread;
    atomic_bool done;
};

static void *run_recruit(void *argument)
{
    struct recruit *recruit = argument;
    struct team *team = recruit->team;
    pthread_mutex_lock(&team->mutex);
    while (team->n_members == 0)
        pthread_cond_wait(&team->changed, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
    team->work(team->context, (struct member){team, recruit->index, team->n_members});
    atomic_store_explicit(&recruit->done, true, memory_order_release);
    return NULL;
}

void pylstm_run_team(ptrdiff_t n_members, void (*work)(void *context, struct member member), void *context)
{
    struct team team = {.work = work, .context = context};
    struct recruit recruits[MAX_THREADS];
    if (n_members == 1 || pthread_mutex_init(&team.mutex, NULL)) {
        work(context, ALONE);
        return;
    }
    if (pthread_cond_init(&team.changed, NULL)) {
        pthread_mutex_destroy(&team.mutex);
        work(context, ALONE);
        return;
    }
    ptrdiff_t started = 1;
    for (; started < n_members; started++) {
        recruits[started] = (struct recruit){.team = &team, .index = started};
        if (!create_thread(&recruits[started].thread, run_recruit, &recruits[started]))
            break;
    }
    pthread_mutex_lock(&team.mutex);
    team.n_members = started;
    pthread_cond_broadcast(&team.changed);
    pthread_mutex_unlock(&team.mutex);
    work(context, (struct member){&team, 0, started});
    for (ptrdiff_t m = 1; m < started; m++)
        finish(recruits[m].thread, &recruits[m].done);
    pthread_cond_destroy(&team.changed);
    pthread_mutex_destroy(&team.mutex);
}
#endif
