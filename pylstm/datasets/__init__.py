"""Small public data sets that ship with pylstm."""

from importlib.resources import files
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

__all__ = ["load_airline", "load_japanese_vowels", "load_sunspots"]

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
        rows, lengths, labels = (stored[f"{split}_{part}"] for part in ("X", "lengths", "y"))
    return np.split(rows, np.cumsum(lengths.astype(np.intp))[:-1]), labels.astype(np.intp)
