"""From a model to a C file that runs it."""

import copy
import math
import os
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._files.writing import as_path, replace
from .._net.core import Sequence
from .._net.describe import Description, RecursiveForecasts, Scaling, describe, describe_steps
from .._net.inputs import as_probabilities, check_int, check_real
from . import c_file, c_forecast, c_learn
from .blob import write_blob
from .c_learn import Learning
from .c_net import LOSSES, Layer, Matrix, Net, Tokens, flash_bytes, ram_bytes
from .c_vocabulary import vocabulary_of

#: Of C23 and C++23.
KEYWORDS = frozenset(
    """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class compl
    concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete
    do double dynamic_cast else enum explicit export extern false float for friend goto if inline int long mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires restrict return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile
    wchar_t while xor xor_eq
    """.split()  # noqa: SIM905  (a list would have a line for each)
)

#: The largest `int`, where that has 32 bits: a file says its window as one.
INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class Export:
    """What `export_c` wrote.

    Attributes
    ----------
    path : str
        The file.
    name : str
        What all names in it begin with.
    flash_bytes : int
        Size of all constants, without the code and without vectors.
    ram_bytes : int
        Size of the state; of a trainable model's struct, which has its weights too.
    score, quantised_score : float or None
        The model's score on the data that was given, and that of the weights in the file; None without data.
    reads, writes : {"float", "double"}
        The type of an input, and of an output, in C. Of a model that reads tokens, `reads` is "uint32_t".
    """

    path: str
    name: str
    flash_bytes: int
    ram_bytes: int
    score: float | None = None
    quantised_score: float | None = None
    reads: str = "float"
    writes: str = "float"


