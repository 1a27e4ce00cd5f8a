"""From a model to a blob: the buffer that the C library reads, byte by byte as src_c/pylstm.h says."""

import struct
import zlib
from typing import Any

import numpy as np

from .._files.writing import replace
from .._net.cells import check_cell
from .._net.core import Sequence
from .streaming import described

MAGIC, FORMAT_VERSION = b"\x89PYLSTM\n", 1
#: The most that C makes room for.
N_LAYERS = 32


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
        The sizes, what scales the inputs, the weights and a checksum.

    Examples
    --------
    >>> import pylstm
    >>> from pylstm._devices.blob import blob_of
    >>> len(blob_of(pylstm.Sequence(2, 3)))
    352
    """
    sizes, (weights, mean, scale) = described(model)
    input_size, hidden_sizes, n_outputs, loss, dtype, cell, nonlinearity = sizes
    if len(hidden_sizes) > N_LAYERS:
        raise ValueError(f"model must have at most {N_LAYERS} layers to be written as a blob, got {len(hidden_sizes)}")
    fields = (
        ["float32", "float64"].index(dtype),
        ["cross-entropy", "squared error"].index(loss),
        ["last", "mean", "max", None].index(_pooling(model)),
        int(mean is not None),
        input_size,
        n_outputs,
        1,  # direction
        len(hidden_sizes),
        check_cell(cell, nonlinearity),
        *hidden_sizes,
        *[0] * ((len(hidden_sizes) + 1) % 2),  # the numbers start at a multiple of 8
    )
    numbers = [weights] if mean is None else [mean, scale, weights]
    body = struct.pack(f"<{len(fields)}I", *fields)
    body += b"".join(np.asarray(values, np.dtype(dtype).newbyteorder("<")).tobytes() for values in numbers)
    body = struct.pack("<Q", len(MAGIC) + 16 + len(body)) + body
    return MAGIC + struct.pack("<2I", FORMAT_VERSION, zlib.crc32(body)) + body


def _pooling(model: Any) -> str | None:
    if isinstance(model, Sequence):
        return None
    from .._estimators.models import parts

    return parts(model)[1]._model.configuration["pooling"]
