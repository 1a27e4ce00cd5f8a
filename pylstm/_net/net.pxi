# Part of core.pyx: what all nets share: their weights, and a forward pass.

cdef class _Net:
    """Shape and weights of a stack of layers, and the two passes over it."""

    cdef pylstm_net c               # that of the spec, with this object's threads
    cdef readonly object spec       # a ModelSpec; None where __init__ was not called
    cdef readonly tuple hidden_sizes
    cdef readonly object dtype
    cdef readonly str cell          # "lstm", "gru" or "rnn"
    cdef readonly str nonlinearity  # of the plain RNN
    cdef object flat       # all parameters in one array ...
    cdef _View flat_view
    cdef dict views        # ... and each by its name
    cdef _Memory spare     # the last call's workspace: fresh pages cost more than many a call
    cdef _Memory packed    # the weights packed, for as long as nobody can have changed them
    cdef int n_unchanged   # inferences since they may have been changed
    cdef bint last_first   # of `pylstm_net`, in the next forward
    cdef bint handed_out   # views of them were given to the user, and may still be held
    cdef int n_calls       # that read this object: it can't become another meanwhile
    cdef object generator

    cdef setup(self, ModelSpec spec, random_state, n_threads, given=None):
        """Take on a shape, and a copy of the weights that are given, or new ones, drawn by `random_state`."""
        if spec is None or spec.hidden_sizes is None:
            raise TypeError("there must be a ModelSpec, got None, or one whose __init__ was not called")
        if given is not None and np.shape(given) != (spec.n_parameters,):  # before so many are allocated
            raise ValueError(f"weights must have shape ({spec.n_parameters},), got {np.shape(given)}")
        cdef Py_ssize_t most_threads = check_size(n_threads, "n_threads")
        generator = as_generator(random_state)
        flat = np.zeros(spec.n_parameters, spec.dtype)
        views = spec.views(flat)
        if given is None:
            initialise(views, spec, generator)
        else:
            flat[...] = given
        self.become(spec, generator, most_threads, flat, _View(flat, True), views)

    cdef become(self, ModelSpec spec, generator, Py_ssize_t n_threads, flat, _View flat_view, dict views):
        """Take all this on at once: no Python runs here, so that no other thread can see the half of it.

        An object that is in use, or whose new weights can't be made, is what it was.
        """
        if self.n_calls:
            raise RuntimeError(f"this {type(self).__name__} is in use: it can't be initialised again before its "
                               "call has returned")
        self.changed()
        self.flat, self.flat_view, self.views = flat, flat_view, views
        self.handed_out = False
        self.spec, self.hidden_sizes, self.dtype = spec, spec.hidden_sizes, spec.dtype
        self.cell, self.nonlinearity, self.generator = spec.cell, spec.nonlinearity, generator
        self.c = spec.c.net
        self.c.n_threads = n_threads

    def __reduce__(self):
        return reduced(self, self.__getstate__())

    def __getstate__(self):
        self.weights()  # which says so where there are none
        self.handed_out = True  # the state has the weights themselves
        return plain_spec(self.spec), self.flat, self.generator, self.c.n_threads

    def __setstate__(self, state):
        plain, flat, generator, n_threads = state
        self.setup(spec_of(plain), generator, n_threads, flat)

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

    def set_weights(self, flat):
        """Take weights that `copy_weights` returned."""
        self.changed()
        self.flat[...] = flat

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
    def input_size(self):
        """Features per step; or how many tokens there are."""
        return self.spec.input_size

    def steps_of(self, X, name="X"):
        """Return what a user gave as `Steps` that this net reads."""
        if self.c.n_tokens:
            return as_token_steps(X, self.c.n_tokens, name)
        return as_steps(X, self.c.input_size, self.dtype, name)

    cdef bint reads(self, rows, Py_ssize_t n_rows):
        """Whether these are rows of steps for this net."""
        if type(rows) is not ndarray or not PyArray_ISCARRAY_RO(rows) or PyArray_NDIM(rows) != 2 or \
                PyArray_DIMS(rows)[0] != n_rows:
            return False
        if self.c.n_tokens:
            return PyArray_DIMS(rows)[1] == 1 and PyArray_TYPE(rows) in (NPY_UINT8, NPY_UINT16, NPY_UINT32)
        return PyArray_DIMS(rows)[1] == self.c.input_size and PyArray_TYPE(rows) == self.typenum()

    @property
    def forget_bias(self):
        """Initial bias of an LSTM's forget gates, or "chrono" or "mixed"."""
        return self.spec.forget_bias

    @property
    def t_max(self):
        """The longest span to remember, with "chrono" or "mixed"."""
        return self.spec.t_max

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

    cdef ndarray empty(self, int ndim, npy_intp a, npy_intp b=1, npy_intp c=1):
        """Return a new array (a,), (a, b) or (a, b, c)."""
        cdef npy_intp *shape = [a, b, c]
        return PyArray_EMPTY(ndim, shape, self.typenum(), False)

    cdef int typenum(self):
        return NPY_FLOAT32 if self.c.dtype == PYLSTM_FLOAT32 else NPY_FLOAT64

    cdef new_state(self, Py_ssize_t n_sequences):
        return self.empty(1, pylstm_net_state_size(&self.c) * n_sequences)

    cdef bint next_layer(self, pylstm_layer *at):
        """Go on to the next layer, its first direction; from zeros to the first."""
        while pylstm_net_next(&self.c, at):
            if at.direction == 0:
                return True
        return False

    cdef list state_views(self, ndarray flat, Py_ssize_t n_sequences):
        """Return, per layer, (h, c), or (h,) where there is no c, as views of a flat state."""
        cdef pylstm_layer at
        memset(&at, 0, sizeof(at))
        views = []
        while self.next_layer(&at):
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
        cdef pylstm_layer at
        memset(&at, 0, sizeof(at))
        cdef char *data = <char *> view.data
        cdef Py_ssize_t width = self.dtype.itemsize * n_sequences
        if type(state) is list and len(state) == self.c.n_layers:
            for pair in state:
                self.next_layer(&at)
                if not (type(pair) is tuple and len(pair) == at.n_states and
                        self.copy_plain(data + at.h * width, pair[0], n_sequences, at.hidden_size) and
                        (at.n_states == 1 or
                         self.copy_plain(data + at.c * width, pair[1], n_sequences, at.hidden_size))):
                    break
            else:
                return flat
        return fill_state(flat, state, self.state_views(flat, n_sequences), "state")

    cdef _Batch own_batch_of(self, steps):
        """Return the layout of steps, and be sure that they are this net's: C reads as much as the net says.

        They were checked as what an estimator or a file said of the net, which anybody can change.
        """
        cdef _Batch batch = batch_of(steps)
        rows = steps.rows
        if not self.reads(rows, batch.c.shape.n_rows):
            expected = "tokens" if self.c.n_tokens else f"{self.c.input_size} features per step, of {self.dtype}"
            raise ValueError(f"X must have {expected}, as the net was made for them, got rows {np.shape(rows)} of "
                             f"{rows.dtype}")
        return batch

    cdef tuple run_forward(self, steps, state_in, _Tape tape):
        """Return outputs (n_rows, width) and final state, both flat; fill the tape if there is one."""
        cdef _Batch batch = self.own_batch_of(steps) if tape is None else tape.batch
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
        cdef pylstm_forward_pass forward = pylstm_forward_pass(
            &batch.c, weights, packed_memory, x_view.data, x_view.array.dtype.itemsize, in_data, NULL, y_view.data,
            out_view.data, seed, tape_memory, workspace)
        with nogil:
            status = pylstm_forward(&net, &forward)
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
        cdef pylstm_forward_pass forward = pylstm_forward_pass(
            &tape.batch.c, weights, packed_memory, x_view.data, x_view.array.dtype.itemsize, in_data, held_data,
            y_view.data, out_view.data, 0, tape.memory.c, workspace.c)
        with nogil:
            status = pylstm_trace(&self.c, &forward)
        self.spare = workspace
        check(status)
        return y, state_out

    cdef _Tape new_tape(self, steps, _Memory reused=None):
        """Return a tape for these steps, in `reused` memory if that is large enough."""
        cdef _Tape tape = _Tape()
        cdef size_t n_bytes = 0
        tape.batch = self.own_batch_of(steps)
        check(pylstm_tape_size(&self.c, &tape.batch.c.shape, &n_bytes))
        tape.memory = _Memory(n_bytes) if reused is None or reused.c.bytes < n_bytes else reused
        tape.steps = steps
        return tape