def export_c(
    model: Any,
    path: Any,
    *,
    name: str | None = None,
    weights: str = "float32",
    data: Any = None,
    weights_blob: Any = None,
    trainable: bool | str = False,
    window: int | None = None,
    carry_state: bool | None = None,
    max_grad_norm: float | str | None = "auto",
    quantiles: Any = None,
) -> Export:
    """Write a model as one C file that needs nothing else: no other file, no heap, no libm.

    Parameters
    ----------
    model : Sequence, estimator or Pipeline
        As for `stream`, in float32. The C function takes a step as `Stream.step` does: with the output layer of an
        estimator, and the scaling of a pipeline. Or an `LSTMForecaster` of one series, or its `stream`, of
        which the C functions are.
    path : str or path-like
        The file. One that exists is replaced as a whole, or not at all.
    name : str, default=None
        A C identifier, with which the names of all functions and types begin; None takes the file's, without its
        ending. Programs may have several models under different names.
    weights : {"float32", "int8"}, default="float32"
        How weights lie in the file. With "int8" each row of a matrix has a scale, its largest magnitude / 127, and its
        weights are rounded to multiples of that; biases, and all that is computed, are float32.
    data : tuple (X, y), default=None
        With "int8": what an estimator's `score` is taken on, before and after its weights are rounded.
    weights_blob : str or path-like, default=None
        A second file, from which ``pylstm_blob_open`` of the C library (``libpylstm.a``) takes the model: one that can
        be replaced without compiling. The weights in it are those of the model, as they are.
    trainable : bool or "head", default=False
        Whether the file has a function that trains too: all of an estimator's weights, by back-propagation through
        time; or with "head" those of its output layer, which takes little more memory than running it.
    window : int, default=None
        Steps that it trains on at a time, when `trainable`. None takes the estimator's own `window`, if it has one, as
        an `LSTMLanguageModel` has.
    carry_state : bool, default=None
        Whether training on a window starts from the state in which the window before ended, rather than at zero. None
        carries it in models with an output for each step.
    max_grad_norm : float, None or "auto", default="auto"
        Global norm that gradients are scaled down to; None for never, "auto" for the estimator's own.
    quantiles : array-like (n_quantiles,), default=None
        Probabilities in (0, 1), of which a forecaster's file has a function for quantiles. Of the direct way only.

    Returns
    -------
    Export
        Name, memory needed, and scores.

    Raises
    ------
    ValueError
        If the model has two directions, or float64.

    See Also
    --------
    stream : Runs a model step by step in Python.

    Notes
    -----
    A comment at the top of the file tells how to use it, and what memory it takes. It is C99, and C++, for any
    processor; with GCC or clang it uses the vectors of x86-64, aarch64 and WebAssembly. Compilers may reorder floats
    (``-ffast-math``, ``-Ofast``) or have wider ones (x87). The outputs are those of the stream but for rounding: within
    2e-6, or, of a net that makes more of it, within twice what the library's own instruction sets differ by.

    With ``pooling="mean"`` or ``"max"`` the output layer reads the mean, or the maximum, of the steps since the reset,
    which the state has. A window has a pool of its own: with `carry_state` it goes on from that of the window before,
    of whose steps nothing is learnt any more.

    Where an input is NaN or infinite, a stream raises; ``NAME_step`` makes all outputs NaN. Both leave the state as it
    was. A model that was fitted with ``missing="indicator"`` or ``"hold"`` reads NaN as missing, and the state has what
    that takes; such a model can't be `trainable`.

    Inputs are float. Where they are scaled, and a mean is more than 5 times what that feature is divided by, they are
    double, and are scaled in double: a float would have too few digits for them. With smaller means floats leave what
    the net reads within 1e-6 of what it reads in the stream, of 1 or of itself, the larger. So are outputs, where the
    targets were scaled. A window's targets are in the same units, and the loss is that of scaled ones.

    Of a model that reads tokens a step takes one, a ``uint32_t``; where that is none, it is as with NaN. With one-hot
    tokens the layer reads the row of its weights, else the row of a table in the file, which is the output layer's
    weights as well where they are tied. Where the texts of tokens are known, as of an `LSTMLanguageModel`,
    ``NAME_token(text, n_bytes)`` is the token of a text in UTF-8, or 0, and ``NAME_text(token, &n_bytes)`` its text. An
    `LSTMLanguageModel` has ``NAME_sample(&state, token, &sampler)``, too, which takes a step, and draws the next token:
    with the same seed the text is that of `generate`, unless rounding tips a draw. The sampler has the seed and what
    `generate` has, and needs 8 bytes for each token; 4 in a file that learns.

    A trainable file has a function more, ``NAME_learn(&model, x, labels or targets, learning_rate)``: a step of plain
    SGD on the loss of the estimator, over one window, without its dropout, L2 penalty, momentum, `burn_in` and weights
    of classes. It returns the loss before the step. Everything that changes is in one struct, whose weights
    ``NAME_init`` sets to those of the model; ``NAME_step`` runs with those learnt so far, and has a state of its own.
    With ``trainable=True`` it uses no vectors, and gradients are worked out twice rather than kept: the struct has the
    weights once, and of each step of a window the gates and states.

    Where a model reads tokens, x is ``const uint32_t *tokens``, one for each step of the window; and of an
    `LSTMLanguageModel` targets are tokens too, those that come next: ``NAME_learn(&model, text, text + 1, rate)``.
    Where a token or a label is none, nothing happens, and it returns -1. Of an embedding the rows of the window's
    tokens are learnt, of tied weights all; ``trainable="head"`` leaves the table as it is.

    A forecaster's file has ``NAME_update(&state, value)`` and ``NAME_predict(&state, n, y)``, or with X
    ``NAME_update(&state, value, x)`` and ``NAME_predict(&state, n, x, y)``; and with `quantiles`
    ``NAME_quantiles(&state, n, y, bounds)``. ``NAME_reset`` sets a state to where the forecaster is now. Season,
    transforms and differences are inside, in double. What it forecasts is within 2e-6 of what the forecaster says, in
    the units in which the net reads the series: those of its changes, or of the recursive way of its deviation. Of the
    recursive way, errors of rounding are fed back with the forecasts.

    `quantised_score` is computed here, with the weights that the file has: the C file differs in rounding only.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, pylstm
    >>> X = np.random.default_rng(0).standard_normal((30, 8, 1))
    >>> y = X.sum(axis=(1, 2)) > 0
    >>> clf = pylstm.LSTMClassifier((4,), max_iter=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     export = pylstm.export_c(clf, os.path.join(directory, "rising.c"), weights="int8", data=(X, y))
    >>> export.name, export.flash_bytes, export.ram_bytes
    ('rising', 304, 84)
    >>> abs(export.score - export.quantised_score) < 0.1
    True
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     pylstm.export_c(clf, os.path.join(directory, "rising.c"), trainable="head", window=8).ram_bytes
    256
    """
    if weights not in ("float32", "int8"):
        raise ValueError(f"weights must be 'float32' or 'int8', got {weights!r}")
    if data is not None and (weights != "int8" or isinstance(model, Sequence)):
        raise ValueError("data goes with weights='int8' and an estimator only: there is nothing else to compare")
    path = as_path(path)
    blob_path = None if weights_blob is None else as_path(weights_blob, "weights_blob")
    name = _checked_name(name, path)
    described = describe(model)
    is_forecaster = described.forecasts is not None
    if not is_forecaster:
        described = describe_steps(model, "exported")
    if described.spec.dtype != "float32":
        raise ValueError(
            f"model must be of float32 to be exported, got {described.spec.dtype}: make it with dtype='float32'"
        )
    if is_forecaster:
        for what, value in (("data", data), ("weights_blob", weights_blob), ("trainable", trainable or None)):
            if value is not None:
                raise ValueError(f"{what} must not be given with a forecaster, got {value!r}: its file only forecasts")
    elif quantiles is not None:
        raise ValueError(f"quantiles go with an LSTMForecaster only, got {quantiles!r}")
    learning = _learning(described, trainable, window, carry_state, max_grad_norm, weights)
    net = _net(described)
    scores: tuple[float | None, float | None] = (None, None)
    if weights == "int8":
        net = net.quantised()
        if data is not None:
            scores = _scores(model, net, data)
    labels = None if described.labels is None or described.drawn is not None else described.labels.tolist()
    reads, writes = net.reads, net.writes
    if is_forecaster:
        way = _way(described, quantiles)
        text, memory = c_forecast.text(name, net, way), c_forecast.memory_of(net, way)
        reads = writes = "double"
    elif learning is None:
        text = c_file.text(name, net, labels)
        memory = flash_bytes(net), ram_bytes(net)
    else:
        text = c_learn.text(name, net, labels, learning)
        memory = c_learn.memory_of(net, learning)
    replace(path, text.encode("ascii"))
    if blob_path is not None:
        write_blob(model, blob_path)
    return Export(path, name, *memory, *scores, reads, writes)


