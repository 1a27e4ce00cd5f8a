# Part of core.pyx: a stack of layers over whole sequences, forward and back through time.

cdef class Sequence(_Net):
    """A stack of layers over whole sequences, dense or ragged, with back-propagation through time.

    Parameters
    ----------
    input_size : int
        Features per step; with `embedding_size`, how many tokens there are.
    hidden_size : int or tuple of int
        Units of the layer, or one size per layer, the first next to the input.
    bidirectional : bool, default=False
        Whether each layer also runs over the reversed sequence; the outputs of the two lie side by side.
    dropout : float, default=0.0
        Probability that an output of a layer is zeroed in a training `forward`, the last layer's too; the others are
        scaled by 1 / (1 - dropout).
    dtype : {"float32", "float64"}, default="float32"
    forget_bias : float, "chrono", "mixed" or "uniform", default=1.0
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
    embedding_size : int or "one-hot", default=None
        Makes the net one of tokens, integers from 0 to ``input_size - 1``. With an integer E each token is looked up
        in a table (input_size, E), the parameter ``embedding``, which is learnt. With "one-hot" there is no table: a
        token selects a column of ``weight_ih``; the outputs are the bits that an array of zeros and ones would give.
    freeze_embedding : bool, default=False
        Whether the embedding stays what it is: its gradient is zero. Vectors from elsewhere go into
        ``parameters()["embedding"]``.

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

    cdef _Tape tape
    cdef bint is_training  # a thread is writing or reading the tape

    def __init__(self, input_size, hidden_size, bidirectional=False, dropout=0.0, dtype="float32", forget_bias=1.0,
                 random_state=None, n_threads=1, *, t_max=None, cell="lstm", nonlinearity="tanh",
                 embedding_size=None, freeze_embedding=False):
        sizes = hidden_size if isinstance(hidden_size, (list, tuple)) else (hidden_size,)
        spec = ModelSpec(input_size, sizes, bidirectional=bidirectional, dropout=dropout, dtype=dtype, cell=cell,
                         nonlinearity=nonlinearity, forget_bias=forget_bias, t_max=t_max,
                         embedding_size=embedding_size, freeze_embedding=freeze_embedding)
        self.setup(spec, random_state, n_threads)

    cdef become(self, ModelSpec spec, generator, Py_ssize_t n_threads, flat, _View flat_view, dict views):
        _Net.become(self, spec, generator, n_threads, flat, flat_view, views)
        self.tape = None

    def __repr__(self):
        tokens = "" if self.spec.embedding_size is None else f", embedding_size={self.spec.embedding_size!r}"
        tokens += ", freeze_embedding=True" if self.spec.freeze_embedding else ""
        return (f"Sequence({self.input_size}, {self.hidden_size}, bidirectional={self.bidirectional}, "
                f"dropout={self.dropout}, dtype={self.dtype.name!r}{self.kind()}{tokens})")

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
            layers'. Of a GRU (3H, I), (3H, H), (4H,); of an RNN (H, I), (H, H), (H,). Before them ``embedding``
            (input_size, E), if there is one; I is then E. Writable views: what is written there, the next forward uses.
        """
        return self.hand_out()

    def forward(self, X, state=None, *, training=False, hold=None):
        """Run over whole sequences.

        Parameters
        ----------
        X : array-like (n_sequences, n_steps, input_size), or list of (n_steps_i, input_size)
            Of tokens integers (n_sequences, n_steps), or a list of (n_steps_i,); (n_steps,) is one sequence.
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
            The last layer's output at each step; of an object array one.
        state : list
            As above, after each sequence's own last step (in the reverse direction, its first).

        Raises
        ------
        ValueError, TypeError
            If `X`, `state` or `hold` are of another form; the object is then as it was.
        RuntimeError
            If another thread is in a training forward or a backward of this object.
        """
        self.n_calls += 1
        try:
            return self.forward_over(X, state, training, hold)
        finally:
            self.n_calls -= 1

    cdef tuple forward_over(self, X, state, bint training, hold):
        if hold is not None:
            if training:
                raise ValueError("hold must be None with training=True: there is no backward through a held gate")
            return self.forward_held(X, state, hold)
        cdef _View view = None if training or self.c.n_tokens else self.plain(X, 3)
        cdef const npy_intp *shape
        if view is not None:  # the same as below, without what takes longer than the arithmetic of a small step
            shape = PyArray_DIMS(view.array)
            if shape[0] > 0 and shape[1] > 0 and shape[2] == self.c.input_size:
                state_in = self.take_state(state, shape[0])
                y = self.empty(3, shape[0], shape[1], pylstm_net_output_size(&self.c))
                state_out = self.run(view, dense_batch(shape[0], shape[1]), y, state_in, None)
                return y, self.state_views(state_out, shape[0])

        steps = self.steps_of(X)
        n_sequences = len(steps.lengths)
        state_in = self.take_state(state, n_sequences)
        if training:
            y, state_out = self.forward_training(steps, state_in)
        else:
            y, state_out = self.run_forward(steps, state_in, None)
        return as_given(y, steps), self.state_views(state_out, n_sequences)

    cdef tuple forward_held(self, X, state, hold):
        steps = self.steps_of(X)
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
        self.n_calls += 1
        try:
            return trace(self, X, state, hold)
        finally:
            self.n_calls -= 1

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
        return Stream(self, batch_size)

    cdef tuple forward_training(self, steps, state_in):
        self.claim_tape()
        try:
            if self.c.n_tokens:  # which backward reads again: the caller may have changed them by then
                steps = steps._replace(rows=steps.rows.copy())
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
            A named tuple: ``parameters``, a dict as `parameters` returns it; ``input``, of the form of X, of tokens
            None; ``state``, of the form of the initial state.

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
        self.n_calls += 1
        try:
            return self.run_backward(self.tape, dY, dstate)
        finally:
            self.n_calls -= 1
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
        rows = tape.steps.rows
        dx = None if self.c.n_tokens else np.empty_like(rows)
        cdef _View dy_view = _View(dy), dparameters_view = _View(dparameters, True), x_view = _View(rows)
        cdef _View dx_view = None if dx is None else _View(dx, True)
        cdef void *dx_data = NULL if dx is None else dx_view.data
        cdef const void *weights = self.weights()
        cdef pylstm_backward_pass back = pylstm_backward_pass(
            &batch.c, weights, dy_view.data, dstate_data, x_view.data, rows.itemsize, dparameters_view.data, dx_data,
            state_view.data, tape.dropout_seed, tape.memory.c, workspace.c)
        with nogil:
            status = pylstm_backward(&self.c, &back)
        self.spare = workspace
        check(status)
        return Gradients(self.spec.views(dparameters), None if dx is None else as_given(dx, tape.steps), views)
