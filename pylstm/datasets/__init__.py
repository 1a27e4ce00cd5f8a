"""Small public data sets that ship with pylstm."""

import bz2
from importlib.resources import files
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

__all__ = ["load_airline", "load_japanese_vowels", "load_names", "load_shakespeare", "load_sunspots"]

Series = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]


@overload
def load_airline(*, return_times: Literal[False] = False) -> Series: ...


@overload
def load_airline(*, return_times: Literal[True]) -> tuple[Series, Times]: ...


def load_airline(*, return_times: bool = False) -> Series | tuple[Series, Times]:
    """Load the monthly totals of international airline passengers, 1949 to 1960: a trend and a growing season.

    Parameters
    ----------
    return_times : bool, default=False
        Whether to return the months too.

    Returns
    -------
    y : ndarray (144,)
        Passengers in thousands, float64.
    times : ndarray (144,)
        The months, datetime64[M]; only with `return_times`.

    References
    ----------
    Box, Jenkins and Reinsel (1994), Time Series Analysis, Forecasting and Control, third edition, Prentice Hall,
    Series G.

    Examples
    --------
    >>> from pylstm.datasets import load_airline
    >>> y = load_airline()
    >>> y.shape, y[:3]
    ((144,), array([112., 118., 132.]))
    >>> y, times = load_airline(return_times=True)
    >>> str(times[0]), str(times[-1])
    ('1949-01', '1960-12')
    """
    return _load_series("airline.csv", "M", return_times)


@overload
def load_sunspots(*, return_times: Literal[False] = False) -> Series: ...


@overload
def load_sunspots(*, return_times: Literal[True]) -> tuple[Series, Times]: ...


def load_sunspots(*, return_times: bool = False) -> Series | tuple[Series, Times]:
    """Load the yearly sunspot numbers, 1700 to 2008: a cycle of about eleven years that varies in height.

    Parameters
    ----------
    return_times : bool, default=False
        Whether to return the years too.

    Returns
    -------
    y : ndarray (309,)
        Sunspot numbers, float64.
    times : ndarray (309,)
        The years, datetime64[Y]; only with `return_times`.

    Notes
    -----
    The numbers are those from before the recalibration of 2015, which made them about 1.6 times as large.

    References
    ----------
    National Geophysical Data Center, yearly sunspot numbers, 1700 to 2008; public domain.

    Examples
    --------
    >>> from pylstm.datasets import load_sunspots
    >>> y = load_sunspots()
    >>> y.shape, y[:3]
    ((309,), array([ 5., 11., 16.]))
    >>> y, times = load_sunspots(return_times=True)
    >>> str(times[0]), str(times[-1])
    ('1700', '2008')
    """
    return _load_series("sunspots.csv", "Y", return_times)


def _load_series(file_name: str, unit: str, return_times: bool) -> Series | tuple[Series, Times]:
    """Read a file of times and values under one line of names."""
    with files(__name__).joinpath(file_name).open() as file:
        times, values = np.loadtxt(file, dtype=str, delimiter=",", skiprows=1, unpack=True)
    y = values.astype(np.float64)
    return (y, times.astype(f"datetime64[{unit}]")) if return_times else y


def load_japanese_vowels(split: str = "train") -> tuple[list[npt.NDArray[np.float32]], npt.NDArray[np.intp]]:
    """Load recordings of nine men speaking two Japanese vowels, to be told apart by the voice.

    Parameters
    ----------
    split : {"train", "test"}, default="train"
        270 training or 370 test utterances.

    Returns
    -------
    X : list of ndarray (n_steps_i, 12)
        Per utterance 7 to 29 steps of 12 LPC cepstrum coefficients, float32.
    y : ndarray (n_sequences,)
        The speaker, 1 to 9.

    References
    ----------
    Kudo, Toyama and Shimbo (1999), Multidimensional curve classification using passing-through regions, Pattern
    Recognition Letters 20. UCI Machine Learning Repository, CC BY 4.0, https://doi.org/10.24432/C5NS47.

    Examples
    --------
    >>> from pylstm.datasets import load_japanese_vowels
    >>> X, y = load_japanese_vowels(split="train")
    >>> len(X), X[0].shape, int(y[0])
    (270, (20, 12), 1)
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    with files(__name__).joinpath("japanese_vowels.npz").open("rb") as file, np.load(file) as stored:
        planes, lengths, labels = (stored[f"{split}_{part}"] for part in ("X", "lengths", "y"))
    # Bytes of the same place lie together, which takes a third less when it is packed: (4, n_features, n_rows).
    millionths = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view("<i4")[..., 0]
    rows = np.ascontiguousarray(millionths.T / 1e6, np.float32)
    return np.split(rows, np.cumsum(lengths.astype(np.intp))[:-1]), labels.astype(np.intp)


def load_shakespeare() -> str:
    """Load a million characters of Shakespeare's plays, to learn to write from.

    Returns
    -------
    text : str
        1,115,394 characters, of 65 kinds: who speaks, a colon, and verse or prose, with an empty line between speeches.

    Notes
    -----
    Those who compare language models learn from the first 90 % and test on the last 10 %.

    References
    ----------
    Karpathy (2015), The unreasonable effectiveness of recurrent neural networks, and https://github.com/karpathy/char-rnn,
    from where the selection is. The plays are in the public domain.

    Examples
    --------
    >>> from pylstm.datasets import load_shakespeare
    >>> text = load_shakespeare()
    >>> print(text[:60])
    First Citizen:
    Before we proceed any further, hear me speak.
    >>> end = len(text) * 9 // 10
    >>> learn_from, test_on = text[:end], text[end:]
    """
    return _unpacked("shakespeare.txt.bz2")


def load_names() -> tuple[list[str], npt.NDArray[np.str_]]:
    """Load family names from 18 languages, to be told apart by their letters.

    Returns
    -------
    X : list of str
        20,050 names, of 2 to 20 characters.
    y : ndarray (n_names,)
        The language of each.

    Notes
    -----
    Almost half of the names are Russian, 73 are Vietnamese. 2,038 of them repeat another with the same language, and
    469 have more than one language. So no model gets all right, and of a part that is held out some were learnt from.

    References
    ----------
    Robertson (2017), Classifying names with a character-level RNN, https://github.com/spro/practical-pytorch; MIT
    license.

    Examples
    --------
    >>> from pylstm.datasets import load_names
    >>> X, y = load_names()
    >>> X[0], str(y[0])
    ('Khoury', 'Arabic')
    """
    names, languages = zip(*(line.split("\t") for line in _unpacked("names.tsv.bz2").splitlines()), strict=True)
    return list(names), np.array(languages)


def _unpacked(file_name: str) -> str:
    return bz2.decompress(files(__name__).joinpath(file_name).read_bytes()).decode()