def _way(described: Description, quantiles: Any) -> c_forecast.Way:
    """Return how a file forecasts."""
    forecasts, estimator = described.forecasts, described.estimator
    assert forecasts is not None
    n_series, n_columns = len(forecasts.tails), estimator.n_series_
    if estimator._reads_more:
        raise ValueError(
            "model must forecast from its series and X to be exported, which is all that a file is told: it was fitted "
            "with X_past, static or a calendar"
        )
    if n_series > 1:
        raise ValueError(
            f"model must have one series to be exported, as a file forecasts one, got {n_series}: export the stream of "
            "one of them, forecaster.stream([y])"
        )
    if n_columns > 1:
        raise ValueError(
            f"model must have a series of one column to be exported, got {n_columns}: update takes a single value"
        )
    if quantiles is None:
        return c_forecast.way_of(forecasts, np.empty(0))
    if isinstance(forecasts, RecursiveForecasts):
        raise ValueError(
            "quantiles of the recursive way are those of sample paths, hundreds of forecasts at once, which a file does"
            f" not draw: fit with a horizon, or export without, got {quantiles!r}"
        )
    if forecasts.errors is None:
        raise ValueError(f"quantiles need a fit with cv that was not interrupted, got cv={estimator.cv}")
    return c_forecast.way_of(forecasts, as_probabilities(quantiles))


def _learning(
    described: Description,
    trainable: bool | str,
    window: int | None,
    carry_state: bool | None,
    max_grad_norm: float | str | None,
    weights: str,
) -> Learning | None:
    """Return how a model that can be exported is trained on the device; None for not at all."""
    if not isinstance(trainable, bool) and trainable != "head":
        raise ValueError(f"trainable must be True, False or 'head', got {trainable!r}")
    if not trainable:
        for name, value, default in (
            ("window", window, None),
            ("carry_state", carry_state, None),
            ("max_grad_norm", max_grad_norm, "auto"),
        ):
            if value != default:
                raise ValueError(f"{name} goes with trainable=True or 'head' only, got {value!r}")
        return None
    if described.missing is not None:
        raise ValueError(
            f"model must have missing='error' to be trainable, got {described.missing.kind!r}: a window on a device is "
            "to be complete"
        )
    estimator = described.estimator
    if estimator is None:
        raise ValueError("model must have an output layer and a loss to be trainable: an estimator, got a Sequence")
    if described.spec.loss == "caller":
        raise ValueError("model must have a loss by name to be trainable, got a callable, which C does not know")
    if weights != "float32":
        raise ValueError(f"weights must be 'float32' in a trainable file, got {weights!r}")
    if window is None:
        window = getattr(estimator, "window", None)
    if window is None:
        raise ValueError("window must be given with trainable: the number of steps to train on at a time")
    if carry_state is not None and not isinstance(carry_state, bool):
        raise TypeError(f"carry_state must be True, False or None, got {carry_state!r}")
    norm = estimator.max_grad_norm if max_grad_norm == "auto" else max_grad_norm
    if norm is not None:
        norm = check_real(norm, "max_grad_norm", 0, math.inf)
        if norm == 0:
            raise ValueError("max_grad_norm must be positive, or None for no clipping, got 0")
    window = check_int(window, "window", 1)
    if window > INT_MAX:
        raise ValueError(f"window must be an int of C, at most {INT_MAX}, got {window}")
    is_per_step = described.spec.pooling is None
    carries = is_per_step if carry_state is None else carry_state
    return Learning(trainable == "head", window, carries, norm or 0.0, is_per_step)


