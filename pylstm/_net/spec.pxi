# Part of core.pyx: what a model is, in one immutable value; C's `pylstm_model`, as Python sees it.

#: "caller" is a loss that C does not know: it predicts, and the caller trains.
LOSSES = {"cross_entropy": PYLSTM_CROSS_ENTROPY, "squared_error": PYLSTM_SQUARED_ERROR,
          "absolute_error": PYLSTM_ABSOLUTE_ERROR, "huber": PYLSTM_HUBER, "quantile": PYLSTM_QUANTILE,
          "sigmoid": PYLSTM_SIGMOID, "caller": PYLSTM_CALLER}
POOLINGS = {"last": PYLSTM_POOL_LAST, "mean": PYLSTM_POOL_MEAN, "max": PYLSTM_POOL_MAX, None: PYLSTM_POOL_NONE}
#: What training does to a parameter.
KINDS_OF_PARAMETERS = {PYLSTM_DECAYED: "decayed", PYLSTM_PLAIN: "plain", PYLSTM_ROWS: "rows", PYLSTM_KEPT: "frozen"}

Parameter = namedtuple("Parameter", ["name", "shape", "offset", "kind"])
Parameter.__doc__ = """One of the arrays that a model's parameters are.

``offset`` counts elements from the start of the flat array of all; ``kind`` is "decayed", of weights, which the L2
penalty is on; "plain", of biases; "rows", of an embedding, of which an update changes the rows that occurred; or
"frozen".
"""


