"""Models in files.

A file is in the safetensors format: a header of JSON, then the bytes of arrays. It can be read by anything that reads
safetensors, and reading it executes nothing.

**Arrays** of an estimator:

- the weights, named and laid out as in `pylstm.Sequence.parameters`, with ``weight_out`` (n_outputs, width) and
  ``bias_out``,
- ``moments`` (2, n_parameters): what the solver remembers, in the order of the weights above,
- ``loss_curve``, ``validation_scores``: float64, a number per epoch,
- ``random_state`` (625,): key and position of the Mersenne Twister that shuffles and drops out,
- ``input_mean``, ``input_scale``, float64 (n_features,), of an estimator that scales X itself, ``target_mean``,
  ``target_scale``, float64 (n_outputs,), of one that scales y; ``missing_mean``, float64 (n_features,), and
  ``missing_columns``, int64, of one that reads missing values,
- ``classes_`` of a classifier: the labels, or of strings their code points (n_classes, longest), filled up with zeros,
- of a forecaster, for each of its n series: ``naive_error`` for the score, float64 (n, n_series); ``X_mean``,
  ``X_scale``, float64 (n_features,),
- of one without ``horizon``: ``last`` value, ``mean`` and ``scale`` of the differences, float64 (n, n_series);
  ``tail_0``, ... float64 (n, lag, n_series), from which differences are undone; the state ``h_l0`` and, of an LSTM,
  ``c_l0``, ... (1, n, hidden); ``errors`` (sum of ``n_errors``, n_series) for intervals, those of one series after
  those of the other,
- of one with: ``tails``, float64 (sum of ``n_tails``, n_series), and ``tails_X``, the last values of all series and
  their X, scaled; ``scales``, float64 (n_views, n, n_series), ``spread``, float64, and ``varies``, bool, (n, n_series);
  ``season_0``, ... float64 (n, season, n_series), beginning with the step after the last; ``error_sizes`` (n_errors,)
  and ``error_quantiles`` (200,), float64, and ``error_runs``, float32, (at most 200, n_errors, n_series), how errors
  of a forecast hang together, which older files have not; and ``n_past``, how many columns of X, the last ones, are
  X_past,
- of both: ``static``, float64 (n, n_static), where series are told apart; and ``form``, null or what y with dates was:
  its kind, names, columns, and the grid of its dates, ``dates``, ``start``, ``zone`` and ``step``, in which
  ``form_ends``, int64 (n,), is the place of what follows each series.

Those of a pipeline's scaler begin with ``scaler.``: ``scaler.mean_``, ``scaler.var_``, ``scaler.scale_`` and
``scaler.n_samples_seen_``, as far as it has them. Of a `TokenEncoder`, in a pipeline or of a language model,
``tokens``, uint32, are the code points of its tokens, from 1 on, and ``token_lengths``, int64, how many each has.

**The rest** is a JSON object under the key ``pylstm`` of the safetensors metadata::

    {
      "format_version": 2,
      "pylstm_version": "0.1.0",
      "class": "LSTMClassifier",
      "parameters": {"hidden_layer_sizes": [64], "pooling": "last", ...},
      "state": {"n_features_in_": 12, "feature_names_in_": null, "fitted_on_2d": false, "hidden_sizes": [64], ...},
      "pipeline": {
        "names": ["perstep", "lstmclassifier"],
        "verbose": false,
        "scaler": {
          "parameters": {"copy": true, "with_mean": true, "with_std": true},
          "state": {"n_features_in_": 12, "feature_names_in_": null, "fitted_on_2d": false}
        }
      }
    }

``parameters`` are the hyperparameters; arrays among them are lists, dicts ``{"pairs": [[key, value], ...]}``, a
`TokenEncoder` as an ``analyzer`` is ``{"parameters": {...}}``, its own. ``state``
is what `fit` left; of the net it has what it was made with, since hyperparameters can be changed after a fit.
``pipeline`` is null for an estimator alone. With a `TokenEncoder` it has ``encoder`` in place of ``scaler``. Files of
version 1 know nothing of scaling within estimators: there is none. Any change that a reader must know of raises
``format_version``.
"""