def _checked_name(name: str | None, path: str) -> str:
    of = f"the name of {path!r}" if name is None else "name"
    if name is None:
        name = os.path.splitext(os.path.basename(path))[0]
    if not isinstance(name, str):
        raise TypeError(f"name must be a string or None, got {name!r}")
    hint = ": give another as name" if of != "name" else ""
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(f"{of} must be a C identifier, letters, digits and _ after a letter, got {name!r}{hint}")
    if name in KEYWORDS:
        raise ValueError(f"{of} must not be a keyword of C or C++, got {name!r}{hint}")
    if name.lower().startswith("pylstm"):  # of macros PYLSTM
        raise ValueError(f"{of} must not begin with 'pylstm', as the names of its C library do, got {name!r}{hint}")
    return name


def _net(described: Description) -> Net:
    """Return what the C file computes with."""
    spec, flat = described.spec, described.net.copy_weights()
    scaling, targets = (None if of is None else as_read(of) for of in (described.inputs, described.targets))
    if not all(np.isfinite(values).all() for values in (flat, *(scaling or ()), *(targets or ()))):
        raise ValueError("model must have finite weights to be exported, got NaN or infinity among them")
    of = spec.views(flat)
    layers = [
        Layer(Matrix(of[f"weight_ih{suffix}"]), Matrix(of[f"weight_hh{suffix}"]), of[f"bias{suffix}"])
        for _, _, suffix in spec.places
    ]
    width = layers[-1].sizes[1]
    tokens = _tokens(described, of)
    weight_out, bias_out = of.get("weight_out", flat[:0].reshape(0, width)), of.get("bias_out", flat[:0])
    if spec.tie_weights:
        weight_out = of["embedding"]
    loss = spec.loss if spec.loss in LOSSES else "squared_error"  # whose predictions are the outputs too
    head = Matrix(weight_out), bias_out, loss, scaling
    missing = described.missing
    if missing is not None and scaling is not None:
        missing = missing._replace(mean=missing.mean.astype(scaling.mean.dtype))
    return Net(
        layers,
        *head,
        spec.cell,
        spec.nonlinearity,
        spec.loss_parameter,
        spec.in_use().pooling,
        targets,
        missing,
        tokens,
    )


def _tokens(described: Description, weights: dict[str, Any]) -> Tokens | None:
    """Return what there is of tokens in a model with these parameters."""
    spec = described.spec
    if not spec.reads_tokens:
        return None
    table = Matrix(weights["embedding"]) if "embedding" in weights else None
    known = None if described.tokens is None else vocabulary_of(described.tokens, spec.input_size)
    return Tokens(spec.input_size, table, spec.tie_weights, known, described.drawn, spec.freeze_embedding)


#: The largest mean, in scales, that is subtracted in float. A float is off by at most u = 2^-24 of itself. That happens
#: to a reading, the mean, their difference, the scale and the quotient z, and once to the z of a stream, from which it
#: is thus off by at most (2 |mean| / scale + 5 |z|) u: with a mean of 5 scales, by 15 u = 9e-7 of 1, or of a larger z.
MOST_SCALES = 5
#: Scales that a float and what is divided by it have all digits of, on processors without denormals too.
LEAST, MOST = 2.0**-100, 2.0**100


def as_read(scaling: Scaling) -> Scaling:
    """Return a scaling in the type in which C is to read inputs: float32, if what the net reads is then within 1e-6.

    More exactly, of 1 or of itself, the larger, whatever the inputs are. Else float64, which gives the very bits.

    Outputs are written by the same rule: float32 leaves them within 1e-6 of a scale, or of themselves.
    """
    mean, scale = scaling.mean, np.abs(scaling.scale)
    is_enough = (np.abs(mean) <= MOST_SCALES * scale) & (scale >= LEAST) & (scale <= MOST)
    dtype = np.float32 if is_enough.all() else np.float64
    return Scaling(mean.astype(dtype), scaling.scale.astype(dtype))


def _scores(model: Any, net: Net, data: Any) -> tuple[float, float]:
    """Return the model's score, and with the weights of `net` in place of its own."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(f"data must be a pair (X, y), got {type(data).__name__}")
    rounded = copy.deepcopy(model)
    describe(rounded).net.set_weights(net.flat())
    return float(model.score(*data)), float(rounded.score(*data))
