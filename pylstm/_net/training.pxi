# Part of core.pyx: a model's training, a mini-batch at a time.

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

    def update(self, Model model, Gradient gradient, double total_weight, double loss):
        """Clip a finished gradient and take a step; return the loss with the L2 penalty.

        Where it or the gradient is not finite, or the gradient too large for Adam or RMSprop to square, nothing is
        updated, and what is returned is not finite.
        """
        cdef int status
        cdef void *weights = model.weights()
        self.check_size_of(model)
        expect(gradient.values, (model.flat.size,), model.dtype, "gradient")
        with nogil:
            status = pylstm_update(&model.model, &self.c, weights, gradient.values_view.data, total_weight, &loss)
        model.changed()
        check(status)
        return loss

    cdef check_size_of(self, Model model):
        expect(self.moments, (2, model.flat.size), model.dtype, "moments")

    def __reduce__(self):
        return reduced(self, self.__getstate__())

    def __getstate__(self):
        c = (self.c.kind, self.c.learning_rate, self.c.beta_1, self.c.beta_2, self.c.epsilon, self.c.momentum,
             self.c.nesterov, self.c.alpha, self.c.max_grad_norm, self.c.t)
        return c, self.moments

    def __setstate__(self, state):
        c, moments = state
        kind, learning_rate, beta_1, beta_2, epsilon, momentum, nesterov, alpha, max_grad_norm, t = c
        self.c = pylstm_solver(<pylstm_solver_kind> <int> kind, learning_rate, beta_1, beta_2, epsilon, momentum,
                               nesterov, alpha, max_grad_norm, t, NULL, NULL)
        # A copy: they may have been unpickled into read-only memory.
        self.remember(as_numbers(np.array(moments), "moments", 2, "(2, n_parameters)", moments.dtype))

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