import json
import os
import stat
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save as to_safetensors

from .. import __version__
from .._estimators.classifier import LSTMClassifier, LSTMTagger
from .._estimators.forecaster import LSTMForecaster
from .._estimators.language import LSTMLanguageModel
from .._estimators.regressor import LSTMRegressor, LSTMSequenceRegressor
from .._estimators.state import DTYPES, State, short
from ..preprocessing._pipeline import parts
from .hyperparameters import is_plain_number, parameters_state, read_parameters
from .pipelines import ALONE, pipeline_state, read_pipeline
from .writing import as_path, replace

FORMAT_VERSION = 2
#: Bytes that are read at once.
PIECE = 1 << 24
#: Hyperparameters that files of the first version may leave out, by what these mean.
LATER = {
    "loss": "squared_error",
    "huber_delta": 1.0,
    "quantile": 0.5,
    "standardize": False,
    "normalize_y": False,
}
#: And those that no file has to have.
LATER_STILL = {
    "horizon": None,
    "season_length": None,
    "calendar": (),
    "missing": "error",
    "noise": 0.0,
    "embedding_size": None,
    "embedding_init": None,
    "freeze_embedding": False,
    "vocabulary_size": None,
}
#: By name.
ESTIMATORS: dict[str, Any] = {
    cls.__name__: cls
    for cls in (
        LSTMClassifier,
        LSTMForecaster,
        LSTMLanguageModel,
        LSTMRegressor,
        LSTMSequenceRegressor,
        LSTMTagger,
    )
}


def save(model: Any, path: Any) -> None:
    """Write a fitted model to a file, from which `load` reads it.

    Parameters
    ----------
    model : estimator or Pipeline
        A fitted LSTM estimator, or a `Pipeline` of ``PerStep(StandardScaler())`` or `TokenEncoder` and one (neither a
        forecaster nor a language model).
    path : str or path-like
        The file. One that exists is replaced as a whole, or not at all: it is written beside it, and renamed. Its
        permissions stay; where `path` is a symbolic link, what it points to is replaced. A process that is killed while
        it writes leaves a file ``.pylstm-....tmp`` there, which can be deleted.

    See Also
    --------
    load : Reads it.

    Notes
    -----
    What comes back predicts the same bits and, by `partial_fit` or with `warm_start`, goes on training as this one
    would: the memory of the solver and the stream of random numbers are kept. The solver's constants are those of the
    hyperparameters.

    Not kept are a `loss` that is a callable (training on after `load` asks for it), `embedding_init` (the table is, as
    it was learnt), callbacks, routing requests, a pipeline's `memory`, and the unfitted transformer within `PerStep`,
    which comes back as a clone of the fitted one.
    Lists and arrays among the hyperparameters come back as tuples. A `random_state` that is a RandomState instance
    can't be kept: set an int or None.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, pylstm
    >>> X = np.random.default_rng(0).standard_normal((20, 5, 1))
    >>> reg = pylstm.LSTMRegressor((4,), max_iter=1, random_state=0).fit(X, X.sum(axis=(1, 2)))
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     path = os.path.join(directory, "model.safetensors")
    ...     pylstm.save(reg, path)
    ...     loaded = pylstm.load(path)
    >>> np.array_equal(loaded.predict(X), reg.predict(X))
    True
    """
    first, estimator = parts(model) or (None, model)
    is_known = ESTIMATORS.get(type(estimator).__name__) is type(estimator)
    if not is_known or (first is not None and isinstance(estimator, ALONE)):
        raise TypeError(
            f"model must be one of {', '.join(ESTIMATORS)}, or a Pipeline of PerStep(StandardScaler()) or TokenEncoder "
            f"and one of them that is no forecaster and no language model, got {model!r}"
        )
    values, arrays = estimator._get_state()
    document = {
        "format_version": FORMAT_VERSION,
        "pylstm_version": __version__,
        "class": type(estimator).__name__,
        "parameters": parameters_state(estimator),
        "state": values,
        "pipeline": None,
    }
    estimator._validate_params()  # as `load` does: they can have been changed since the fit
    if first is not None:
        document["pipeline"], of_first = pipeline_state(model, first)
        arrays = {**arrays, **of_first}
    # As they lie, not as they are indexed, is how safetensors takes them.
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    replace(path, to_safetensors(contiguous, {"pylstm": json.dumps(document, allow_nan=False)}))


