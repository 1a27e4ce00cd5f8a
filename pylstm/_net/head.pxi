# Part of core.pyx: the dense layer by itself, in training.

cdef class Head:
    """A dense layer on features from anywhere, and the loss of its outputs: what training has on top of the layers.

    Parameters
    ----------
    width, n_outputs : int
    loss : str
        One of `LOSSES`.
    loss_parameter : float, default=0
        Huber's delta, or the quantile.
    dtype : {"float32", "float64"}
    n_threads : int, default=1
    """

    cdef pylstm_head c
    cdef object dtype
    cdef _Memory spare

    def __init__(self, width, n_outputs, *, loss="cross_entropy", loss_parameter=0.0, dtype="float32", n_threads=1):
        self.dtype = check_dtype(dtype)
        self.c.dtype = PYLSTM_FLOAT32 if self.dtype == np.float32 else PYLSTM_FLOAT64
        self.c.isa = ISA
        self.c.n_threads = check_size(n_threads, "n_threads")
        self.c.width, self.c.n_outputs = check_size(width, "width"), check_size(n_outputs, "n_outputs")
        self.c.loss = <pylstm_loss> <int> LOSSES[loss]
        self.c.loss_parameter = loss_parameter

    def gradient(self, features, weight, bias, targets, weights=None):
        """Return the weighted mean of the rows' losses, and its gradients by weight, bias and features.

        Parameters
        ----------
        features : ndarray (n_rows, width)
        weight, bias : ndarrays (n_outputs, width), (n_outputs,)
        targets : ndarray (n_rows,) of intp for cross-entropy, else (n_rows, n_outputs)
        weights : ndarray (n_rows,) of float64, default=None
            None is all 1.
        """
        cdef pylstm_head_batch batch
        cdef size_t n_bytes = 0
        cdef double loss = 0
        cdef int status
        cdef bint has_labels = pylstm_reads_labels(self.c.loss)
        n_rows, width, n_outputs = len(features), self.c.width, self.c.n_outputs
        given = [
            (features, [n_rows, width], self.dtype),
            (weight, [n_outputs, width], self.dtype),
            (bias, [n_outputs], self.dtype),
            (targets, [n_rows] if has_labels else [n_rows, n_outputs], np.intp if has_labels else self.dtype),
            (np.ones(n_rows) if weights is None else weights, [n_rows], np.float64),
        ]
        for array, shape, dtype in given:
            if list(array.shape) != shape or array.dtype != dtype:
                raise ValueError(
                    f"expected {np.dtype(dtype)} of shape {tuple(shape)}, got {array.dtype} of {array.shape}"
                )
        outs = [np.empty_like(weight), np.empty_like(bias), np.empty_like(features)]
        cdef list views = [_View(array) for array, _, _ in given] + [_View(array, True) for array in outs]
        batch.n_rows = n_rows
        batch.features, batch.weight, batch.bias = address(views[0]), address(views[1]), address(views[2])
        batch.labels = NULL
        batch.targets = NULL
        if has_labels:
            batch.labels = <const Py_ssize_t *> address(views[3])
        else:
            batch.targets = address(views[3])
        batch.weights = <const double *> address(views[4])
        batch.dweight, batch.dbias, batch.dfeatures = address(views[5]), address(views[6]), address(views[7])
        check(pylstm_head_size(&self.c, n_rows, &n_bytes))
        cdef _Memory workspace = self.spare
        self.spare = None
        if workspace is None or workspace.c.bytes < n_bytes:
            workspace = _Memory(n_bytes)
        with nogil:
            status = pylstm_head_gradient(&self.c, &BLAS, &batch, &loss, workspace.c)
        self.spare = workspace
        check(status)
        return loss, *outs


cdef void *address(_View view):
    return view.data