@cython.final
cdef class ModelSpec:
    """What a model is: its layers and cells, what goes in, what comes out, and the type of its numbers.

    Immutable, and equal to another of the same arguments.

    Parameters
    ----------
    input_size : int
        Features per step; or how many tokens there are.
    hidden_sizes : tuple of int
        Units of each layer, the first next to the input.
    bidirectional, dropout, dtype, cell, nonlinearity, forget_bias, t_max
        As in `pylstm.Sequence`.
    loss : str, default=None
        One of `LOSSES`; None is a net alone, without a dense layer on top.
    n_outputs : int, default=0
        Classes, or targets.
    pooling : {"last", "mean", "max"}, default=None
        What the dense layer reads: each direction's own last output, or the mean or maximum of all. None is every one,
        for an output per step.
    loss_parameter : float, default=0.0
        Of "huber" its delta, of "quantile" the quantile; 0 for others.
    embedding_size, freeze_embedding
        As in `pylstm.Sequence`.
    tie_weights : bool, default=False
        Whether the weights of the dense layer are the embedding: there is an output for each token.

    Attributes
    ----------
    parameters : tuple of Parameter
        The arrays that make up the model, in the order of the flat array.
    """

    cdef pylstm_model c      # for one thread, of the best instruction set
    cdef _Memory sizes       # what c.net.hidden_sizes points to
    cdef tuple listed        # the parameters, once they have been asked for
    cdef ModelSpec running   # what is `in_use`, likewise
    cdef readonly tuple hidden_sizes
    cdef readonly object dtype
    cdef readonly str cell          # "lstm", "gru" or "rnn"
    cdef readonly str nonlinearity  # of the plain RNN
    cdef readonly object forget_bias, t_max, loss, pooling
    cdef readonly object embedding_size  # "one-hot", an integer, or None

    def __init__(self, input_size, hidden_sizes, *, bidirectional=False, dropout=0.0, dtype="float32", cell="lstm",
                 nonlinearity="tanh", forget_bias=1.0, t_max=None, loss=None, n_outputs=0, pooling=None,
                 loss_parameter=0.0, embedding_size=None, freeze_embedding=False, tie_weights=False):
        if self.hidden_sizes is not None:
            raise TypeError("a ModelSpec can't be changed: make another with replace")
        cdef Py_ssize_t layer
        cdef pylstm_net *net = &self.c.net
        self.forget_bias, self.t_max = check_forget_bias(forget_bias, t_max, cell)
        self.take_input(input_size, embedding_size, check_flag(freeze_embedding, "freeze_embedding"))
        self.dtype = check_dtype(dtype)
        net.dtype = PYLSTM_FLOAT32 if self.dtype == np.float32 else PYLSTM_FLOAT64
        sizes = []  # comprehensions of Cython 3.3 drop an element twice where there is no memory for it
        for index, size in enumerate(hidden_sizes):
            name = "hidden_size" if len(hidden_sizes) == 1 else f"hidden_size[{index}]"
            sizes.append(check_size(size, name))
        if not sizes:
            raise ValueError("hidden_size must name at least one layer, got ()")
        self.hidden_sizes = tuple(sizes)
        net.n_layers = len(self.hidden_sizes)
        self.sizes = _Memory(net.n_layers * sizeof(Py_ssize_t))
        for layer in range(net.n_layers):
            (<Py_ssize_t *> self.sizes.c.data)[layer] = self.hidden_sizes[layer]
        net.hidden_sizes = <const Py_ssize_t *> self.sizes.c.data
        net.n_directions = 2 if check_flag(bidirectional, "bidirectional") else 1
        net.isa = ISA
        net.n_threads = 1
        net.dropout = check_real(dropout, "dropout", 0.0, 1.0)
        net.cell = <pylstm_cell> <int> check_cell(cell, nonlinearity)
        self.cell, self.nonlinearity = cell, nonlinearity if cell == "rnn" else "tanh"
        self.take_head(loss, n_outputs, pooling, loss_parameter)
        if check_flag(tie_weights, "tie_weights"):
            self.tie()
        cdef int status = pylstm_net_check(net) if loss is None else pylstm_model_check(&self.c)
        if status:
            raise ValueError(f"input_size {input_size}, hidden_size {hidden_sizes} and n_outputs {n_outputs} can't be "
                             f"made: {pylstm_strerror(status).decode()}")

    cdef take_input(self, input_size, embedding_size, bint is_frozen):
        cdef pylstm_net *net = &self.c.net
        net.input_size = check_size(input_size, "input_size")
        if embedding_size is None:
            if is_frozen:
                raise ValueError("freeze_embedding=True needs an embedding_size, got None")
            return
        net.n_tokens = net.input_size
        if isinstance(embedding_size, str):
            if embedding_size != "one-hot":
                raise ValueError(f"embedding_size must be an integer >= 1, 'one-hot' or None, got {embedding_size!r}")
            if is_frozen:
                raise ValueError("freeze_embedding=True needs an embedding, got embedding_size='one-hot'")
            self.embedding_size, net.input = embedding_size, PYLSTM_ONE_HOT
            return
        self.embedding_size = net.input_size = check_size(embedding_size, "embedding_size")
        net.input = PYLSTM_FROZEN if is_frozen else PYLSTM_EMBEDDING

    cdef tie(self):
        width, n_tokens = pylstm_net_output_size(&self.c.net), self.c.net.n_tokens
        if self.c.net.input != PYLSTM_EMBEDDING or self.c.net.input_size != width or self.c.n_outputs != n_tokens:
            raise ValueError("tie_weights=True needs an embedding that is learnt, as wide as the last layer's outputs, "
                             f"{width}, and an output for each of {n_tokens} tokens, got embedding_size="
                             f"{self.embedding_size!r} and n_outputs={self.c.n_outputs}")
        self.c.is_tied = True

    cdef take_head(self, loss, n_outputs, pooling, loss_parameter):
        if loss is None:
            if n_outputs != 0 or pooling is not None or loss_parameter != 0:
                raise ValueError("n_outputs, pooling and loss_parameter go with a loss, got "
                                 f"{n_outputs!r}, {pooling!r} and {loss_parameter!r}")
            self.c.loss, self.c.pooling = PYLSTM_SQUARED_ERROR, PYLSTM_POOL_NONE  # which nobody reads
            return
        if loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(map(repr, LOSSES))}, got {loss!r}")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be 'last', 'mean', 'max' or None, got {pooling!r}")
        self.c.n_outputs = check_size(n_outputs, "n_outputs")
        self.loss, self.c.loss = loss, <pylstm_loss> <int> LOSSES[loss]
        self.c.loss_parameter = check_real(loss_parameter, "loss_parameter", 0.0, 1.0 if loss == "quantile" else np.inf)
        if (loss in ("huber", "quantile")) != (self.c.loss_parameter > 0):
            raise ValueError("loss_parameter must be positive with loss 'huber' or 'quantile', else 0, "
                             f"got {loss_parameter!r} with {loss!r}")
        self.pooling, self.c.pooling = pooling, <pylstm_pooling> <int> POOLINGS[pooling]

    @property
    def input_size(self):
        """Features per step; or how many tokens there are."""
        return self.c.net.n_tokens or self.c.net.input_size

    @property
    def reads_tokens(self):
        """Whether tokens go in, not values."""
        return self.c.net.n_tokens > 0

    @property
    def row_size(self):
        """Of what a row of steps consists: so many values, or one token."""
        return 1 if self.c.net.n_tokens else self.c.net.input_size

    @property
    def freeze_embedding(self):
        """Whether the embedding stays what it is."""
        return self.c.net.input == PYLSTM_FROZEN

    @property
    def tie_weights(self):
        """Whether the weights of the dense layer are the embedding."""
        return bool(self.c.is_tied)

    @property
    def bidirectional(self):
        """Whether the layers run in both directions."""
        return self.c.net.n_directions == 2

    @property
    def n_directions(self):
        """2 where the layers run in both directions, else 1."""
        return self.c.net.n_directions

    @property
    def dropout(self):
        """Probability of a zeroed output in training."""
        return self.c.net.dropout

    @property
    def loss_parameter(self):
        """Of "huber" its delta, of "quantile" the quantile; 0 for others."""
        return self.c.loss_parameter

    @property
    def n_outputs(self):
        """Outputs of the dense layer; 0 where there is none."""
        return self.c.n_outputs

    @property
    def output_size(self):
        """What comes out at each step, or for each sequence: of the dense layer, or of a net alone."""
        return self.c.n_outputs or pylstm_net_output_size(&self.c.net)

    @property
    def n_parameters(self):
        """Elements of all parameters together."""
        return pylstm_model_n_parameters(&self.c)

    @property
    def parameters(self):
        """The arrays that make up the model, in the order of the flat array."""
        cdef pylstm_parameter at
        memset(&at, 0, sizeof(at))
        if self.listed is None:
            listed = []
            while pylstm_model_next(&self.c, &at):
                shape = [at.rows, at.columns] if at.columns else [at.rows]
                listed.append(Parameter(at.name.decode(), tuple(shape), at.offset, KINDS_OF_PARAMETERS[at.kind]))
            self.listed = tuple(listed)
        return self.listed

    @property
    def places(self):
        """For each layer, each of its directions: (layer, direction, what its names end in)."""
        found = []
        for layer in range(len(self.hidden_sizes)):
            for direction in range(self.c.net.n_directions):
                found.append((layer, direction, suffix_of(layer, direction)))
        return tuple(found)

    def views(self, flat):
        """Return the parameters by name, as views of the flat array of all."""
        found = {}
        for name, shape, offset, _ in self.parameters:
            found[name] = flat[offset:offset + prod(shape)].reshape(shape)
        return found

    def arguments(self):
        """Return what the constructor takes, as a dict."""
        return {
            "input_size": self.input_size, "hidden_sizes": self.hidden_sizes,
            "bidirectional": self.c.net.n_directions == 2, "dropout": self.c.net.dropout, "dtype": self.dtype.name,
            "cell": self.cell, "nonlinearity": self.nonlinearity, "forget_bias": self.forget_bias,
            "t_max": self.t_max, "loss": self.loss, "n_outputs": self.c.n_outputs, "pooling": self.pooling,
            "loss_parameter": self.c.loss_parameter, "embedding_size": self.embedding_size,
            "freeze_embedding": self.freeze_embedding, "tie_weights": self.tie_weights,
        }

    def replace(self, **changes):
        """Return another, which differs in the arguments given."""
        # By a function of Python's: a call of Cython 3.3 with ** crashes where there is no memory for it.
        return restore(VERSION, "ModelSpec", {**self.arguments(), **changes})

    def in_use(self):
        """Return what is left where it only runs on: what training needs goes, as does that it reads the last step."""
        if self.running is None:
            loss = self.loss if self.loss in (None, "cross_entropy", "sigmoid") else "squared_error"
            pooling = None if self.pooling == "last" else self.pooling
            self.running = self.replace(dropout=0.0, forget_bias=1.0, t_max=None, loss=loss, pooling=pooling,
                                        loss_parameter=0.0)
        return self.running

    def __eq__(self, other):
        if not isinstance(other, ModelSpec):
            return NotImplemented
        return self.arguments() == other.arguments()

    def __hash__(self):
        return hash(tuple(self.arguments().values()))

    def __repr__(self):
        given = self.arguments()
        plain = ModelSpec(given.pop("input_size"), given.pop("hidden_sizes")).arguments()
        more = "".join([f", {name}={value!r}" for name, value in given.items() if value != plain[name]])
        return f"ModelSpec({self.input_size}, {self.hidden_sizes}{more})"

    def __reduce__(self):
        return restore, (VERSION, "ModelSpec", self.arguments())


