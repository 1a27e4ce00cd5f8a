# Part of core.pyx: blocks of memory, arrays as memory, the layout of a batch, the tape.

cdef extern from *:
    """
    #include <stdlib.h>
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif

    /* malloc, in huge pages where there is room for some: weights of a megabyte and more are then read without waiting
     * for the addresses of their pages. free frees it. */
    static void *pylstm_allocate(size_t n_bytes)
    {
    #if defined(__linux__) && defined(MADV_HUGEPAGE)
        const size_t huge = (size_t)2 << 20;
        if (n_bytes >= huge && n_bytes <= (size_t)-1 - huge) {
            void *data = NULL;
            if (posix_memalign(&data, huge, n_bytes))
                return NULL;
            madvise(data, n_bytes, MADV_HUGEPAGE); /* a wish: it may be refused */
            return data;
        }
    #endif
        return malloc(n_bytes);
    }
    """
    void *pylstm_allocate(size_t n_bytes)


cdef class _Memory:
    """A block from malloc."""

    cdef pylstm_memory c

    def __cinit__(self, size_t n_bytes):
        self.c.data = pylstm_allocate(n_bytes)
        if self.c.data == NULL:
            raise MemoryError(f"pylstm: {n_bytes} bytes of working memory could not be allocated")
        self.c.bytes = n_bytes

    def __dealloc__(self):
        free(self.c.data)


cdef pylstm_memory memory_of(_Memory memory):
    """Return a block for C, or for None that there is none."""
    return pylstm_memory(NULL, 0) if memory is None else memory.c


@cython.freelist(8)
cdef class _View:
    """The memory of a C-contiguous array, which lives as long as this.

    NumPy's C interface, as a typed memoryview, or a buffer, takes longer to make than small nets to compute.
    """

    cdef ndarray array
    cdef void *data

    def __cinit__(self, ndarray array not None, bint writable=False):
        if not PyArray_IS_C_CONTIGUOUS(array) or (writable and not PyArray_ISWRITEABLE(array)):
            raise ValueError("pylstm: an array is not C-contiguous, or not writable")
        self.array = array
        self.data = PyArray_DATA(array)


cdef class _Batch:
    """The layout of sequences of the given lengths."""

    cdef pylstm_batch c
    cdef _Memory memory

    cdef _Batch init(self, Py_ssize_t n_sequences, const Py_ssize_t *lengths):
        cdef pylstm_shape shape
        cdef size_t n_bytes = 0
        check(pylstm_shape_init(&shape, n_sequences, lengths))
        check(pylstm_batch_size(&shape, &n_bytes))
        self.memory = _Memory(n_bytes)
        check(pylstm_batch_init(&self.c, n_sequences, lengths, self.memory.c.data, n_bytes))
        return self


cdef _Batch batch_of(steps):
    cdef _View view = _View(steps.lengths)
    cdef _Batch batch = _Batch()
    return batch.init(steps.lengths.shape[0], <const Py_ssize_t *> view.data)


cdef _Batch dense_batch(Py_ssize_t n_sequences, Py_ssize_t n_steps):
    cdef _Memory lengths = _Memory(n_sequences * sizeof(Py_ssize_t))
    cdef Py_ssize_t b
    for b in range(n_sequences):
        (<Py_ssize_t *> lengths.c.data)[b] = n_steps
    cdef _Batch batch = _Batch()
    return batch.init(n_sequences, <const Py_ssize_t *> lengths.c.data)


cdef class _Tape:
    """What a training forward leaves for backward."""

    cdef _Memory memory
    cdef _Batch batch
    cdef object steps
    cdef uint64_t dropout_seed
