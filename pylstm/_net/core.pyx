# cython: language_level=3, boundscheck=False, wraparound=False, embedsignature=True
"""Bindings of src_c: objects that own memory, hand buffers to C and release the GIL. The arithmetic is in src_c."""

import os
from collections import namedtuple

import numpy as np

from pylstm._net.cells import GATES, check_cell, suffix_of
from pylstm._inside.explain import explain
from pylstm._net.initialisation import as_generator, check_forget_bias, initialise
from pylstm._net.inputs import (
    as_given,
    as_numbers,
    as_rows_like,
    as_steps,
    check_dtype,
    check_real,
    check_size,
    check_unmasked,
    fill,
    fill_state,
)
from pylstm._inside.trace import held_values, trace

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.ref cimport PyObject
from libc.stdint cimport uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy
from numpy cimport (
    NPY_FLOAT32, NPY_FLOAT64, PyArray_DATA, PyArray_DESCR, PyArray_DIMS, PyArray_EMPTY, PyArray_IS_C_CONTIGUOUS,
    PyArray_ISCARRAY_RO, PyArray_ISWRITEABLE, PyArray_NBYTES, PyArray_NDIM, PyArray_SimpleNewFromData, import_array,
    ndarray, npy_intp, set_array_base,
)
from scipy.linalg cimport cython_blas

from pylstm._net.c_api cimport *

import_array()

cdef pylstm_blas BLAS
BLAS.sgemm = <pylstm_sgemm *> cython_blas.sgemm
BLAS.dgemm = <pylstm_dgemm *> cython_blas.dgemm


#: The instruction sets that this build has and this machine runs, by name.
isas = [pylstm_isa_name(k).decode() for k in range(PYLSTM_ISA_BEST + 1, PYLSTM_N_ISA) if pylstm_isa_available(k)]


def _isa_from_environment():
    """Return the instruction set that PYLSTM_ISA names, or the best."""
    cdef int isa
    name = os.environ.get("PYLSTM_ISA", "")
    if not name:
        return pylstm_isa_best()
    for isa in range(PYLSTM_ISA_BEST + 1, PYLSTM_N_ISA):
        if pylstm_isa_available(isa) and pylstm_isa_name(isa).decode() == name:
            return isa
    raise ImportError(f"PYLSTM_ISA must be one of {', '.join(isas)} on this machine, got {name!r}")


cdef pylstm_isa ISA = _isa_from_environment()
#: The instruction set whose kernels run, by name.
isa = pylstm_isa_name(ISA).decode()


Gradients = namedtuple("Gradients", ["parameters", "input", "state"])
Gradients.__doc__ = """What `Sequence.backward` returns.

``parameters`` is a dict with the keys of `Sequence.parameters`; ``input`` has the form of the input; ``state`` is that
of the initial state, a list with one pair (h, c), or (h,), per layer.
"""


cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *)  # of an object, it would count the reference that Cython passes


