"""Backtests: their errors by hand and by scikit-learn, their windows, and parameters that are chosen by them."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import mean_absolute_error, mean_pinball_loss

from pylstm import LSTMForecaster
from pylstm._estimators.forecaster.errors import PROBABILITIES, Forecast, drift, errors_of, seasonal_naive
from pylstm.datasets import load_airline

AIRLINE = load_airline()


def quick(**options):
    return LSTMForecaster(**{"max_iter": 1, "random_state": 0, **options})


def test_naive_forecasts_by_hand():
    past = np.array([[1.0], [2], [3], [4], [6]])
    assert seasonal_naive(past, 3, 2).values.ravel().tolist() == [4, 6, 4]
    assert seasonal_naive(past, 2, 9).values.ravel().tolist() == [1, 2]  # there is less than a season
    assert_allclose(drift(past, 2).values.ravel(), [7.25, 8.5])
    for forecast in (seasonal_naive(past, 3, 2), drift(past, 2)):
        assert (np.diff(forecast.quantiles, axis=0) > 0).all()
        assert_allclose(forecast.quantiles.mean(axis=0), forecast.values)


def test_errors():
    rng = np.random.default_rng(0)
    pasts, futures = [rng.random((20, 2)) + 1 for _ in range(3)], [rng.random((4, 2)) + 1 for _ in range(3)]
    forecasts = [Forecast(rng.random((4, 2)) + 1, np.sort(rng.random((4, 4, 2)) + 1, axis=0)) for _ in range(3)]
    errors = errors_of(pasts, futures, forecasts, 3)
    of_columns = [
        (past[:, j], future[:, j], forecast.values[:, j], forecast.quantiles[:, :, j])
        for past, future, forecast in zip(pasts, futures, forecasts, strict=True)
        for j in range(2)
    ]
    scales = [mean_absolute_error(past[3:], past[:-3]) for past, *_ in of_columns]
    mase = [mean_absolute_error(y, f) / s for (_, y, f, _), s in zip(of_columns, scales, strict=True)]
    pinball = [
        2 * np.mean([mean_pinball_loss(y, q[k], alpha=p) for k, p in enumerate(PROBABILITIES)]) / s
        for (_, y, _, q), s in zip(of_columns, scales, strict=True)
    ]
    smape = [np.mean(2 * np.abs(y - f) / (np.abs(y) + np.abs(f))) * 100 for _, y, f, _ in of_columns]
    y, f = (np.concatenate([of[k] for of in of_columns]) for k in (1, 2))
    q = np.concatenate([of[3] for of in of_columns], axis=1)
    assert_allclose(errors["MASE"], np.mean(mase))
    assert_allclose(errors["pinball"], np.mean(pinball))
    assert_allclose(errors["sMAPE"], np.mean(smape))
    assert_allclose(errors["WAPE"], np.abs(y - f).sum() / y.sum())
    assert_allclose(errors["coverage_90"], ((q[0] <= y) & (y <= q[3])).mean())
    assert_allclose(errors["coverage_50"], ((q[1] <= y) & (y <= q[2])).mean())


def test_errors_of_what_never_varies():
    past, future = np.zeros((9, 1)), np.zeros((2, 1))
    errors = errors_of([past], [future], [Forecast(future, np.zeros((4, 2, 1)))], 4)
    assert (errors["MASE"], errors["sMAPE"], errors["coverage_90"]) == (0, 0, 1)
    assert np.isnan(errors["WAPE"])


@pytest.mark.parametrize("refit", [False, True])
def test_windows(refit):
    forecaster = quick()
    table = forecaster.backtest(AIRLINE, n_steps=6, n_windows=3, step_size=4, refit=refit)
    assert not hasattr(forecaster, "loss_")
    assert table.window.tolist() == [*np.repeat([0, 1, 2], 3), "all", "all", "all"]
    ours = table[table.model == "LSTM"]
    assert_allclose(ours.MASE.iloc[-1], ours.MASE.iloc[:-1].mean())
    by_hand = quick(horizon=6).fit(AIRLINE[:130])
    for window, end in enumerate((130, 134, 138)):
        if refit:
            by_hand = quick(horizon=6).fit(AIRLINE[:end])
        elif window:
            by_hand.update(AIRLINE[end - 4 : end])
        scale = np.abs(AIRLINE[12:end] - AIRLINE[: end - 12]).mean()
        error = np.abs(by_hand.predict(6) - AIRLINE[end : end + 6]).mean() / scale
        assert_allclose(ours.MASE.iloc[window], error)


def test_forms(capsys):
    months = pd.date_range("1949-01", periods=144, freq="MS")
    X = np.arange(144.0)
    plain = quick().backtest(AIRLINE, X, n_steps=5, n_windows=2)
    dated = quick().backtest(pd.Series(AIRLINE, months), pd.Series(X, months), n_steps=5, n_windows=2, verbose=True)
    pd.testing.assert_frame_equal(plain, dated)
    lines = capsys.readouterr().out.splitlines()
    assert [line[:13] for line in lines] == ["window 1 of 2", "window 2 of 2"]
    ragged = quick().backtest([AIRLINE, AIRLINE[30:] * 2], [X, X[30:]], n_steps=5)
    assert np.isfinite(ragged.MASE).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_steps": 0}, "n_steps must be"),
        ({"n_steps": 2, "n_windows": 0}, "n_windows must be"),
        ({"n_steps": 2, "step_size": 0}, "step_size must be"),
        ({"n_steps": 50, "n_windows": 3}, "y must have more than 150 steps for n_windows=3 of n_steps=50"),
    ],
)
def test_bad_windows(options, message):
    with pytest.raises(ValueError, match=message):
        quick().backtest(AIRLINE, **options)


def test_tune():
    forecaster = quick()
    assert (
        forecaster.tune(AIRLINE, param_grid={"transform": ["log", None, "sqrt"]}, n_steps=6, n_windows=2) is forecaster
    )
    table = forecaster.tuning_results_
    assert table.MASE.is_monotonic_increasing
    assert len(table) == 3
    best = table["transform"].iloc[0]
    assert forecaster.transform == (None if pd.isna(best) else best)
    alone = quick(transform=forecaster.transform).backtest(AIRLINE, n_steps=6, n_windows=2)
    assert_allclose(table.MASE.iloc[0], alone[(alone.window == "all") & (alone.model == "LSTM")].MASE)
    assert forecaster.predict(6).shape == (6,)


def test_what_a_backtest_cannot_do():
    with pytest.raises(ValueError, match="cv must not be None for a backtest"):
        quick(cv=None).backtest(AIRLINE, n_steps=4)
    with pytest.raises(ValueError, match=r"param_grid must have at least one combination of parameters, got \[\]"):
        quick().tune(AIRLINE, param_grid=[], n_steps=4)