#: The most layers that a blob has room for.
BLOB_LAYERS = PYLSTM_BLOB_LAYERS


cdef class _Scalings:
    """What a model's inputs and targets are scaled by, each a pair of mean and scale, or None; in copies for C.

    And what stands for missing inputs: a kind, the mean and columns, or None.
    """

    cdef pylstm_scalings c
    cdef readonly object inputs, targets, missing
    cdef readonly Py_ssize_t n_features  # of a step, as it is read
    cdef readonly Py_ssize_t n_kept      # of what a stream keeps of missing inputs

    def __cinit__(self, ModelSpec spec, inputs, targets, missing):
        self.inputs = self.take(inputs, spec.row_size, &self.c.inputs)
        self.targets = self.take(targets, spec.c.n_outputs, &self.c.targets)
        self.n_features = spec.row_size
        self.c.missing.kind = PYLSTM_MISSING_NONE
        if missing is not None:
            self.take_missing(missing)

    cdef take_missing(self, missing):
        cdef _View mean_view, columns_view
        kind, mean, columns = missing
        if kind not in ("indicator", "hold"):
            raise ValueError(f"missing must be 'indicator' or 'hold', got {kind!r}")
        columns = own_copy(columns, np.int64, len(columns), "columns")
        self.n_features -= 2 * len(columns)
        mean = own_copy(mean, np.float64, self.n_features, "mean")
        mean_view, columns_view = _View(mean), _View(columns)
        self.missing = kind, mean, columns
        self.n_kept = self.n_features if kind == "hold" else len(columns)
        self.c.missing.kind = PYLSTM_MISSING_HOLD if kind == "hold" else PYLSTM_MISSING_INDICATOR
        self.c.missing.mean, self.c.missing.n_columns = <const double *> mean_view.data, len(columns)
        self.c.missing.columns = <const int64_t *> columns_view.data

    cdef take(self, scaling, Py_ssize_t n, pylstm_scaling *to):
        cdef _View mean_view, scale_view
        to.mean = to.scale = NULL
        if scaling is None:
            return None
        mean, scale = scaling
        mean, scale = own_copy(mean, np.float64, n, "mean"), own_copy(scale, np.float64, n, "scale")
        mean_view, scale_view = _View(mean), _View(scale)
        to.mean, to.scale = <const double *> mean_view.data, <const double *> scale_view.data
        return mean, scale


cdef own_copy(values, dtype, Py_ssize_t n, name):
    array = np.array(values, dtype)
    if array.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {array.shape}")
    return array


def as_blob(ModelSpec spec, weights, inputs, targets, missing):
    """Return a model in the bytes that `pylstm_blob_open` reads; the last three as `_Scalings` has them."""
    cdef size_t n_bytes = 0
    cdef _View weights_view = _View(weights)
    cdef _Scalings scalings = _Scalings(spec, inputs, targets, missing)
    check(pylstm_blob_size(&spec.c, &scalings.c, &n_bytes))
    blob = np.empty(n_bytes, np.uint8)
    cdef _View view = _View(blob, True)
    check(pylstm_blob_write(&spec.c, weights_view.data, &scalings.c, pylstm_memory(view.data, n_bytes)))
    return blob.tobytes()