cdef int check(int status) except -1:
    if status:
        raise ValueError(f"pylstm: {pylstm_strerror(status).decode()}")
    return 0


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
        if (n_bytes >= 2 * huge && n_bytes <= (size_t)-1 - huge) {
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


cdef class _Net:
    """Shape and weights of a stack of layers, and the two passes over it."""

    cdef pylstm_net c
    cdef readonly tuple hidden_sizes
    cdef readonly object dtype
    cdef readonly str cell          # "lstm", "gru" or "rnn"
    cdef readonly str nonlinearity  # of the plain RNN
    cdef _Memory sizes
    cdef object flat       # all parameters in one array ...
    cdef _View flat_view
    cdef dict views        # ... and each by its name
    cdef _Memory spare     # the last call's workspace: fresh pages cost more than many a call
    cdef _Memory packed    # the weights packed, for as long as nobody can have changed them
    cdef int n_unchanged   # inferences since they may have been changed
    cdef bint last_first   # of `pylstm_net`, in the next forward
    cdef bint handed_out   # views of them were given to the user, and may still be held
    cdef object generator

    cdef setup(self, input_size, hidden_sizes, bidirectional, dropout, dtype, random_state, n_threads, cell,
               nonlinearity):
        """Check the arguments and describe the net to C; its weights are not there yet.

        After an error the object is what it was.
        """
        cdef Py_ssize_t layer
        cdef pylstm_net net
        net.input_size = check_size(input_size, "input_size")
        checked_dtype = check_dtype(dtype)
        net.dtype = PYLSTM_FLOAT32 if checked_dtype == np.float32 else PYLSTM_FLOAT64
        checked_sizes = tuple(
            [check_size(size, "hidden_size" if len(hidden_sizes) == 1 else f"hidden_size[{index}]")
             for index, size in enumerate(hidden_sizes)]
        )
        if not checked_sizes:
            raise ValueError("hidden_size must name at least one layer, got ()")
        net.n_layers = len(checked_sizes)
        cdef _Memory sizes = _Memory(net.n_layers * sizeof(Py_ssize_t))
        for layer in range(net.n_layers):
            (<Py_ssize_t *> sizes.c.data)[layer] = checked_sizes[layer]
        net.hidden_sizes = <const Py_ssize_t *> sizes.c.data
        net.n_directions = 2 if bidirectional else 1
        net.isa = ISA
        net.n_threads = check_size(n_threads, "n_threads")
        net.dropout = check_real(dropout, "dropout", 0.0, 1.0)
        net.cell = <pylstm_cell> <int> check_cell(cell, nonlinearity)
        check(pylstm_net_check(&net))
        generator = as_generator(random_state)
        # Of an object that is initialised again, weights of other sizes must not stay: allocating new ones can fail.
        self.changed()
        self.flat = self.flat_view = self.views = None
        self.handed_out = False
        self.c, self.sizes, self.hidden_sizes, self.dtype = net, sizes, checked_sizes, checked_dtype
        self.cell, self.nonlinearity = cell, nonlinearity if cell == "rnn" else "tanh"
        self.generator = generator

    cdef void *weights(self) except NULL:
        """Return the weights for C, or say that there are none."""
        if self.flat_view is None:
            raise RuntimeError("this object has no weights: its __init__ was not called, or ended in an error")
        return self.flat_view.data

    cdef str kind(self):
        """Return what a repr says of the cell."""
        if self.cell == "lstm":
            return ""
        return f", cell={self.cell!r}" + (", nonlinearity='relu'" if self.nonlinearity == "relu" else "")

    cdef allocate(self, Py_ssize_t n_parameters):
        """Allocate the weights; the net's own come first."""
        cdef Py_ssize_t layer, direction
        cdef pylstm_layer at
        self.flat = np.zeros(n_parameters, self.dtype)
        self.flat_view = _View(self.flat, True)
        self.views = {}
        for layer in range(self.c.n_layers):
            for direction in range(self.c.n_directions):
                at = pylstm_net_layer(&self.c, layer, direction)
                suffix = suffix_of(layer, direction)
                self.name(f"weight_ih{suffix}", at.weight_ih, (at.n_gates * at.hidden_size, at.input_size))
                self.name(f"weight_hh{suffix}", at.weight_hh, (at.n_gates * at.hidden_size, at.hidden_size))
                self.name(f"bias{suffix}", at.bias, (at.n_biases * at.hidden_size,))

    cdef name(self, key, Py_ssize_t start, shape):
        self.views[key] = self.flat[start:start + np.prod(shape, dtype=np.intp)].reshape(shape)

    cdef _Memory take_workspace(self, size_t n_bytes):
        """Return working memory for one call, the spare one if it is free and large enough."""
        cdef _Memory memory = self.spare
        self.spare = None
        if memory is None or memory.c.bytes < n_bytes:
            memory = _Memory(n_bytes)
        return memory

    cdef dict hand_out(self):
        """Return the weights by name, for a user who may write to them."""
        self.handed_out = True
        return dict(self.views)

    def copy_weights(self):
        """Return all weights in one array, in the order of `parameters`."""
        return self.flat.copy()

    cdef changed(self):
        """Note that the weights are others."""
        self.packed = None
        self.n_unchanged = 0

    cdef bint in_reach(self):
        """Whether anybody else holds the weights: one of the named views, or any other whose memory they are."""
        # `flat` is held by this object, by `flat_view` and by the named views; those by `views`, and here by `view`.
        if Py_REFCNT(<PyObject *> self.flat) > 2 + len(self.views):
            return True
        for view in self.views.values():
            if Py_REFCNT(<PyObject *> view) > 2:
                return True
        return False

    @property
    def n_directions(self):
        """2 where the layers run in both directions, else 1."""
        return self.c.n_directions

    @property
    def is_packed(self):
        """Whether the weights are kept packed."""
        return self.packed is not None

    cdef _Memory pack(self):
        """Return the weights packed, in new memory."""
        cdef size_t n_bytes = 0
        cdef int status
        check(pylstm_packed_size(&self.c, &n_bytes))
        cdef _Memory memory = _Memory(n_bytes)
        cdef const void *weights = self.weights()
        with nogil:
            status = pylstm_pack(&self.c, weights, memory.c)
        check(status)
        return memory

    cdef _Memory packed_weights(self):
        """Return the weights packed, or None: then the call packs them itself, into its workspace.

        Kept are those that a second inference has found unchanged.
        """
        cdef _Memory memory
        if self.handed_out:
            self.changed()
            self.handed_out = self.in_reach()
            if self.handed_out:
                return None
        if self.packed is None:
            self.n_unchanged += 1
            if self.n_unchanged < 2:
                return None
            memory = self.pack()
            if not self.handed_out:  # by another thread, meanwhile
                self.packed = memory
        return self.packed

    cdef restore(self, flat, generator):
        self.changed()
        self.flat[...] = flat
        self.generator = generator
        return self

    cdef ndarray empty(self, int ndim, npy_intp a, npy_intp b=1, npy_intp c=1):
        """Return a new array (a,), (a, b) or (a, b, c)."""
        cdef npy_intp *shape = [a, b, c]
        return PyArray_EMPTY(ndim, shape, self.typenum(), False)

    cdef int typenum(self):
        return NPY_FLOAT32 if self.c.dtype == PYLSTM_FLOAT32 else NPY_FLOAT64

    cdef new_state(self, Py_ssize_t n_sequences):
        return self.empty(1, pylstm_net_state_size(&self.c) * n_sequences)

    cdef list state_views(self, ndarray flat, Py_ssize_t n_sequences):
        """Return, per layer, (h, c), or (h,) where there is no c, as views of a flat state."""
        cdef Py_ssize_t layer
        cdef pylstm_layer at
        views = []
        for layer in range(self.c.n_layers):
            at = pylstm_net_layer(&self.c, layer, 0)
            h = self.state_view(flat, at.h * n_sequences, n_sequences, at.hidden_size)
            if at.n_states == 1:
                views.append((h,))
                continue
            views.append((h, self.state_view(flat, at.c * n_sequences, n_sequences, at.hidden_size)))
        return views

    cdef ndarray state_view(self, ndarray flat, Py_ssize_t start, Py_ssize_t n_sequences, Py_ssize_t hidden):
        cdef npy_intp *shape = [self.c.n_directions, n_sequences, hidden]
        cdef char *data = <char *> PyArray_DATA(flat) + start * <Py_ssize_t> flat.itemsize
        cdef ndarray view = PyArray_SimpleNewFromData(3, shape, self.typenum(), data)
        set_array_base(view, flat)
        return view

    cdef _View plain(self, array, int ndim):
        """Return the memory of an array that can be used as it lies: C-contiguous, aligned, of the net's dtype."""
        if type(array) is not ndarray or <PyObject *> PyArray_DESCR(array) != <PyObject *> self.dtype:
            return None
        return _View(array) if PyArray_ISCARRAY_RO(array) and PyArray_NDIM(array) == ndim else None

    cdef bint copy_plain(self, void *to, array, Py_ssize_t n_sequences, Py_ssize_t hidden):
        """Copy a plain state (n_directions, n_sequences, hidden); False if it is not that."""
        cdef _View view = self.plain(array, 3)
        if view is None:
            return False
        cdef const npy_intp *shape = PyArray_DIMS(view.array)
        if shape[0] != self.c.n_directions or shape[1] != n_sequences or shape[2] != hidden:
            return False
        memcpy(to, view.data, PyArray_NBYTES(view.array))
        return True

    cdef take_state(self, state, Py_ssize_t n_sequences):
        """Return a user's state in one flat array; None stays None."""
        if state is None:
            return None
        flat = self.new_state(n_sequences)
        cdef _View view = _View(flat, True)
        cdef Py_ssize_t layer
        cdef pylstm_layer at
        cdef char *data = <char *> view.data
        cdef Py_ssize_t width = self.dtype.itemsize * n_sequences
        if type(state) is list and len(state) == self.c.n_layers:
            for layer, pair in enumerate(state):
                at = pylstm_net_layer(&self.c, layer, 0)
                if not (type(pair) is tuple and len(pair) == at.n_states and
                        self.copy_plain(data + at.h * width, pair[0], n_sequences, at.hidden_size) and
                        (at.n_states == 1 or
                         self.copy_plain(data + at.c * width, pair[1], n_sequences, at.hidden_size))):
                    break
            else:
                return flat
        return fill_state(flat, state, self.state_views(flat, n_sequences), "state")

    cdef tuple run_forward(self, steps, state_in, _Tape tape):
        """Return outputs (n_rows, width) and final state, both flat; fill the tape if there is one."""
        cdef _Batch batch = batch_of(steps) if tape is None else tape.batch
        y = self.empty(2, batch.c.shape.n_rows, pylstm_net_output_size(&self.c))
        return y, self.run(_View(steps.rows), batch, y, state_in, tape)

    cdef run(self, _View x_view, _Batch batch, y, state_in, _Tape tape):
        """Fill y and return the final state, flat."""
        cdef pylstm_memory tape_memory, workspace, packed_memory
        cdef _Memory packed = self.packed_weights() if tape is None else None
        cdef uint64_t seed = 0 if tape is None else tape.dropout_seed
        cdef size_t n_bytes = 0
        cdef int status
        check(pylstm_forward_size(&self.c, &batch.c.shape, &n_bytes))
        cdef _Memory memory = self.take_workspace(n_bytes)
        workspace = memory.c
        packed_memory = memory_of(packed)
        tape_memory = memory_of(None if tape is None else tape.memory)
        state_out = self.new_state(batch.c.shape.n_sequences)
        cdef _View y_view = _View(y, True), out_view = _View(state_out, True)
        cdef _View in_view = None if state_in is None else _View(state_in)
        cdef const void *in_data = NULL if state_in is None else in_view.data
        cdef const void *weights = self.weights()
        cdef pylstm_net net = self.c  # other threads read that one
        net.last_first = self.last_first
        self.last_first ^= batch.c.shape.n_steps & 1
        with nogil:
            status = pylstm_forward(&net, &batch.c, weights, packed_memory, x_view.data, in_data,
                                    y_view.data, out_view.data, seed, tape_memory, workspace)
        self.spare = memory
        check(status)
        return state_out

    def run_traced(self, steps, state, held):
        """Run in inference and return what happened.

        Parameters
        ----------
        steps : Steps
        state : list or None
        held : ndarray or None
            As `pylstm_trace` takes it.

        Returns
        -------
        output : ndarray (n_rows, n_directions * hidden_size)
        initial_state, final_state : list
        values : list of ndarray (n, n_rows, hidden_size)
            For each layer, each of its directions: what `pylstm_tape_read` says.
        """
        cdef Py_ssize_t layer, direction, n_sequences = len(steps.lengths), n_rows = len(steps.rows)
        cdef _View view
        state_in = self.take_state(state, n_sequences)
        if state_in is None:
            state_in = np.zeros(pylstm_net_state_size(&self.c) * n_sequences, self.dtype)
        cdef _Tape tape = self.new_tape(steps)
        output, state_out = self.trace_on(tape, state_in, held)
        values = []
        for layer in range(self.c.n_layers):
            for direction in range(self.c.n_directions):
                of_layer = np.empty((len(GATES[self.cell]._fields), n_rows, self.hidden_sizes[layer]), self.dtype)
                values.append(of_layer)
                view = _View(of_layer, True)
                check(pylstm_tape_read(&self.c, &tape.batch.c, layer, direction, tape.memory.c, view.data))
        return output, self.state_views(state_in, n_sequences), self.state_views(state_out, n_sequences), values

    cdef tuple trace_on(self, _Tape tape, state_in, held):
        """Return outputs (n_rows, width) and final state, flat, of an inference that fills the tape."""
        cdef _Memory packed = self.packed_weights()
        cdef size_t n_bytes = 0
        cdef int status
        if packed is None and held is not None:
            packed = self.pack()
        check(pylstm_forward_size(&self.c, &tape.batch.c.shape, &n_bytes))
        cdef _Memory workspace = self.take_workspace(n_bytes)
        y = self.empty(2, tape.batch.c.shape.n_rows, pylstm_net_output_size(&self.c))
        state_out = self.new_state(tape.batch.c.shape.n_sequences)
        cdef _View x_view = _View(tape.steps.rows), y_view = _View(y, True), out_view = _View(state_out, True)
        cdef _View in_view = None if state_in is None else _View(state_in)
        cdef _View held_view = None if held is None else _View(held)
        cdef const void *in_data = NULL if state_in is None else in_view.data
        cdef const void *held_data = NULL if held is None else held_view.data
        cdef pylstm_memory packed_memory = memory_of(packed)
        cdef const void *weights = self.weights()
        with nogil:
            status = pylstm_trace(&self.c, &tape.batch.c, weights, packed_memory, x_view.data, in_data,
                                  held_data, y_view.data, out_view.data, tape.memory.c, workspace.c)
        self.spare = workspace
        check(status)
        return y, state_out

    cdef _Tape new_tape(self, steps, _Memory reused=None):
        """Return a tape for these steps, in `reused` memory if that is large enough."""
        cdef _Tape tape = _Tape()
        cdef size_t n_bytes = 0
        tape.batch = batch_of(steps)
        check(pylstm_tape_size(&self.c, &tape.batch.c.shape, &n_bytes))
        tape.memory = _Memory(n_bytes) if reused is None or reused.c.bytes < n_bytes else reused
        tape.steps = steps
        return tape


cdef class Cell(_Net):
    """One cell, a step at a time.

    Parameters
    ----------
    input_size : int
        Features per step.
    hidden_size : int
        Units of the cell, H.
    dtype : {"float32", "float64"}, default="float32"
        Of the weights and all arithmetic.
    forget_bias : float or "chrono", default=1.0
        Initial bias of an LSTM's forget gate. "chrono" draws it, and the input gate's, so that the units remember for
        spans spread up to `t_max` steps (Tallec & Ollivier 2018).
    random_state : int, numpy Generator or RandomState, default=None
        Seed of the initial weights.
    t_max : int, default=None
        The longest span to remember, at least 3; goes with ``forget_bias="chrono"``.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units are: LSTM, GRU (with the reset gate after the recurrent product, as PyTorch's), or plain RNN.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the plain RNN; other cells do not read it.

    Attributes
    ----------
    weight_ih : ndarray (4 * hidden_size, input_size)
        Input weights, gates stacked i, f, g, o. Like the next two a writable view: the cell uses what is written there.
    weight_hh : ndarray (4 * hidden_size, hidden_size)
        Recurrent weights.
    bias : ndarray (4 * hidden_size,)
        A GRU has gates r, z, n: (3 * hidden_size, ...) weights, and a bias (4 * hidden_size,) that ends with the one of
        n's recurrent part. An RNN has (hidden_size, ...) of each.
    input_size, hidden_size : int
    dtype : numpy dtype

    Examples
    --------
    >>> import numpy as np, pylstm
    >>> cell = pylstm.Cell(3, 5, random_state=0)
    >>> h, c = cell.step(np.ones((2, 3)))
    >>> h, c = cell.step(np.ones((2, 3)), (h, c))
    >>> h.shape
    (2, 5)
    """

    cdef readonly object forget_bias
    cdef readonly object t_max

    def __init__(self, input_size, hidden_size, dtype="float32", forget_bias=1.0, random_state=None, *, t_max=None,
                 cell="lstm", nonlinearity="tanh"):
        forget_bias, t_max = check_forget_bias(forget_bias, t_max, cell)
        self.setup(input_size, (hidden_size,), False, 0.0, dtype, random_state, 1, cell, nonlinearity)
        self.forget_bias, self.t_max = forget_bias, t_max
        self.allocate(pylstm_net_n_parameters(&self.c))
        initialise(self.views, self.cell, self.forget_bias, self.t_max, self.generator)

    def __repr__(self):
        return f"Cell({self.input_size}, {self.hidden_size}, dtype={self.dtype.name!r}{self.kind()})"

    def __reduce__(self):
        self.handed_out = True
        arguments = (self.input_size, self.hidden_size, self.dtype, self.forget_bias, 0)
        options = {"t_max": self.t_max, "cell": self.cell, "nonlinearity": self.nonlinearity}
        return _restore, (Cell, arguments, options, self.flat, self.generator)

    @property
    def input_size(self):
        """Features per step."""
        return self.c.input_size

    @property
    def hidden_size(self):
        """Units of the cell."""
        return self.hidden_sizes[0]

    @property
    def weight_ih(self):
        """(G * hidden_size, input_size), a writable view."""
        return self.hand_out()["weight_ih_l0"]

    @property
    def weight_hh(self):
        """(G * hidden_size, hidden_size), a writable view."""
        return self.hand_out()["weight_hh_l0"]

    @property
    def bias(self):
        """(G * hidden_size,), of a GRU (4 * hidden_size,), a writable view."""
        return self.hand_out()["bias_l0"]

    cdef tuple check_step(self, x, state):
        """Return the steps and flat state of one step."""
        x = as_numbers(x, "x", 2, "(n_sequences, input_size)", self.dtype)
        steps = as_steps(x[:, np.newaxis], self.c.input_size, self.dtype, "x")
        if state is None:
            return steps, None
        flat = self.new_state(len(x))
        views, = self.state_views(flat, len(x))
        if self.cell != "lstm":
            fill(views[0][0], state, "state, h alone,")
            return steps, flat
        if not isinstance(state, (list, tuple)) or len(state) != 2:
            raise ValueError(f"state must be a pair (h, c), got {type(state).__name__!r}")
        fill(views[0][0], state[0], "h of state")
        fill(views[1][0], state[1], "c of state")
        return steps, flat

    def step(self, x, state=None):
        """Take one step.

        Parameters
        ----------
        x : array-like (n_sequences, input_size)
        state : pair (h, c), each array-like (n_sequences, hidden_size), default=None
            Of a GRU or an RNN h alone. None starts at zero.

        Returns
        -------
        h, c : ndarray (n_sequences, hidden_size)
            The new state; h is also the output. Of a GRU or an RNN h alone.

        Raises
        ------
        ValueError, TypeError
            If `x` or `state` have another shape or hold no numbers.
        """
        steps, state_in = self.check_step(x, state)
        _, state_out = self.run_forward(steps, state_in, None)
        views, = self.state_views(state_out, len(steps.lengths))
        return (views[0][0], views[1][0]) if self.cell == "lstm" else views[0][0]

    def gates(self, x, state=None):
        """Take one step and show what happened in it.

        Parameters
        ----------
        x, state
            As in `step`.

        Returns
        -------
        Gates
            A named tuple i, f, g, o, c, h of arrays (n_sequences, hidden_size): the gates after their activation, the
            new cell state, the new output. Of a GRU r, z, n, h; of an RNN h.

        Examples
        --------
        >>> import numpy as np, pylstm
        >>> cell = pylstm.Cell(1, 4, forget_bias=5.0, random_state=0)
        >>> bool((cell.gates(np.zeros((1, 1))).f > 0.99).all())
        True
        """
        steps, state_in = self.check_step(x, state)
        _, _, _, values = self.run_traced(steps, None if state_in is None else self.state_views(state_in, len(x)), None)
        return GATES[self.cell](*values[0])

    def explain(self, x, state=None, unit=0):
        """Take one step and show the arithmetic of one unit, with digits that add up.

        Parameters
        ----------
        x : array-like (input_size,) or (1, input_size)
        state : pair (h, c), each array-like (hidden_size,) or (1, hidden_size), default=None
            Of a GRU or an RNN h alone. None starts at zero.
        unit : int, default=0

        Returns
        -------
        Explanation
            Print it. Its numbers are in ``sums`` and ``gates``.

        Raises
        ------
        ValueError, TypeError
            If `x` or `state` have another shape, hold no numbers or are not finite, or there is no such unit.

        Examples
        --------
        >>> import pylstm
        >>> cell = pylstm.Cell(1, 1, dtype="float64", cell="rnn", random_state=0)
        >>> cell.weight_ih[...], cell.weight_hh[...], cell.bias[...] = 0.3, -0.5, 0.1
        >>> step = cell.explain([2.0], state=[0.4])
        >>> print(step)
        RNN, one step of unit 0 (of 1, from 0 on)
        <BLANKLINE>
        h, the output
          bias                           0.1000
          x[0]         2.0000 *  0.3000  0.6000
          h[0]         0.4000 * -0.5000 -0.2000
          sum                            0.5000
          h = tanh(sum)                  0.4621
        <BLANKLINE>
        Rounded for print only, after the arithmetic.
        >>> round(step.sums["h"].total, 9)
        0.5
        """
        return explain(self, x, state, unit)


cdef class Sequence(_Net):
    """A stack of layers over whole sequences, dense or ragged, with back-propagation through time.

    Parameters
    ----------
    input_size : int
        Features per step.
    hidden_size : int or tuple of int
        Units of the layer, or one size per layer, the first next to the input.
    bidirectional : bool, default=False
        Whether each layer also runs over the reversed sequence; the outputs of the two lie side by side.
    dropout : float, default=0.0
        Probability that an output of a layer is zeroed in a training `forward`, the last layer's too; the others are
        scaled by 1 / (1 - dropout).
    dtype : {"float32", "float64"}, default="float32"
    forget_bias : float or "chrono", default=1.0
        See `Cell`.
    random_state : int, numpy Generator or RandomState, default=None
        Seed of the initial weights and of dropout.
    n_threads : int, default=1
        At most so many threads share the sequences of a batch, if it is large enough to be worth it. The outputs are
        the same bits for any number; gradients agree within rounding.
    t_max : int, default=None
        See `Cell`.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units of all layers are; see `Cell`.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the plain RNN; other cells do not read it.

    Notes
    -----
    Any number of threads may call ``forward(X)`` on one object at once. A training forward leaves a tape in the object,
    so there can be one at a time.

    Examples
    --------
    >>> import numpy as np, pylstm
    >>> seq = pylstm.Sequence(3, (8, 5), random_state=0)
    >>> Y, state = seq.forward([np.ones((4, 3)), np.ones((2, 3))], training=True)
    >>> [y.shape for y in Y]
    [(4, 5), (2, 5)]
    >>> gradients = seq.backward([np.ones_like(y) for y in Y])
    >>> gradients.parameters["weight_hh_l1"].shape
    (20, 5)
    """

    cdef readonly object forget_bias
    cdef readonly object t_max
    cdef _Tape tape
    cdef bint is_training  # a thread is writing or reading the tape

    def __init__(self, input_size, hidden_size, bidirectional=False, dropout=0.0, dtype="float32", forget_bias=1.0,
                 random_state=None, n_threads=1, *, t_max=None, cell="lstm", nonlinearity="tanh"):
        forget_bias, t_max = check_forget_bias(forget_bias, t_max, cell)
        sizes = tuple(hidden_size) if isinstance(hidden_size, (list, tuple)) else (hidden_size,)
        self.setup(input_size, sizes, bidirectional, dropout, dtype, random_state, n_threads, cell, nonlinearity)
        self.tape = None
        self.forget_bias, self.t_max = forget_bias, t_max
        self.allocate(pylstm_net_n_parameters(&self.c))
        initialise(self.views, self.cell, self.forget_bias, self.t_max, self.generator)

    def __repr__(self):
        return (f"Sequence({self.input_size}, {self.hidden_size}, bidirectional={self.bidirectional}, "
                f"dropout={self.dropout}, dtype={self.dtype.name!r}{self.kind()})")

    def __reduce__(self):
        self.handed_out = True
        arguments = (self.input_size, self.hidden_size, self.bidirectional, self.dropout, self.dtype,
                     self.forget_bias, 0, self.n_threads)
        options = {"t_max": self.t_max, "cell": self.cell, "nonlinearity": self.nonlinearity}
        return _restore, (Sequence, arguments, options, self.flat, self.generator)

    @property
    def input_size(self):
        """Features per step."""
        return self.c.input_size

    @property
    def hidden_size(self):
        """Units per layer: an int for one layer, else a tuple."""
        return self.hidden_sizes[0] if len(self.hidden_sizes) == 1 else self.hidden_sizes

    @property
    def bidirectional(self):
        """Whether the layers run in both directions."""
        return self.c.n_directions == 2

    @property
    def dropout(self):
        """Probability of a zeroed output in training."""
        return self.c.dropout

    @property
    def n_threads(self):
        """Most threads that a call uses."""
        return self.c.n_threads

    def parameters(self):
        """Return the weights by name.

        Returns
        -------
        dict of str to ndarray
            ``weight_ih_l0`` (4H, I), ``weight_hh_l0`` (4H, H), ``bias_l0`` (4H,), then ``..._l0_reverse`` and the next
            layers'. Of a GRU (3H, I), (3H, H), (4H,); of an RNN (H, I), (H, H), (H,). Writable views: what is written
            there, the next forward uses.
        """
        return self.hand_out()

    def forward(self, X, state=None, *, training=False, hold=None):
        """Run over whole sequences.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, input_size), or list of (n_steps_i, input_size)
        state : list, default=None
            The initial state, with a pair (h, c) per layer, each (n_directions, n_sequences, hidden_size); of a GRU or
            an RNN a tuple (h,). None starts at zero.
        training : bool, default=False
            Keep what `backward` needs, and apply dropout.
        hold : mapping, default=None
            Gates held at values, as in `trace`; not in training.

        Returns
        -------
        Y : ndarray (n_sequences, n_steps, n_directions * hidden_size), or list of (n_steps_i, ...)
            The last layer's output at each step.
        state : list
            As above, after each sequence's own last step (in the reverse direction, its first).

        Raises
        ------
        ValueError, TypeError
            If `X`, `state` or `hold` are of another form; the object is then as it was.
        RuntimeError
            If another thread is in a training forward or a backward of this object.
        """
        if hold is not None:
            if training:
                raise ValueError("hold must be None with training=True: there is no backward through a held gate")
            return self.forward_held(X, state, hold)
        cdef _View view = None if training else self.plain(X, 3)
        cdef const npy_intp *shape
        if view is not None:  # the same as below, without what takes longer than the arithmetic of a small step
            shape = PyArray_DIMS(view.array)
            if shape[0] > 0 and shape[1] > 0 and shape[2] == self.c.input_size:
                state_in = self.take_state(state, shape[0])
                y = self.empty(3, shape[0], shape[1], pylstm_net_output_size(&self.c))
                state_out = self.run(view, dense_batch(shape[0], shape[1]), y, state_in, None)
                return y, self.state_views(state_out, shape[0])

        steps = as_steps(X, self.c.input_size, self.dtype)
        n_sequences = len(steps.lengths)
        state_in = self.take_state(state, n_sequences)
        if training:
            y, state_out = self.forward_training(steps, state_in)
        else:
            y, state_out = self.run_forward(steps, state_in, None)
        return as_given(y, steps), self.state_views(state_out, n_sequences)

    cdef tuple forward_held(self, X, state, hold):
        steps = as_steps(X, self.c.input_size, self.dtype)
        n_sequences = len(steps.lengths)
        held = held_values(self, steps, hold)
        y, state_out = self.trace_on(self.new_tape(steps), self.take_state(state, n_sequences), held)
        return as_given(y, steps), self.state_views(state_out, n_sequences)

    def trace(self, X, state=None, *, hold=None):
        """Run over whole sequences and return what happened: every gate and state of every step of every layer.

        Parameters
        ----------
        X, state
            As in `forward`.
        hold : mapping, default=None
            Gates that are held at values rather than computed. A key is a gate's letter, for all layers and directions,
            or one of the trace's names, as ``"f_l0"``, which goes before a letter. A value is a number, or an array
            that broadcasts to (n_sequences, n_steps, hidden_size), NaN where the gate is free; for a list of sequences
            a number, an array (hidden_size,), or a list of arrays that broadcast to (n_steps_i, hidden_size).

        Returns
        -------
        Trace
            Its outputs are the bits of ``forward(X, state)``; there is no dropout.

        Raises
        ------
        ValueError, TypeError
            If `X`, `state` or `hold` are of another form.

        Examples
        --------
        >>> import numpy as np, pylstm
        >>> seq = pylstm.Sequence(1, 4, random_state=0)
        >>> X = np.ones((1, 10, 1))
        >>> trace = seq.trace(X)
        >>> trace["f_l0"].shape
        (1, 10, 4)
        >>> held = np.full((10, 1), np.nan)
        >>> held[5] = 0.0                        # forget everything at step 5
        >>> bool((seq.trace(X, hold={"f": held})["f_l0"][0, 5] == 0).all())
        True
        """
        return trace(self, X, state, hold)

    def stream(self, batch_size=1):
        """Return a `Stream`: the same outputs, a step or a block of steps at a time.

        Parameters
        ----------
        batch_size : int, default=1
            Independent sequences that take their steps together.

        Returns
        -------
        Stream
            With a state of zeros, and a copy of the weights.
        """
        from pylstm._devices.streaming import stream

        return stream(self, batch_size)

    cdef tuple forward_training(self, steps, state_in):
        self.claim_tape()
        try:
            tape = self.new_tape(steps, None if self.tape is None else self.tape.memory)
            self.tape = None
            if self.c.dropout > 0:
                tape.dropout_seed = int.from_bytes(self.generator.bytes(8), "little")
            outputs = self.run_forward(steps, state_in, tape)
            self.tape = tape
            return outputs
        finally:
            self.is_training = False

    cdef claim_tape(self):
        if self.is_training:
            raise RuntimeError("another thread is in a training forward or a backward of this Sequence; "
                               "its tape holds one pass at a time")
        self.is_training = True

    def backward(self, dY, dstate=None):
        """Back-propagate through the last training forward.

        Parameters
        ----------
        dY : array-like or list, of the shape of that forward's Y
            Gradient of a loss with respect to Y.
        dstate : list, default=None
            Gradient with respect to the final state, of its form; None is zero.

        Returns
        -------
        Gradients
            A named tuple: ``parameters``, a dict as `parameters` returns it; ``input``, of the form of X; ``state``,
            of the form of the initial state.

        Raises
        ------
        RuntimeError
            If there was no training forward, or another thread is in one.
        ValueError, TypeError
            If `dY` or `dstate` are of another form. The tape is kept: a corrected call can follow.

        Notes
        -----
        The weights must be those of the forward. X may have been changed since.
        """
        if self.tape is None:
            raise RuntimeError("backward needs a forward(X, training=True) before it")
        self.claim_tape()
        try:
            return self.run_backward(self.tape, dY, dstate)
        finally:
            self.is_training = False

    cdef run_backward(self, _Tape tape, dY, dstate):
        cdef _Batch batch = tape.batch
        cdef Py_ssize_t n_sequences = batch.c.shape.n_sequences
        cdef size_t n_bytes = 0
        cdef int status
        dy = as_rows_like(dY, pylstm_net_output_size(&self.c), tape.steps, self.dtype, "dY")
        dstate_in = self.new_state(n_sequences)
        views = self.state_views(dstate_in, n_sequences)
        # The C function may read the final state's gradient where it writes the initial one's.
        cdef _View state_view = _View(dstate_in, True)
        cdef const void *dstate_data = NULL
        if dstate is not None:
            fill_state(dstate_in, dstate, views, "dstate")
            dstate_data = state_view.data
        check(pylstm_backward_size(&self.c, &batch.c.shape, &n_bytes))
        cdef _Memory workspace = self.take_workspace(n_bytes)
        dparameters = np.empty_like(self.flat)
        dx = np.empty_like(tape.steps.rows)
        cdef _View dy_view = _View(dy), dparameters_view = _View(dparameters, True), dx_view = _View(dx, True)
        cdef const void *weights = self.weights()
        with nogil:
            status = pylstm_backward(&self.c, &batch.c, weights, dy_view.data, dstate_data,
                                     dparameters_view.data, dx_view.data, state_view.data, tape.dropout_seed,
                                     tape.memory.c, workspace.c)
        self.spare = workspace
        check(status)
        by_name, start = {}, 0
        for key, view in self.views.items():
            by_name[key] = dparameters[start:start + view.size].reshape(view.shape)
            start += view.size
        return Gradients(by_name, as_given(dx, tape.steps), views)


include "stream.pxi"


cdef class Model(_Net):
    """A `Sequence` with a dense layer on top; what the estimators fit.

    Parameters
    ----------
    input_size, hidden_sizes, bidirectional, dropout, dtype, forget_bias, random_state, n_threads, t_max, cell, \
    nonlinearity
        As in `Sequence`.
    n_outputs : int
        Classes, or targets.
    pooling : {"last", "mean", "max"} or None
        What the dense layer reads: each direction's own last output, or the mean or maximum of all; None: every one,
        for an output per step.
    loss : {"cross-entropy", "squared error"}
        With the first the outputs are probabilities.
    """

    cdef pylstm_model model
    cdef dict arguments

    def __init__(self, input_size, hidden_sizes, n_outputs, *, pooling, loss, bidirectional, dropout, dtype,
                 forget_bias, t_max, random_state, n_threads, cell="lstm", nonlinearity="tanh"):
        forget_bias, t_max = check_forget_bias(forget_bias, t_max, cell)
        self.setup(input_size, hidden_sizes, bidirectional, dropout, dtype, random_state, n_threads, cell,
                   nonlinearity)
        self.model.net = self.c
        self.model.n_outputs = check_size(n_outputs, "n_outputs")
        self.model.pooling = {
            "last": PYLSTM_POOL_LAST, "mean": PYLSTM_POOL_MEAN, "max": PYLSTM_POOL_MAX, None: PYLSTM_POOL_NONE,
        }[pooling]
        self.model.loss = {"cross-entropy": PYLSTM_CROSS_ENTROPY, "squared error": PYLSTM_SQUARED_ERROR}[loss]
        check(pylstm_model_check(&self.model))
        self.arguments = dict(
            input_size=input_size, hidden_sizes=hidden_sizes, n_outputs=n_outputs, pooling=pooling, loss=loss,
            bidirectional=bidirectional, dropout=dropout, dtype=dtype, forget_bias=forget_bias, t_max=t_max,
            n_threads=n_threads, cell=cell, nonlinearity=self.nonlinearity,
        )
        self.allocate(pylstm_model_n_parameters(&self.model))
        initialise(self.views, self.cell, forget_bias, t_max, self.generator)
        cdef Py_ssize_t width = pylstm_net_output_size(&self.c), start = pylstm_net_n_parameters(&self.c)
        self.name("weight_out", start, (n_outputs, width))
        self.name("bias_out", start + n_outputs * width, (n_outputs,))
        bound = 1 / np.sqrt(width)
        self.views["weight_out"][...] = self.generator.uniform(-bound, bound, (n_outputs, width))

    def __reduce__(self):
        self.handed_out = True
        return _restore, (Model, (), {**self.arguments, "random_state": 0}, self.flat, self.generator)

    def set_weights(self, flat):
        """Take weights that `copy_weights` returned."""
        self.changed()
        self.flat[...] = flat

    def is_finite(self):
        """Whether all weights are numbers."""
        return bool(np.isfinite(self.flat).all())

    @property
    def configuration(self):
        """The arguments of the constructor but `random_state`: with `parameters`, all there is to a model."""
        return dict(self.arguments)

    def parameters(self):
        """Return the weights by name, as `Sequence.parameters` does, then ``weight_out`` and ``bias_out``."""
        return self.hand_out()

    def predict(self, steps, state=None, hold=None):
        """Return outputs and final state for sequences laid out as `Steps`.

        Parameters
        ----------
        steps : Steps
        state, hold
            As in `Sequence.forward`.

        Returns
        -------
        outputs : ndarray (n_sequences, n_outputs), or (n_rows, n_outputs) without pooling
        state : list
        """
        if hold is not None:
            return self.predict_held(steps, state, hold)
        cdef _Batch batch = batch_of(steps)
        cdef Py_ssize_t n_sequences = batch.c.shape.n_sequences
        cdef size_t n_bytes = 0
        cdef int status
        check(pylstm_predict_size(&self.model, &batch.c.shape, &n_bytes))
        cdef _Memory workspace = self.take_workspace(n_bytes)
        n_predictions = batch.c.shape.n_rows if self.model.pooling == PYLSTM_POOL_NONE else n_sequences
        outputs = self.empty(2, n_predictions, self.model.n_outputs)
        state_in, state_out = self.take_state(state, n_sequences), self.new_state(n_sequences)
        cdef _View x_view = _View(steps.rows), y_view = _View(outputs, True), out_view = _View(state_out, True)
        cdef _View in_view = None if state_in is None else _View(state_in)
        cdef const void *in_data = NULL if state_in is None else in_view.data
        cdef _Memory packed = self.packed_weights()
        cdef pylstm_memory packed_memory = memory_of(packed)
        cdef const void *weights = self.weights()
        with nogil:
            status = pylstm_predict(&self.model, &batch.c, weights, packed_memory, x_view.data,
                                    in_data, y_view.data, out_view.data, workspace.c)
        self.spare = workspace
        check(status)
        return outputs, self.state_views(state_out, n_sequences)

    cdef tuple predict_held(self, steps, state, hold):
        cdef Py_ssize_t n_sequences = len(steps.lengths)
        cdef size_t n_bytes = 0
        cdef int status
        held, state_in = held_values(self, steps, hold), self.take_state(state, n_sequences)
        cdef _Tape tape = self.new_tape(steps)
        y, state_out = self.trace_on(tape, state_in, held)
        check(pylstm_predict_size(&self.model, &tape.batch.c.shape, &n_bytes))
        cdef _Memory workspace = self.take_workspace(n_bytes)
        n_predictions = len(steps.rows) if self.model.pooling == PYLSTM_POOL_NONE else n_sequences
        outputs = self.empty(2, n_predictions, self.model.n_outputs)
        cdef _View y_view = _View(y), outputs_view = _View(outputs, True)
        cdef const void *weights = self.weights()
        with nogil:
            status = pylstm_read_out(&self.model, &tape.batch.c, weights, y_view.data, outputs_view.data,
                                     workspace.c)
        self.spare = workspace
        check(status)
        return outputs, self.state_views(state_out, n_sequences)


cdef class Solver:
    """How gradients become updates, and what it remembers of them.

    Parameters
    ----------
    model : Model
        Whose weights it is for.
    kind : {"adam", "sgd", "rmsprop"}
    learning_rate, beta_1, beta_2, epsilon, momentum, alpha, max_grad_norm : float
        ``max_grad_norm=0`` is for never.
    nesterov : bool
    """

    cdef pylstm_solver c
    cdef readonly object moments   # (2, n_parameters), in use: what is written there is remembered
    cdef _View moments_view

    def __init__(self, Model model, kind, *, double learning_rate, double beta_1, double beta_2, double epsilon,
                 double momentum, bint nesterov, double alpha, double max_grad_norm):
        kinds = {"adam": PYLSTM_ADAM, "sgd": PYLSTM_SGD, "rmsprop": PYLSTM_RMSPROP}
        cdef pylstm_solver_kind c_kind = kinds[kind]
        self.c = pylstm_solver(c_kind, learning_rate, beta_1, beta_2, epsilon, momentum, nesterov, alpha,
                               max_grad_norm, 0, NULL, NULL)
        self.remember(np.zeros((2, pylstm_model_n_parameters(&model.model)), model.dtype))

    cdef remember(self, moments):
        self.moments = moments
        self.moments_view = _View(moments, writable=True)
        self.c.first_moment = self.moments_view.data
        cdef Py_ssize_t n_bytes = moments.strides[0]
        self.c.second_moment = <char *> self.moments_view.data + n_bytes

    def __reduce__(self):
        c = (self.c.kind, self.c.learning_rate, self.c.beta_1, self.c.beta_2, self.c.epsilon, self.c.momentum,
             self.c.nesterov, self.c.alpha, self.c.max_grad_norm, self.c.t)
        return _restore_solver, (c, self.moments)

    @property
    def learning_rate(self):
        """The step size; it can be set."""
        return self.c.learning_rate

    @learning_rate.setter
    def learning_rate(self, double value):
        self.c.learning_rate = value

    @property
    def t(self):
        """Updates so far; it can be set."""
        return self.c.t

    @t.setter
    def t(self, value):
        self.c.t = value


def training_bytes(Model model, n_steps):
    """Return the workspace of a training step on one sequence of so many steps, without vectors, on one thread."""
    cdef pylstm_model alone = model.model
    cdef pylstm_shape bound = pylstm_shape(1, n_steps, n_steps)
    cdef size_t n_bytes = 0
    alone.net.isa = PYLSTM_ISA_SCALAR
    alone.net.n_threads = 1
    check(pylstm_train_step_size(&alone, &bound, &n_bytes))
    return n_bytes


cdef class Trainer:
    """Fits a `Model` to sequences, a mini-batch at a time, without the GIL from gathering to update.

    Parameters
    ----------
    model : Model
    solver : Solver
    steps : Steps
        The training sequences, of the model's dtype.
    targets : ndarray
        For cross-entropy labels (n,) of intp, else (n, n_outputs) of the model's dtype; one for each sequence or,
        without pooling, each row.
    weights : ndarray (n,) of float64, default=None
        Of the targets; None is all 1.
    batch_size : int
        Of the largest mini-batch to come.
    windows : pair of ndarrays of intp, default=None
        First row and length of what is trained on instead of whole sequences.
    """

    cdef Model model
    cdef Solver solver
    cdef pylstm_dataset dataset
    cdef _View x_view, first_view, length_view, targets_view, weights_view
    cdef _Memory workspace

    def __init__(self, Model model, Solver solver, steps, targets, weights=None, *, Py_ssize_t batch_size,
                 windows=None):
        cdef size_t n_bytes = 0
        cdef pylstm_shape bound
        self.model, self.solver = model, solver
        first, lengths = (np.cumsum(steps.lengths) - steps.lengths, steps.lengths) if windows is None else windows
        self.x_view = _View(steps.rows)
        self.first_view, self.length_view = _View(first), _View(lengths)
        self.targets_view = _View(targets)
        self.weights_view = None if weights is None else _View(weights)
        self.dataset.x = self.x_view.data
        self.dataset.first = <const Py_ssize_t *> self.first_view.data
        self.dataset.length = <const Py_ssize_t *> self.length_view.data
        self.dataset.n_sequences = len(lengths)
        self.dataset.labels = NULL
        self.dataset.targets = NULL
        if model.model.loss == PYLSTM_CROSS_ENTROPY:
            self.dataset.labels = <const Py_ssize_t *> self.targets_view.data
        else:
            self.dataset.targets = self.targets_view.data
        self.dataset.weights = NULL
        if weights is not None:
            self.dataset.weights = <const double *> self.weights_view.data
        # No mini-batch is larger than one of the longest sequences.
        longest = np.sort(lengths)[::-1][:batch_size]
        bound = pylstm_shape(len(longest), longest[0], longest.sum())
        check(pylstm_train_step_size(&model.model, &bound, &n_bytes))
        self.workspace = _Memory(n_bytes)

    def step(self, indices, state=None):
        """Train on one mini-batch.

        Parameters
        ----------
        indices : ndarray (n,) of intp
            Its sequences, or windows.
        state : list, default=None
            To start from, as in `Sequence.forward`; None starts at zero.

        Returns
        -------
        loss : float
            Weighted mean before the update; where it is not finite there was none.
        weight : float
            Total weight of the targets.
        state : list
            After the mini-batch.
        """
        cdef _View view = _View(indices)
        cdef const Py_ssize_t *data = <const Py_ssize_t *> view.data
        cdef Py_ssize_t n_indices = indices.shape[0]
        cdef uint64_t seed = 0
        cdef double loss = 0, weight = 0
        cdef int status
        if self.model.c.dropout > 0:
            seed = int.from_bytes(self.model.generator.bytes(8), "little")
        state_in, state_out = self.model.take_state(state, n_indices), self.model.new_state(n_indices)
        cdef _View out_view = _View(state_out, True), in_view = None if state_in is None else _View(state_in)
        cdef const void *in_data = NULL if state_in is None else in_view.data
        cdef void *weights = self.model.weights()
        with nogil:
            status = pylstm_train_step(&self.model.model, &BLAS, &self.dataset, data, n_indices,
                                       weights, &self.solver.c, seed, in_data, out_view.data, &loss,
                                       &weight, self.workspace.c)
        self.model.changed()
        check(status)
        return loss, weight, self.model.state_views(state_out, n_indices)


def _restore_solver(c, moments):
    """Rebuild a pickled solver."""
    cdef Solver solver = Solver.__new__(Solver)
    cdef pylstm_solver_kind kind = c[0]
    solver.c = pylstm_solver(kind, c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], NULL, NULL)
    solver.remember(np.array(moments))  # they may have been unpickled into read-only memory
    return solver


def _restore(cls, arguments, keywords, flat, generator):
    """Rebuild a pickled net."""
    cdef _Net net = cls(*arguments, **keywords)
    return net.restore(flat, generator)
