# Part of core.pyx: a net that runs on, its state inside.

#: Multiply-adds from which a call lets other threads run: less takes no longer than letting go of the GIL.
cdef Py_ssize_t RELEASE_GIL = 1 << 18
#: Steps of a constant input after which a net that has not come to rest is given up.
SETTLE_BLOCK, SETTLE_BLOCKS = 256, 400
#: Bytes of a line of the cache.
LINE = 64
#: Steps that a pool may be said to be of.
MOST_POOLED = 2**53
DOUBLE = np.dtype(np.float64)
TOKEN = np.dtype(np.uint32)


cdef class _Sampler:
    """How tokens are drawn, for C."""

    cdef pylstm_sampler c
    cdef _View excluded

    def __cinit__(self, sampler):
        excluded = np.ascontiguousarray(sampler.excluded, TOKEN)
        self.excluded = _View(excluded)
        self.c = pylstm_sampler(sampler.seed, sampler.temperature, sampler.top_k or 0, sampler.top_p or 1.0,
                                <const uint32_t *> self.excluded.data, excluded.size)


cdef class Stream(_Net):
    """A net that runs on, a step or a block of steps at a time, with its state inside.

    Made by `Sequence.stream`, by an estimator's `stream`, or by `pylstm.stream` of a pipeline. Its outputs are the bits
    that `Sequence.forward` or ``predict`` give for all steps at once: the last layer's output for a `Sequence`, class
    probabilities or values, for every step, for an estimator: where that answers for a sequence as a whole, for the
    steps so far. It has a copy of the weights.

    Attributes
    ----------
    batch_size, input_size, output_size : int
        Independent sequences side by side; features and outputs per step.
    dtype : numpy dtype
        Of the state.
    input_dtype, output_dtype : numpy dtype
        Of inputs that are read as they lie, others are cast to it; and of outputs. They are `dtype`, or float64 where
        the model scales its inputs, or its targets: that is done in float64, whatever the net's `dtype`.
    classes_ : ndarray or None
        Of a classifier the labels that outputs are probabilities of, in their order; else None.

    Notes
    -----
    With `out` given, and inputs that are C-contiguous arrays of `input_dtype`, no call allocates memory after the
    first. Any number of streams may run on threads of their own; one stream is for one thread at a time.

    Examples
    --------
    >>> import numpy as np, pylstm
    >>> seq = pylstm.Sequence(2, 3, random_state=0)
    >>> X = np.ones((1, 5, 2), np.float32)
    >>> stream = seq.stream()
    >>> steps = [stream.step(x) for x in X[0]]
    >>> np.array_equal(steps, seq.forward(X)[0][0])
    True
    >>> stream.reset()
    >>> np.array_equal(stream.process(X), seq.forward(X)[0])
    True
    """

    cdef pylstm_stream *stream
    cdef _Memory memory
    cdef _Scalings scalings
    cdef readonly object classes_
    cdef object texts    # of tokens, where they are known, else None
    cdef ndarray one_token
    cdef readonly object input_dtype, output_dtype
    cdef char format, input_format, output_format
    cdef readonly Py_ssize_t batch_size
    cdef readonly Py_ssize_t output_size
    cdef Py_ssize_t step_work   # multiply-adds
    cdef bint is_running

    def __init__(self, model, batch_size=1):
        described = describe_steps(model)
        self.start(described.spec.in_use(), weights_of(described), batch_size)
        self.classes_ = described.labels
        self.take_texts(described.tokens)

    cdef take_texts(self, texts):
        self.texts = None if texts is None else Texts(texts)

    cdef start(self, ModelSpec spec, weights, batch_size):
        cdef size_t n_bytes = 0
        cdef Py_ssize_t n_rows = check_size(batch_size, "batch_size")
        cdef int status = pylstm_stream_size(&spec.c, n_rows, &n_bytes)
        if status:
            raise ValueError(f"batch_size {batch_size} can't be made: {pylstm_strerror(status).decode()}")
        cdef _Memory memory = _Memory(n_bytes)
        cdef _StreamWeights own = _StreamWeights(spec, *weights)
        cdef pylstm_stream *stream = NULL
        check(pylstm_stream_init(&stream, &spec.c, n_rows, own.view.data, &own.scalings.c, memory.c))
        self.become(spec, None, 1, own.flat, own.view, None)
        self.stream, self.memory, self.batch_size, self.output_size = stream, memory, n_rows, spec.output_size
        self.format = b"f"[0] if self.dtype.itemsize == 4 else b"d"[0]
        self.step_work = n_rows * spec.n_parameters
        self.one_token = np.zeros(1, TOKEN)
        self.take_weights(own)

    def __getstate__(self):
        self.weights()  # which says so where there are none
        mean, scale = self.scalings.inputs or (None, None)
        return (plain_spec(self.spec), (self.flat, mean, scale), self.batch_size, self.state, self.classes_,
                self.scalings.targets, self.scalings.missing, None if self.texts is None else self.texts.texts)

    def __setstate__(self, state):
        # older ones have no targets, nothing that may be missing, and no texts
        (plain, (flat, mean, scale), batch_size, now, classes, targets, missing,
         texts) = (tuple(state) + (None, None, None))[:8]
        inputs = None if mean is None else (mean, scale)
        cdef ModelSpec spec = spec_of(plain)
        flat = own_copy(flat, spec.dtype, spec.n_parameters, "weights")
        self.start(spec, (flat, inputs, targets, missing), batch_size)
        self.set_state(self.take_whole_state(now))
        self.classes_ = classes
        self.take_texts(texts)

    def __repr__(self):
        return (f"Stream(input_size={self.input_size}, hidden_size={self.hidden_sizes}, "
                f"output_size={self.output_size}, batch_size={self.batch_size}, dtype={self.dtype.name!r}"
                f"{self.kind()})")

    cdef take_weights(self, _StreamWeights own):
        """Keep them, and note of which type inputs and outputs are then."""
        self.flat, self.flat_view, self.scalings = own.flat, own.view, own.scalings
        self.input_dtype, self.input_format = self.dtype, self.format
        self.output_dtype, self.output_format = self.dtype, self.format
        if self.c.n_tokens:
            self.input_dtype, self.input_format = TOKEN, b"I"[0]
        # DOUBLE, not the arrays' own: that of a file is equal, but says "<d" in a buffer, which is another format
        if own.scalings.c.inputs.mean != NULL:
            self.input_dtype, self.input_format = DOUBLE, b"d"[0]
        if own.scalings.c.targets.mean != NULL:
            self.output_dtype, self.output_format = DOUBLE, b"d"[0]

    @property
    def input_size(self):
        """Features per step; or how many tokens there are."""
        return self.c.n_tokens or self.scalings.n_features

    cdef const void *data_of(self, array):
        cdef _View view
        if array is None:
            return NULL
        view = _View(array)
        return view.data  # the array is this object's own

    def step(self, x, out=None):
        """Take one step.

        Parameters
        ----------
        x : array-like (batch_size, input_size), or with a batch size of 1 (input_size,)
            Of tokens integers (batch_size,), or with a batch size of 1 one integer. Where the texts of tokens are
            known, as of a language model or a pipeline with a `TokenEncoder`, str will do: those of tokens, each whole.
        out : ndarray (batch_size, output_size), or (output_size,) where x is 1-D, default=None
            Where to write: writable, C-contiguous, of `output_dtype`, without overlap with x. None makes a new array.

        Returns
        -------
        ndarray
            `out`, or the new array.

        Raises
        ------
        ValueError, TypeError
            If what came has another shape, or is not finite; the state is then as it was.
        RuntimeError
            If another thread is running this stream.
        """
        self.check_free()
        return self.run_on(x, out, 2)

    def process(self, block, out=None):
        """Take the steps of a block.

        Parameters
        ----------
        block : array-like (batch_size, n_steps, input_size), or with a batch size of 1 (n_steps, input_size)
            At least one step. Of tokens integers, or str as in `step`, (batch_size, n_steps), or (n_steps,).
        out : ndarray (batch_size, n_steps, output_size), or (n_steps, output_size) where block is 2-D, default=None
            As in `step`.

        Returns
        -------
        ndarray
            `out`, or the new array.

        Raises
        ------
        ValueError, TypeError
            If what came has another shape, or is not finite; the state is then as it was.
        RuntimeError
            If another thread is running this stream.
        """
        self.check_free()
        return self.run_on(block, out, 3)

    def generate(self, token, n, sampler):
        """Write on: after a token, draw the next, read that, and so on.

        Parameters
        ----------
        token : int
            To be read first.
        n : int
            How many are drawn; the last one is not read.
        sampler : Sampler

        Returns
        -------
        ndarray (n,) of uint32
        """
        cdef _Sampler by = _Sampler(sampler)
        cdef uint32_t first = as_tokens(token, self.c.n_tokens, "token").item()
        cdef Py_ssize_t n_drawn = check_size(n, "n")
        cdef int status
        self.check_free()
        drawn = np.empty(n_drawn, TOKEN)
        cdef _View view = _View(drawn, True)
        cdef uint32_t *to = <uint32_t *> view.data
        self.n_calls += 1
        self.is_running = True
        with nogil:
            status = pylstm_stream_generate(self.stream, &by.c, first, n_drawn, to)
        self.is_running = False
        self.n_calls -= 1
        check(status)
        sampler.seed = by.c.seed
        return drawn

    cdef check_free(self):
        if self.is_running:
            raise RuntimeError("another thread is running this Stream")

    cdef run_on(self, x, out, int ndim):
        cdef Py_buffer given, to
        cdef Py_ssize_t n_steps
        cdef bint alone
        if self.c.n_tokens:
            x = self.as_token_rows(x, ndim)
        elif type(x) is not ndarray:
            check_unmasked(x, "x" if ndim == 2 else "block")
        if not self.get_plain(x, &given, self.input_format, 0):
            self.n_calls += 1
            try:
                x = self.as_plain(x, ndim)
            finally:
                self.n_calls -= 1
            self.check_free()  # what made an array of it can have let another thread run
            if not self.get_plain(x, &given, self.input_format, 0):
                raise TypeError(f"{'x' if ndim == 2 else 'block'} must be of {self.input_dtype}, got {x.dtype}")
        self.n_calls += 1
        try:
            alone = given.ndim == ndim - 1 and self.batch_size == 1
            if not (alone or given.ndim == ndim) or given.shape[given.ndim - 1] != self.scalings.n_features or \
                    not (alone or given.shape[0] == self.batch_size):
                raise self.wrong_shape("x" if ndim == 2 else "block", np.shape(x), self.scalings.n_features, ndim)
            n_steps = 1 if ndim == 2 else given.shape[given.ndim - 2]
            if n_steps == 0:
                raise ValueError(f"block must have at least one step, got shape {np.shape(x)}")
            if self.scalings.c.missing.kind == PYLSTM_MISSING_NONE and not self.c.n_tokens and \
                    not is_finite(given.buf, given.len // given.itemsize, given.itemsize):
                raise ValueError(f"{'x' if ndim == 2 else 'block'} must be finite, got NaN or infinity")
            if self.scalings.c.inputs.mean != NULL and \
                    not self.scales_to_finite(<const double *> given.buf, given.len // given.itemsize):
                raise ValueError(f"{'x' if ndim == 2 else 'block'} must be finite in {self.dtype} when it is scaled, "
                                 "got a number too large")
            if out is None:
                out = self.new_out(n_steps, ndim, alone)
            if not self.get_plain(out, &to, self.output_format, PyBUF_WRITABLE):
                raise ValueError(f"out must be a writable, C-contiguous, aligned array of {self.output_dtype}")
            try:
                if to.ndim != given.ndim or to.shape[to.ndim - 1] != self.output_size or \
                        to.len != self.batch_size * n_steps * self.output_size * to.itemsize or \
                        (ndim == 3 and to.shape[to.ndim - 2] != n_steps):
                    raise self.wrong_shape("out", np.shape(out), self.output_size, ndim)
                if <char *> to.buf < <char *> given.buf + given.len and <char *> given.buf < <char *> to.buf + to.len:
                    raise ValueError(f"out must not overlap {'x' if ndim == 2 else 'block'}")
                if self.step_work * n_steps < RELEASE_GIL:
                    check(pylstm_stream_process(self.stream, n_steps, given.buf, to.buf))
                else:
                    self.run_without_gil(n_steps, given.buf, to.buf)
            finally:
                PyBuffer_Release(&to)
        finally:
            self.n_calls -= 1
            PyBuffer_Release(&given)
        return out

    cdef new_out(self, Py_ssize_t n_steps, int ndim, bint alone):
        cdef tuple shape
        if ndim == 2:
            shape = (self.output_size,)
        else:
            shape = (n_steps, self.output_size)
        return np.empty(shape if alone else (self.batch_size,) + shape, self.output_dtype)

    cdef run_without_gil(self, Py_ssize_t n_steps, const void *x, void *y):
        cdef int status
        cdef bint was_running = self.is_running  # by `reset`
        self.is_running = True
        with nogil:
            status = pylstm_stream_process(self.stream, n_steps, x, y)
        self.is_running = was_running
        check(status)

    @cython.cdivision(True)
    cdef bint scales_to_finite(self, const double *x, Py_ssize_t n) noexcept:
        """Whether n inputs, scaled as in scaling.h, are finite numbers of the dtype, but for those that may miss."""
        cdef Py_ssize_t n_x = self.scalings.n_features, row, k
        cdef double scaled, left = 0  # of differences of 0
        cdef const pylstm_scaling *by = &self.scalings.c.inputs
        cdef bint may_miss = self.scalings.c.missing.kind != PYLSTM_MISSING_NONE
        for row in range(0, n, n_x):
            for k in range(n_x):
                if may_miss and x[row + k] != x[row + k]:
                    continue
                scaled = (x[row + k] - by.mean[k]) / by.scale[k]
                if self.format == b"f"[0]:
                    scaled = <float> scaled
                left += scaled - scaled
        return left == 0

    cdef bint get_plain(self, array, Py_buffer *buffer, char format, int flags):
        """Fill `buffer`; False, and nothing filled, where the array can't be used as it lies."""
        cdef ndarray own
        cdef int of_format
        if type(array) is ndarray:  # which would make the format anew each time
            own, of_format = array, NPY_FLOAT32 if format == b"f"[0] else NPY_FLOAT64
            if format == b"I"[0]:
                of_format = NPY_UINT32
            if PyArray_TYPE(own) != of_format or PyArray_NDIM(own) == 0 or \
                    not (PyArray_ISCARRAY(own) if flags & PyBUF_WRITABLE else PyArray_ISCARRAY_RO(own)):
                return False
            memset(buffer, 0, sizeof(Py_buffer))  # no object: the caller has it, and nothing is to be released
            buffer.buf, buffer.len, buffer.itemsize = PyArray_DATA(own), PyArray_NBYTES(own), PyArray_ITEMSIZE(own)
            buffer.ndim, buffer.shape = PyArray_NDIM(own), <Py_ssize_t *> PyArray_DIMS(own)
            return True
        try:
            PyObject_GetBuffer(array, buffer, PyBUF_ND | PyBUF_FORMAT | flags)
        except (BufferError, TypeError, ValueError):
            return False
        if buffer.format != NULL and buffer.format[0] == format and buffer.format[1] == 0 and buffer.ndim > 0 \
                and <size_t> buffer.buf % <size_t> buffer.itemsize == 0:
            return True
        PyBuffer_Release(buffer)
        return False

    cdef as_token_rows(self, x, int ndim):
        """Return the tokens that a user gave, of steps of one feature: one each."""
        name = "x" if ndim == 2 else "block"
        if self.texts is not None:
            x = self.texts.looked_up(x)
        if ndim == 2 and self.batch_size == 1 and isinstance(x, (int, np.integer)) and type(x) is not bool and \
                0 <= x < self.c.n_tokens:
            (<uint32_t *> PyArray_DATA(self.one_token))[0] = x
            return self.one_token
        places = ("sequence",) if ndim == 2 else ("sequence", "step")
        tokens = as_tokens(x, self.c.n_tokens, name, places).astype(TOKEN, copy=False)
        fits = tokens.ndim == ndim - 1 and tokens.shape[0] == self.batch_size
        if not fits and (tokens.ndim != ndim - 2 or self.batch_size > 1):
            rows = "" if ndim == 2 else ", n_steps"
            expected = f"({self.batch_size}{rows}{',' if ndim == 2 else ''})"
            alone = "" if self.batch_size > 1 else ", or be one token" if ndim == 2 else " or (n_steps,)"
            raise ValueError(f"{name} must have shape {expected}{alone}, got {tokens.shape}")
        return np.require(tokens[..., np.newaxis], requirements=["C", "A"])

    cdef as_plain(self, x, int ndim):
        """Return what a user gave as an array that can be used as it lies."""
        name = "x" if ndim == 2 else "block"
        x = as_array(x, name)
        if x.ndim != ndim and (x.ndim != ndim - 1 or self.batch_size > 1):
            raise self.wrong_shape(name, x.shape, self.scalings.n_features, ndim)
        return as_numbers(x, name, x.ndim, "", self.input_dtype)

    cdef wrong_shape(self, name, shape, Py_ssize_t width, int ndim):
        """Return the error."""
        rows = "" if ndim == 2 else "n_steps, "
        expected = f"({self.batch_size}, {rows}{width})"
        if self.batch_size == 1:
            expected += f" or ({width},)" if ndim == 2 else f" or (n_steps, {width})"
        return ValueError(f"{name} must have shape {expected}, got {shape}")

    def reset(self, to="zero", x=None):
        """Start anew.

        Parameters
        ----------
        to : {"zero", "rest"}, default="zero"
            The state to start from: zeros, as `Sequence.forward` does, or the one that a constant input leads to. Zero
            is not silence: a net of audio that starts there is heard.
        x : array-like (batch_size, input_size), or with a batch size of 1 (input_size,), default=None
            The constant input; None is zeros.

        Raises
        ------
        ValueError
            If the net does not come to rest within some 100,000 steps. The state is then as it was.
        RuntimeError
            If another thread is running this stream.
        """
        if to not in ("zero", "rest"):
            raise ValueError(f"to must be 'zero' or 'rest', got {to!r}")
        if to == "zero" and x is not None:
            raise ValueError("x goes with to='rest' only")
        constant = None
        if to == "rest" and self.c.n_tokens:
            raise ValueError("to='rest' is for inputs that stay the same, not for tokens")
        if to == "rest":
            n_features = self.scalings.n_features
            x = np.zeros((self.batch_size, n_features), self.input_dtype) if x is None else x
            constant = self.as_plain(x, 2)
            if constant.shape not in ((self.batch_size, n_features), (n_features,)):
                raise self.wrong_shape("x", constant.shape, n_features, 2)
            if np.isnan(constant).any():
                raise ValueError("x must be finite to come to rest by, got NaN")
            constant = constant.reshape(self.batch_size, n_features)
        self.check_free()
        self.is_running = True
        self.n_calls += 1
        try:
            before = self.flat_state(), self.pool_state(), self.kept_state()
            try:
                self.set_state((None, None, None))
                if constant is not None:
                    self.settle(constant)
                    self.set_state((self.flat_state(), None, None))
            except BaseException:
                self.set_state(before)
                raise
        finally:
            self.n_calls -= 1
            self.is_running = False

    cdef settle(self, constant):
        block = np.repeat(constant[:, np.newaxis], SETTLE_BLOCK, axis=1)
        for _ in range(SETTLE_BLOCKS):
            self.run_on(block, None, 3)
            last = self.flat_state()
            self.run_on(constant, None, 2)
            now = self.flat_state()
            if not np.isfinite(now).all():  # the plain RNN with relu has no bound
                break
            if np.abs(now - last).max() <= 4 * np.finfo(self.dtype).eps * max(1, np.abs(now).max()):
                return
        raise ValueError(f"the net does not come to rest within {SETTLE_BLOCK * SETTLE_BLOCKS} steps of a constant x")

    cdef flat_state(self):
        flat = self.new_state(self.batch_size)
        cdef _View view = _View(flat, True)
        check(pylstm_stream_get_state(self.stream, view.data))
        return flat

    cdef pool_state(self):
        """Return the pool so far and of how many steps it is; None where nothing is pooled."""
        if self.spec.pooling is None:
            return None
        pool, counts = self.new_pool()
        check(pylstm_stream_get_pool(self.stream, <void *> self.data_of(pool), <int64_t *> self.data_of(counts)))
        return pool, counts

    cdef new_pool(self):
        return (np.empty((1, self.batch_size, self.hidden_sizes[len(self.hidden_sizes) - 1]), self.dtype),
                np.empty((1, self.batch_size), np.int64))

    cdef kept_state(self):
        """Return what is kept of inputs that may be missing; None where that is nothing."""
        if self.scalings.n_kept == 0:
            return None
        kept = np.empty((1, self.batch_size, self.scalings.n_kept))
        check(pylstm_stream_get_kept(self.stream, <double *> self.data_of(kept)))
        return kept

    cdef set_state(self, tuple whole):
        """Set flat state, pool and what is kept; None is zeros, a pool of no steps, and no input so far."""
        flat, pool, kept = whole
        check(pylstm_stream_set_state(self.stream, self.data_of(flat)))
        if pool is not None:
            check(pylstm_stream_set_pool(self.stream, self.data_of(pool[0]), <const int64_t *> self.data_of(pool[1])))
        if kept is not None:
            check(pylstm_stream_set_kept(self.stream, <const double *> self.data_of(kept)))

    @property
    def state(self):
        """The state, a copy: a list with a pair (h, c), or (h,), per layer, each (1, batch_size, hidden_size).

        Of a model that pools, by ``pooling="mean"`` or ``"max"``, the list ends in a pair (pool, count): the sum of the
        last layer's outputs so far, or the largest, (1, batch_size, hidden_size); and of how many steps, integers
        (1, batch_size). Where that is 0, as after `reset`, the pool is zeros, and is not read.

        Of a model with ``missing="hold"`` it ends in the last value of each feature (1, batch_size, n_features) in
        float64, which is the mean where there was none; with ``missing="indicator"`` in the number of steps for which
        each feature that was missing in training has been so (1, batch_size, n).

        It can be set; None is that of a new stream.
        """
        layers = self.state_views(self.flat_state(), self.batch_size)
        return [*layers, *(more for more in (self.pool_state(), self.kept_state()) if more is not None)]

    @state.setter
    def state(self, state):
        self.check_free()
        whole = flat, pool, kept = self.take_whole_state(state)
        for values in () if state is None else (flat, *(pool or ()), *(() if kept is None else (kept,))):
            if not np.isfinite(values).all():
                raise ValueError("state must be finite, got NaN or infinity")
        self.check_free()  # what made arrays of it can have let another thread run
        self.set_state(whole)

    cdef tuple take_whole_state(self, state):
        """Return a user's state as `set_state` takes it."""
        n_layers, pool, kept = len(self.hidden_sizes), None, None
        pools, keeps = self.spec.pooling is not None, self.scalings.n_kept > 0
        self.n_calls += 1
        try:
            if state is not None and (pools or keeps):
                if not isinstance(state, (list, tuple)) or len(state) != n_layers + pools + keeps:
                    got = f"{len(state)} entries" if isinstance(state, (list, tuple)) else repr(type(state).__name__)
                    raise ValueError(f"state must be a list with an entry for each of the {n_layers} layers"
                                     f"{', and the pair (pool, count)' * pools}{', and what is kept' * keeps}, "
                                     f"got {got}")
                if pools:
                    pool = self.take_pool(state[n_layers])
                if keeps:
                    kept = np.empty((1, self.batch_size, self.scalings.n_kept))
                    fill(kept, state[n_layers + pools], f"state[{n_layers + pools}]")
                state = state[:n_layers]
            return self.take_state(state, self.batch_size), pool, kept
        finally:
            self.n_calls -= 1

    cdef tuple take_pool(self, given):
        """Return the pool and its counts of a user's state."""
        n_layers = len(self.hidden_sizes)
        if not isinstance(given, (list, tuple)) or len(given) != 2:
            raise ValueError(f"state[{n_layers}] must be the pair (pool, count), got {type(given).__name__!r}")
        pool, counts = self.new_pool()
        cdef _View view = _View(pool, True)
        if not self.copy_plain(view.data, given[0], self.batch_size, pool.shape[2]):
            fill(pool, given[0], f"pool of state[{n_layers}]")
        name = f"count of state[{n_layers}]"
        count = as_array(given[1], name)
        if count.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integers, got {count.dtype}")
        if count.shape != counts.shape:
            raise ValueError(f"{name} must have shape {counts.shape}, got {count.shape}")
        if count.min() < 0 or count.max() > MOST_POOLED:
            raise ValueError(f"{name} must be from 0 to {MOST_POOLED}, got {count.min()} to {count.max()}")
        counts[...] = count
        return pool, counts

    def set_model(self, model):
        """Go on with the weights of another model, from the next step; the state stays.

        Parameters
        ----------
        model : Sequence, estimator or Pipeline
            As in `pylstm.stream`, of the same sizes.
        """
        described = describe_steps(model)
        spec = described.spec.in_use()
        if spec != self.spec:
            raise ValueError(f"model must have the sizes of this stream's, {self.spec}, got {spec}")
        before, after = ([missing[0], len(missing[2])] if missing else None  # the kind, and of how many columns
                         for missing in (self.scalings.missing, described.missing))
        if before != after:
            raise ValueError("model must read missing values as this stream does, kind and number of columns that are "
                             f"told of, {before}, got {after}")
        cdef _StreamWeights own = _StreamWeights(spec, *weights_of(described))
        self.check_free()
        if self.n_calls:
            raise RuntimeError("this Stream is in use: it can't take other weights before its call has returned")
        check(pylstm_stream_set_weights(self.stream, own.view.data, &own.scalings.c))
        self.take_weights(own)  # C reads those before no more
        self.classes_ = described.labels
        self.take_texts(described.tokens)


cdef class _StreamWeights:
    """A copy of a model's weights, in one array, and of what is done to inputs and targets, or None.

    The dense layer's weights, which C reads where they lie, begin where a line of the cache does: in a language model
    of 10,000 tokens they take up to a tenth longer elsewhere.
    """

    cdef object flat
    cdef _View view
    cdef _Scalings scalings

    def __cinit__(self, ModelSpec spec, flat, inputs, targets, missing):
        cdef Py_ssize_t n = spec.n_parameters, n_line = LINE // spec.dtype.itemsize, start = 0
        room = np.empty(n + n_line, spec.dtype)
        cdef Py_ssize_t place = <Py_ssize_t> PyArray_DATA(room) // spec.dtype.itemsize
        if spec.c.n_outputs > 0:
            start = pylstm_model_head(&spec.c).weight
        first = -(place + start) % n_line
        self.flat = room[first : first + n]
        self.flat[...] = flat
        self.view = _View(self.flat)
        self.scalings = _Scalings(spec, inputs, targets, missing)


cdef weights_of(described):
    """Return a model's weights, and what is done to its inputs and its targets, or None."""
    cdef _Net net = described.net
    net.weights()  # which says so where there are none
    return net.flat, described.inputs, described.targets, described.missing


cdef inline bint is_finite(const void *data, Py_ssize_t n, Py_ssize_t itemsize) noexcept:
    """Whether n floats or doubles are; what is not leaves something of a difference of 0."""
    cdef const float *singles = <const float *> data
    cdef const double *doubles = <const double *> data
    cdef float single = 0
    cdef double both = 0
    cdef Py_ssize_t k
    if itemsize == 4:
        for k in range(n):
            single += singles[k] - singles[k]
    else:
        for k in range(n):
            both += doubles[k] - doubles[k]
    return single == 0 and both == 0