def load(path: Any) -> Any:
    """Read a model that `save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    estimator or Pipeline
        The fitted model: the same predictions, bit for bit.

    Raises
    ------
    ValueError
        If the file is anything else, is damaged in a way that shows, or was written by a newer pylstm.

    See Also
    --------
    save : Writes it, with an example.

    Notes
    -----
    Nothing in the file is executed, and what it says is checked against its arrays before memory of that size is taken.
    So files from strangers can be loaded. It has no checksum: other numbers among the weights make another model.
    """
    name = as_path(path)
    data = _contents(name)
    try:
        return _build(_read(data))
    except (ValueError, SafetensorError, RecursionError) as error:
        raise ValueError(f"{name!r} must be a file that pylstm.save wrote: {error}") from error


# ---- the file


def _contents(name: str) -> bytes:
    """Return the bytes of a file, piece by piece: mapped, one that is cut short meanwhile would end the process."""
    with open(name, "rb", buffering=0, opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{name!r} must be a regular file that pylstm.save wrote")
        return b"".join(iter(lambda: file.read(PIECE), b""))


def _open_at_once(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # of a pipe it would wait for somebody who writes


def _read(data: bytes) -> State:
    """Return the JSON object and the arrays of a file."""
    tensors = deserialize(data)  # which checks the header, too
    header = _parse(data[8 : 8 + int.from_bytes(data[:8], "little")].decode())
    metadata = header.get("__metadata__", {})
    if "pylstm" not in metadata:
        raise ValueError(f"its metadata must have the key 'pylstm', got {short(sorted(metadata))}")
    arrays = {}
    for key, tensor in tensors:
        if tensor["dtype"] not in DTYPES:
            raise ValueError(f"the dtype of {key!r} must be one of {', '.join(DTYPES)}, got {tensor['dtype']}")
        values = np.frombuffer(tensor["data"], np.dtype(DTYPES[tensor["dtype"]]).newbyteorder("<"))
        arrays[key] = values.reshape(tensor["shape"]).astype(DTYPES[tensor["dtype"]], copy=False)
    return State(_parse(metadata["pylstm"]), arrays)


def _parse(text: str) -> dict[str, Any]:
    """Return a JSON object whose numbers are finite and of 64 bits, and whose keys are different."""
    document = json.loads(
        text,
        parse_int=_number(int),
        parse_float=_number(float),
        parse_constant=_number(float),
        object_pairs_hook=_object,
    )
    if type(document) is not dict:
        raise ValueError(f"its metadata must be a JSON object, got a {type(document).__name__}")
    return document


def _number(kind: type[int] | type[float]) -> Any:
    def parse(text: str) -> int | float:
        value = kind(text)
        if not is_plain_number(value):
            raise ValueError(f"numbers must be finite and of 64 bits, got {text[:100]}")
        return value

    return parse


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError(f"keys of an object must be different, got {short([key for key, _ in pairs])}")
    return values


def _build(state: State) -> Any:
    """Return the model that a file describes."""
    version = state.integer("format_version", at_least=1)
    written_by = state.value("pylstm_version", "a string", lambda value: type(value) is str)
    if version > FORMAT_VERSION:
        raise ValueError(
            f"format_version must be at most {FORMAT_VERSION} for pylstm {__version__} to read it, got {version}, "
            f"written by pylstm {short(written_by)}"
        )
    later = LATER_STILL | (LATER if version == 1 else {})
    estimator = read_parameters(state, ESTIMATORS[state.choice("class", ESTIMATORS)], later)
    fitted = state.inner("state")
    estimator._set_state(fitted)
    fitted.end()
    model = estimator if state.null("pipeline") else read_pipeline(state.inner("pipeline"), estimator)
    state.end()
    if state.arrays:
        raise ValueError(f"there must be no more arrays, got {short(sorted(state.arrays))} too")
    return model
