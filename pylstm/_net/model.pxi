# Part of core.pyx: a net with a dense layer on top.

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
        cdef pylstm_forward_pass forward = pylstm_forward_pass(
            &batch.c, weights, packed_memory, x_view.data, in_data, NULL, y_view.data, out_view.data, 0,
            memory_of(None), workspace.c)
        with nogil:
            status = pylstm_predict(&self.model, &forward)
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
