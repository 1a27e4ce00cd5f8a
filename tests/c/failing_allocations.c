/* To be preloaded: the N-th allocation of a shared object fails, and what it has not freed is counted.
 *
 * Allocations are malloc, calloc, realloc, posix_memalign and pthread_create, called from an object whose path contains
 * the word that `fail_in` was given. Linux, gcc or clang. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

void fail_in(const char *word, long at);
long allocations(void);
long outstanding(void);

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *data, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *data);

enum { MOST = 1 << 14 };

static const char *of;      /* NULL: nothing is counted */
static long counted, fails; /* the fails-th fails; 0: none */
static void *live[MOST];
static long n_live;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Count allocations of objects that `word` names from now on, and let one fail. */
void fail_in(const char *word, long at)
{
    of = word;
    counted = n_live = 0;
    fails = at;
}

long allocations(void)
{
    return counted;
}

long outstanding(void)
{
    return n_live;
}

static int is_meant(void *caller)
{
    Dl_info info;
    return of && dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, of);
}

/* 1 where the call is to fail. */
static int counts_and_fails(void)
{
    return __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST) == fails;
}

static void *note(void *data)
{
    pthread_mutex_lock(&lock);
    if (data && n_live < MOST)
        live[n_live++] = data;
    pthread_mutex_unlock(&lock);
    return data;
}

static void forget(void *data)
{
    if (!of || !data)
        return;
    pthread_mutex_lock(&lock);
    for (long k = n_live - 1; k >= 0; k--) {
        if (live[k] == data) {
            live[k] = live[--n_live];
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

void *malloc(size_t bytes)
{
    if (!is_meant(__builtin_return_address(0)))
        return __libc_malloc(bytes);
    return counts_and_fails() ? NULL : note(__libc_malloc(bytes));
}

void *calloc(size_t n, size_t bytes)
{
    if (!is_meant(__builtin_return_address(0)))
        return __libc_calloc(n, bytes);
    return counts_and_fails() ? NULL : note(__libc_calloc(n, bytes));
}

void *realloc(void *data, size_t bytes)
{
    if (!is_meant(__builtin_return_address(0))) {
        forget(data);
        return __libc_realloc(data, bytes);
    }
    if (counts_and_fails())
        return NULL;
    forget(data);
    return note(__libc_realloc(data, bytes));
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    int meant = is_meant(__builtin_return_address(0));
    if (meant && counts_and_fails())
        return ENOMEM;
    void *data = __libc_memalign(alignment, bytes);
    if (!data)
        return ENOMEM;
    *out = meant ? note(data) : data;
    return 0;
}

void free(void *data)
{
    forget(data);
    __libc_free(data);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real)
        real =
            (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
    if (is_meant(__builtin_return_address(0)) && counts_and_fails())
        return EAGAIN;
    return real(thread, attributes, start, argument);
}
