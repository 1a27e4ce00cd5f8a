# Part of core.pyx: a net with a dense layer on top.

cdef class Model(_Net):
    """A `Sequence` with a dense layer on top; what the estimators fit.

    Parameters
    ----------
    spec : ModelSpec
        With a loss. Its ``dropout`` is for training alone.
    random_state, n_threads
        As in `Sequence`.
    """

    cdef pylstm_model model

    def __init__(self, ModelSpec spec not None, *, random_state=None, n_threads=1):
        if spec.loss is None:
            raise ValueError(f"spec must have a loss, got {spec}")
        self.setup(spec, random_state, n_threads)

    cdef become(self, ModelSpec spec, generator, Py_ssize_t n_threads, flat, _View flat_view, dict views):
        _Net.become(self, spec, generator, n_threads, flat, flat_view, views)
        self.model = spec.c
        self.model.net = self.c

    def __repr__(self):
        return f"Model({self.spec})"

    def with_loss(self, loss, loss_parameter):
        """Return a model of the same weights that is trained by this loss: itself, where it is already."""
        spec = self.spec.replace(loss=loss, loss_parameter=loss_parameter)
        if spec == self.spec:
            return self
        cdef Model other = Model.__new__(Model)
        other.setup(spec, self.generator, self.c.n_threads, self.flat)
        return other

    def is_finite(self):
        """Whether all weights are numbers."""
        return bool(np.isfinite(self.flat).all())

    def parameters(self):
        """Return the weights by name, as `Sequence.parameters` does, then ``weight_out`` and ``bias_out``."""
        return self.hand_out()

    def predict(self, steps, state=None, hold=None, *, n_threads=None, raw=False):
        """Return outputs and final state for sequences laid out as `Steps`.

        Parameters
        ----------
        steps : Steps
        state, hold
            As in `Sequence.forward`.
        n_threads : int, default=None
            Of this call; None is this object's.
        raw : bool, default=False
            Whether to return what the dense layer gives, before it becomes predictions: logits.

        Returns
        -------
        outputs : ndarray (n_sequences, n_outputs), or (n_rows, n_outputs) without pooling
        state : list
        """
        cdef pylstm_model model = self.model  # this call's own
        if n_threads is not None:
            model.net.n_threads = n_threads
        if raw:
            model.loss = PYLSTM_SQUARED_ERROR  # whose predictions are the outputs
        self.n_calls += 1
        try:
            if hold is not None:
                return self.predict_held(&model, steps, state, hold)
            return self.predict_over(&model, steps, state)
        finally:
            self.n_calls -= 1

    cdef tuple predict_over(self, const pylstm_model *model, steps, state):
        cdef _Batch batch = self.own_batch_of(steps)
        cdef Py_ssize_t n_sequences = batch.c.shape.n_sequences
        cdef size_t n_bytes = 0
        cdef int status
        check(pylstm_predict_size(model, &batch.c.shape, &n_bytes))
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
            &batch.c, weights, packed_memory, x_view.data, x_view.array.dtype.itemsize, in_data, NULL, y_view.data,
            out_view.data, 0, memory_of(None), workspace.c)
        with nogil:
            status = pylstm_predict(model, &forward)
        self.spare = workspace
        check(status)
        return outputs, self.state_views(state_out, n_sequences)

    cdef tuple predict_held(self, const pylstm_model *model, steps, state, hold):
        cdef Py_ssize_t n_sequences = len(steps.lengths)
        cdef size_t n_bytes = 0
        cdef int status
        held, state_in = held_values(self, steps, hold), self.take_state(state, n_sequences)
        cdef _Tape tape = self.new_tape(steps)
        y, state_out = self.trace_on(tape, state_in, held)
        check(pylstm_predict_size(model, &tape.batch.c.shape, &n_bytes))
        cdef _Memory workspace = self.take_workspace(n_bytes)
        n_predictions = len(steps.rows) if self.model.pooling == PYLSTM_POOL_NONE else n_sequences
        outputs = self.empty(2, n_predictions, self.model.n_outputs)
        cdef _View y_view = _View(y), outputs_view = _View(outputs, True)
        cdef const void *weights = self.weights()
        with nogil:
            status = pylstm_read_out(model, &tape.batch.c, weights, y_view.data, outputs_view.data,
                                     workspace.c)
        self.spare = workspace
        check(status)
        return outputs, self.state_views(state_out, n_sequences)
