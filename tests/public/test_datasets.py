"""The data sets that ship: their shapes, and values that tell a wrong file."""

import numpy as np
import pytest

from pylstm import datasets


def test_japanese_vowels():
    for split, n_sequences in [("train", 270), ("test", 370)]:
        X, y = datasets.load_japanese_vowels(split=split)
        assert len(X) == len(y) == n_sequences
        assert set(y) == set(range(1, 10))
        lengths = [len(x) for x in X]
        assert min(lengths) == 7
        assert max(lengths) in (26, 29)
        assert all(x.shape[1] == 12 and x.dtype == np.float32 and np.isfinite(x).all() for x in X)
    with pytest.raises(ValueError, match="split must be 'train' or 'test', got 'all'"):
        datasets.load_japanese_vowels(split="all")


@pytest.mark.parametrize(
    ("load", "n_steps", "total", "lowest", "highest", "first", "last"),
    [
        (datasets.load_airline, 144, 40363, 104, 622, "1949-01", "1960-12"),
        (datasets.load_sunspots, 309, 15373.4, 0, 190.2, "1700", "2008"),
    ],
)
def test_series(load, n_steps, total, lowest, highest, first, last):
    y, times = load(return_times=True)
    assert y.shape == times.shape == (n_steps,)
    assert y.dtype == np.float64
    assert (y.min(), y.max()) == (lowest, highest)
    assert y.sum() == pytest.approx(total)
    assert (str(times[0]), str(times[-1])) == (first, last)
    assert set(np.diff(times).astype(int)) == {1}
    np.testing.assert_array_equal(load(), y)


def test_shakespeare():
    text = datasets.load_shakespeare()
    assert isinstance(text, str)
    assert len(text) == 1_115_394
    assert len(set(text)) == 65
    assert "\r" not in text
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n")
    assert text.endswith("Whiles thou art waking.\n")


def test_names():
    X, y = datasets.load_names()
    assert len(X) == len(y) == 20_050
    assert (X[0], y[0], X[-1], y[-1]) == ("Khoury", "Arabic", "Vuu", "Vietnamese")
    assert {len(x) for x in X} == set(range(2, 20 + 1))
    languages, counts = np.unique(y, return_counts=True)
    assert len(languages) == 18
    assert dict(zip(languages.tolist(), counts.tolist(), strict=True))["Russian"] == 9384
    assert all(x == x.strip() for x in X)
    assert len(X) - len(set(zip(X, y.tolist(), strict=True))) == 2038
    assert sum(len(set(y[np.array(X) == x])) > 1 for x in ["Abel", "Khoury"]) == 1
