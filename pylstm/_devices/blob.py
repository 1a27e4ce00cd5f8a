"""From a model to a blob: the buffer that the C library reads, byte by byte as src_c/pylstm.h says."""

from typing import Any

from .._files.writing import replace
from .._net.core import BLOB_LAYERS, as_blob
from .._net.describe import describe_steps


def write_blob(model: Any, path: Any) -> None:
    """Write the blob of a model to a file: all of it, or nothing.

    Parameters
    ----------
    model : Sequence, estimator or Pipeline
        As in `blob_of`.
    path : str or path-like
        The file. One that exists is replaced.
    """
    replace(path, blob_of(model))


def blob_of(model: Any) -> bytes:
    """Return a model in one buffer, which ``pylstm_blob_open`` of the C library reads.

    Parameters
    ----------
    model : Sequence, estimator or Pipeline
        One that `pylstm.stream` takes.

    Returns
    -------
    bytes
        The sizes, what scales inputs and targets, the weights and a checksum.

    Examples
    --------
    >>> import pylstm
    >>> from pylstm._devices.blob import blob_of
    >>> len(blob_of(pylstm.Sequence(2, 3)))
    352
    """
    described = describe_steps(model)
    spec = described.spec
    if len(spec.hidden_sizes) > BLOB_LAYERS:
        raise ValueError(
            f"model must have at most {BLOB_LAYERS} layers to be written as a blob, got {len(spec.hidden_sizes)}"
        )
    return as_blob(spec, described.net.copy_weights(), described.inputs, described.targets, described.missing)
