"""Small public data sets that ship with pylstm."""

from importlib.resources import files

import numpy as np
import numpy.typing as npt

__all__ = ["load_japanese_vowels"]


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
