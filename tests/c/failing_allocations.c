/* To be preloaded: the N-th allocation of a shared object fails, and what it has not freed is counted.
 *
 * Allocations are malloc, calloc, realloc, posix_memalign and pthread_create, called from an object whose path contains
 * the word that `fail_in` was given, or from CPython when such an object has called it. Linux, gcc or clang. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unwind.h>

void fail_in(const char *word, int with_objects, long at);
long allocations(void);
long outstanding(void);

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *data, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *data);

enum { MOST = 1 << 14 };

static const char *of;      /* NULL: nothing is counted */
static void *cpython, *own; /* where they lie; cpython NULL: what it allocates is not meant */
static long counted, fails; /* the fails-th fails; 0: none */
static void *live[MOST];
static long n_live;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *object_of(void *address)
{
    Dl_info info;
    return dladdr(address, &info) ? info.dli_fbase : NULL;
}

/* Count allocations of shared objects that `word` names from now on, and let one fail; with_objects: those too that
 * CPython makes for them, which under PYTHONMALLOC=malloc are all of Python's objects. */
void fail_in(const char *word, int with_objects, long at)
{
    of = word;
    cpython = with_objects ? object_of(dlsym(RTLD_DEFAULT, "PyObject_Malloc")) : NULL;
    own = object_of((void *)(uintptr_t)fail_in);
    counted = n_live = 0;
    fails = at;
}

/* How many there were. None fails from now on. */
long allocations(void)
{
    fails = 0;
    return counted;
}

long outstanding(void)
{
    return n_live;
}

/* Pages of CPython's code and of this file's, as far as they are known: dladdr looks through all symbols. */
static uintptr_t inside[1 << 12];

static _Unwind_Reason_Code look_outside(struct _Unwind_Context *frame, void *path)
{
    uintptr_t address = (uintptr_t)_Unwind_GetIP(frame), page = address >> 12;
    uintptr_t *known = &inside[page % (sizeof inside / sizeof *inside)];
    Dl_info info;
    if (*known == page || !dladdr((void *)address, &info))
        return _URC_NO_REASON;
    if (info.dli_fbase == cpython || info.dli_fbase == own) {
        *known = page;
        return _URC_NO_REASON;
    }
    *(const char **)path = info.dli_fname;
    return _URC_END_OF_STACK;
}

static int is_meant(void *caller)
{
    Dl_info info;
    const char *path;
    if (!of || !dladdr(caller, &info))
        return 0;
    path = info.dli_fname;
    if (cpython && info.dli_fbase == cpython)
        _Unwind_Backtrace(look_outside, &path); /* NumPy's objects are left alone: NumPy itself crashes without some */
    return path && strstr(path, of);
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
