"""Of the page of evidence: how files are read, what is noted of a fit, and what the tables say of it."""

import numpy as np
import pytest
from archives import adding, parse_ts, parse_tsv, stretched, temporal_order, windows_of
from evidence import Fit, Results
from evidence_page import METHODS, Table, cell, page

DESCRIBED = {
    "beeps": {"n_train": 5, "n_test": 4, "n_features": 2, "least": 3, "most": 9, "n_classes": 2, "frequent": 0.5},
    "prices": {"n_train": 5, "n_test": 4, "n_features": 1, "least": 3, "most": 3},
}


def fit(name, method, seed, score):
    return Fit(name, method, seed, score, 1.0, 0.5)


def test_a_ts_file_has_channels_between_colons_and_the_label_last():
    X, y = parse_ts("#a comment\n@problemName x\n@Data\n1,2,3:4,5,6:left\n7,8:9,10:right\n\n")
    np.testing.assert_array_equal(X[0], [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(X[1], [[7, 9], [8, 10]])
    assert y.tolist() == ["left", "right"]


def test_a_tsv_file_has_the_label_first_and_ends_where_only_nan_is_left():
    X, y = parse_tsv("2\t0.5\tNaN\t1.5\tNaN\n-1\t1\t2\t3\t4\n")
    np.testing.assert_array_equal(X[0], [[0.5], [np.nan], [1.5]])
    np.testing.assert_array_equal(X[1], [[1], [2], [3], [4]])
    assert y.tolist() == [2, -1]


def test_windows_predict_the_value_behind_them_and_the_last_fifth_is_for_the_test():
    load = windows_of(lambda: np.arange(74.0))
    (X, y), (X_test, y_test) = load("TRAIN"), load("TEST")
    assert (len(X), len(X_test)) == (40, 10)
    np.testing.assert_array_equal(X[0][:, 0], np.arange(24))
    np.testing.assert_array_equal([y[0], y[-1], y_test[0], y_test[-1]], [24, 63, 64, 73])
    np.testing.assert_array_equal(X_test[-1][:, 0], np.arange(49, 73))


def test_of_what_is_made_up_the_answer_is_in_the_sequence():
    for x, label in zip(*temporal_order("TRAIN"), strict=True):
        assert "".join("AB"[symbol] for symbol in x.argmax(axis=1) if symbol < 2) == label
    for x, value in zip(*adding("TEST"), strict=True):
        assert x[:, 1].sum() == 2
        assert value == pytest.approx(x[x[:, 1] == 1, 0].sum())
    assert not np.array_equal(adding("TRAIN")[1], adding("TEST")[1])


def test_sequences_are_stretched_from_their_first_to_their_last_value():
    X = stretched([np.array([[0.0, 5.0], [2.0, 6.0]]), np.arange(10.0).reshape(5, 2)], 5)
    np.testing.assert_allclose(X[0], [[0, 0.5, 1, 1.5, 2], [5, 5.25, 5.5, 5.75, 6]])
    np.testing.assert_array_equal(X[1], np.arange(10.0).reshape(5, 2).T)


def test_what_was_noted_is_there_when_a_run_goes_on(tmp_path):
    results = Results(tmp_path)
    results.add(fit("beeps", "3 LSTMs", 0, 0.1 + 0.2))
    results.add(fit("prices", "3 LSTMs", 0, 0.2))
    results.add(fit("beeps", "ridge", None, 0.5))
    again = Results(tmp_path)
    assert again.fits == results.fits
    assert again.has("beeps", "3 LSTMs", 0)
    assert again.has("beeps", "ridge", None)
    assert not again.has("beeps", "3 LSTMs", 1)


def test_a_table_has_means_over_seeds_their_spread_and_what_is_missing():
    table = Table([fit("beeps", "LSTM", 0, 0.5), fit("beeps", "LSTM", 1, 0.7), fit("prices", "LSTM", 0, 0.2)])
    assert table.mean("beeps", "LSTM") == pytest.approx(0.6)
    assert table.spread("beeps", "LSTM") == pytest.approx(0.2 / np.sqrt(2))
    assert table.spread("prices", "LSTM") is None
    assert table.over(["beeps", "prices"], "LSTM") == pytest.approx(0.4)
    assert table.over(["beeps", "prices"], "ridge") is None
    assert table.least_margin(["beeps", "prices"], "LSTM", {"beeps": 0.5, "prices": 0.3}) == (
        pytest.approx(-0.1),
        "prices",
    )
    assert table.least_margin(["beeps"], "LSTM", "ridge") is None


def test_the_best_are_those_that_are_equal_to_a_hundredth():
    table = Table([fit("beeps", "LSTM", 0, 0.904), fit("beeps", "ridge", None, 0.896), fit("beeps", "1-NN", None, 0.8)])
    assert table.best("beeps", METHODS) == ["LSTM", "ridge"]


def test_a_cell_says_what_was_measured():
    assert cell(None, None, True) == "-"
    assert cell(0.5, None, False) == "0.500"
    assert cell(0.5, 0.01, True) == "**0.500 ± 0.010**"


def test_the_page_has_a_table_for_each_kind_and_a_column_for_each_method():
    lines = list(page(Table([fit("beeps", "LSTM", 0, 0.9), fit("prices", "ridge", None, 0.3)]), DESCRIBED))
    rows = {line.split(" | ")[0]: line for line in lines if line.startswith("| ")}
    assert [line for line in lines if line.startswith("## ")][:2] == [
        "## Classification: accuracy",
        "## Regression: R²",
    ]
    assert "| beeps | 5, 3 to 9, 2 | 0.500 | **0.900** | - |" in "\n".join(lines)
    assert "| prices | 5, 3, 1 | - | - |" in "\n".join(lines)
    assert rows["| beeps"].count("|") == 2 + len(METHODS)  # the last of that name: the seconds
