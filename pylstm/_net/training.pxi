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