cdef class Gradient:
    """The gradient of a `Model`'s parameters, of mini-batches of its sequences that are added up.

    `begin`, `add` as often as wanted, `finish`; then `Solver.update`, or whatever else is to be done with it. `step` is
    all of them for one mini-batch, on one team of threads.

    Parameters
    ----------
    model : Model
    steps : Steps
        The sequences, of the model's dtype.
    targets : ndarray or None
        For cross-entropy labels (n,) of intp, else (n, n_outputs) of the model's dtype; one for each sequence or,
        without pooling, each row. Those that are NaN count neither in the loss nor in the total weight. None for a loss
        that is the caller's own.
    weights : ndarray (n,) of float64, default=None
        Of the targets; None is all 1.
    batch_size : int
        Of the largest mini-batch to come.
    windows : pair of ndarrays of intp, default=None
        First row and length of what is trained on instead of whole sequences.
    """

    cdef Model model
    cdef readonly object values   # (n_parameters,), the sum once it is finished
    cdef _View values_view, x_view, first_view, length_view, targets_view, weights_view
    cdef _View counted_view       # of each row the weight that it adds to the total
    cdef Py_ssize_t n_sequences, batch_size, target_bytes
    cdef pylstm_gradient *c
    cdef _Memory memory, pointers
    cdef pylstm_minibatch batch   # the one at work: its arrays are `pointers`

    def __init__(self, Model model, steps, targets, weights=None, *, Py_ssize_t batch_size, windows=None):
        cdef size_t n_bytes = 0
        cdef pylstm_shape bound
        first, lengths = (np.cumsum(steps.lengths) - steps.lengths, steps.lengths) if windows is None else windows
        n_targets = len(steps.rows) if model.model.pooling == PYLSTM_POOL_NONE else len(lengths)
        if not model.reads(steps.rows, len(steps.rows)):
            raise ValueError(f"steps must be of what {model} reads, got rows {steps.rows.shape} of {steps.rows.dtype}")
        if targets is not None and pylstm_reads_labels(model.model.loss):
            expect(targets, (n_targets,), np.dtype(np.intp), "targets")
        elif targets is not None:
            expect(targets, (n_targets, model.model.n_outputs), model.dtype, "targets")
        if weights is not None:
            expect(weights, (n_targets,), np.dtype(np.float64), "weights")
        counted = weights
        if targets is not None and np.isnan(targets).any():
            known = 1 - np.isnan(targets).mean(axis=1)
            counted = known if weights is None else weights * known
        self.model = model
        self.x_view, self.first_view, self.length_view = _View(steps.rows), _View(first), _View(lengths)
        self.targets_view = None if targets is None else _View(targets)
        self.target_bytes = 0 if targets is None else targets.nbytes // n_targets
        self.weights_view = None if weights is None else _View(weights)
        self.counted_view = None if counted is None else _View(counted)
        self.n_sequences = len(lengths)
        # No mini-batch is larger than one of the longest sequences.
        longest = np.sort(lengths)[::-1][:batch_size]
        bound = pylstm_shape(len(longest), longest[0], longest.sum())
        self.batch_size = bound.n_sequences
        self.pointers = _Memory(4 * self.batch_size * sizeof(void *))
        self.values = np.zeros(model.flat.size, model.dtype)
        self.values_view = _View(self.values, True)
        check(pylstm_gradient_size(&model.model, &bound, &n_bytes))
        self.memory = _Memory(n_bytes)
        check(pylstm_gradient_init(&self.c, &model.model, &BLAS, &bound, model.weights(), self.values_view.data,
                                   self.memory.c))

    cdef const pylstm_minibatch *minibatch(self, indices) except NULL:
        """Describe a mini-batch to C, without states, and its weight as that of the whole."""
        cdef _View view = _View(indices)
        cdef const Py_ssize_t *data = <const Py_ssize_t *> view.data
        cdef Py_ssize_t n = indices.shape[0], b, k, at
        cdef Py_ssize_t row_size = 1 if self.model.c.n_tokens else self.model.c.input_size
        cdef Py_ssize_t token_size = self.x_view.array.itemsize, width = row_size * token_size
        cdef bint per_step = self.model.model.pooling == PYLSTM_POOL_NONE
        cdef const Py_ssize_t *first = <const Py_ssize_t *> self.first_view.data
        cdef const Py_ssize_t *length = <const Py_ssize_t *> self.length_view.data
        cdef const void **x = <const void **> self.pointers.c.data
        cdef const void **targets = x + self.batch_size
        cdef const double **weights = <const double **> (x + 2 * self.batch_size)
        cdef const double *counted
        cdef Py_ssize_t *lengths = <Py_ssize_t *> (x + 3 * self.batch_size)
        cdef double total = 0
        if n < 1 or n > self.batch_size:
            raise ValueError(f"indices must be of 1 to {self.batch_size} sequences, got {n}")
        for b in range(n):
            if data[b] < 0 or data[b] >= self.n_sequences:
                raise ValueError(f"indices must be of {self.n_sequences} sequences, got {data[b]}")
            at = first[data[b]] if per_step else data[b]
            x[b] = <const char *> self.x_view.data + first[data[b]] * width
            lengths[b] = length[data[b]]
            if self.targets_view is not None:
                targets[b] = <const char *> self.targets_view.data + at * self.target_bytes
            if self.weights_view is not None:
                weights[b] = <const double *> self.weights_view.data + at
            if self.counted_view is not None:
                counted = <const double *> self.counted_view.data + at
                for k in range(lengths[b] if per_step else 1):
                    total += counted[k]
            else:
                total += lengths[b] if per_step else 1
        self.batch = pylstm_minibatch(n, x, row_size, token_size, lengths, NULL, NULL, NULL, total, 0, NULL, NULL,
                                      NULL, NULL)
        if self.targets_view is not None:
            self.batch.targets = targets
        if self.weights_view is not None:
            self.batch.weights = weights
        return &self.batch

    def draw_seed(self):
        """Return a seed for the dropout of a mini-batch; 0 where there is none."""
        return int.from_bytes(self.model.generator.bytes(8), "little") if self.model.c.dropout > 0 else 0

    def begin(self):
        """Start from zero, for the weights as they are now."""
        check(pylstm_gradient_begin(self.c))

    def add(self, indices, state=None, *, rows=None, total_weight=None, seed=None):
        """Add the gradient and the loss of a mini-batch, or of a shard of one.

        Parameters
        ----------
        indices : ndarray (n,) of intp
            Its sequences, or windows.
        state : list, default=None
            To start from, as in `Sequence.forward`; None starts at zero.
        rows : ndarray (n,) of intp, default=None
            Of a shard: where each sequence's steps begin among the rows of the whole mini-batch.
        total_weight : float, default=None
            That of the whole; None: this is the whole.
        seed : int, default=None
            The whole's, of `draw_seed`; None draws one.

        Returns
        -------
        weight : float
            Total weight of the targets.
        state : list
            After the mini-batch.
        """
        cdef int status
        self.minibatch(indices)
        cdef double weight = self.batch.total_weight
        cdef _View rows_view = None
        if rows is not None:
            expect(rows, (len(indices),), np.dtype(np.intp), "rows")
            rows_view = _View(rows)
            self.batch.row = <const Py_ssize_t *> rows_view.data
        if total_weight is not None:
            self.batch.total_weight = total_weight
        self.batch.dropout_seed = self.draw_seed() if seed is None else seed
        state_out = self.take_states(state)
        with nogil:
            status = pylstm_gradient_add(self.c, &self.batch)
        check(status)
        return weight, self.model.state_views(state_out, self.batch.n_sequences)

    cdef take_states(self, state):
        """Set the initial state; return room for the final one, flat."""
        cdef Py_ssize_t n = self.batch.n_sequences
        state_out = self.model.new_state(n)
        state_in = self.model.take_state(state, n)
        cdef _View out_view = _View(state_out, True), in_view
        self.batch.state_out = out_view.data
        if state_in is not None:  # what is after it may lie where it lay: then no other array has to live on
            state_out[...] = state_in
            self.batch.state_in = out_view.data
        return state_out

    def outputs(self, indices, state=None, *, seed=None):
        """Return the outputs of a mini-batch, for a loss that is the caller's own; `backward` goes on from there.

        Parameters
        ----------
        indices, state, seed
            As in `add`.

        Returns
        -------
        outputs : ndarray (n_targets, n_outputs)
            Of the dense layer: for each sequence or, without pooling, each step.
        weight : float
        state : list
            After the mini-batch.
        """
        cdef int status
        self.minibatch(indices)
        self.batch.dropout_seed = self.draw_seed() if seed is None else seed
        state_out = self.take_states(state)
        cdef Py_ssize_t n = self.batch.n_sequences, b
        if self.model.model.pooling == PYLSTM_POOL_NONE:
            n = 0
            for b in range(self.batch.n_sequences):
                n += self.batch.length[b]
        outputs = self.model.empty(2, n, self.model.model.n_outputs)
        cdef _View outputs_view = _View(outputs, True)
        with nogil:
            status = pylstm_gradient_outputs(self.c, &self.batch, outputs_view.data)
        check(status)
        self.batch.state_in = self.batch.state_out = NULL  # the tape has what `backward` needs
        return outputs, self.batch.total_weight, self.model.state_views(state_out, self.batch.n_sequences)

    def backward(self, doutputs):
        """Add the gradient of the parameters, of the mini-batch whose `outputs` were asked for last.

        Parameters
        ----------
        doutputs : ndarray (n_targets, n_outputs)
            Gradient of the loss by them.
        """
        cdef int status
        cdef _View view = _View(doutputs)
        with nogil:
            status = pylstm_gradient_backward(self.c, &self.batch, view.data)
        check(status)

    def finish(self):
        """Complete `values`; return the loss that was added up."""
        cdef double loss = 0
        cdef int status
        with nogil:
            status = pylstm_gradient_finish(self.c, &loss)
        check(status)
        return loss

    def step(self, Solver solver, indices, state=None):
        """Train on one mini-batch: `begin`, `add`, `finish` and `Solver.update` at once.

        Parameters
        ----------
        solver : Solver
        indices : ndarray (n,) of intp
            Its sequences, or windows.
        state : list, default=None
            To start from, as in `Sequence.forward`; None starts at zero.

        Returns
        -------
        loss : float
            Weighted mean, with the L2 penalty, before the update; where it is not finite there was none.
        weight : float
            Total weight of the targets.
        state : list
            After the mini-batch.
        """
        cdef double loss = 0
        cdef int status
        solver.check_size_of(self.model)
        self.minibatch(indices)
        self.batch.dropout_seed = self.draw_seed()
        state_out = self.take_states(state)
        with nogil:
            status = pylstm_train_step(self.c, &self.batch, &solver.c, &loss)
        self.model.changed()
        check(status)
        return loss, self.batch.total_weight, self.model.state_views(state_out, self.batch.n_sequences)


cdef expect(array, tuple shape, dtype, str name):
    """Raise an error where an array is none of this shape and dtype."""
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{name} must be {shape} of {dtype}, got {array.shape} of {array.dtype}")
