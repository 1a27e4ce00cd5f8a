"""What all displays have in common, and those of fits and forecasts."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from processes import run_python
from toys import ESTIMATORS, toy

import pylstm
from pylstm import (
    BacktestDisplay,
    CellStateDisplay,
    ForecastDisplay,
    GateDisplay,
    GradientFlowDisplay,
    LossCurveDisplay,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    LSTMTagger,
    SaliencyDisplay,
)

RNG = np.random.default_rng(0)
X, Y = toy(LSTMClassifier)
CLASSIFIER = LSTMClassifier((4,), max_iter=2, early_stopping=True, validation_fraction=0.2, random_state=0).fit(X, Y)
SERIES = np.sin(np.arange(60)) + 2
FORECASTER = LSTMForecaster((4,), max_iter=2, cv=2, n_paths=20, random_state=0).fit(SERIES)
#: Each makes a display of one panel.
DISPLAYS = {
    "BacktestDisplay": lambda **given: BacktestDisplay.from_estimator(FORECASTER, SERIES, n_steps=5, **given),
    "CellStateDisplay": lambda **given: CellStateDisplay.from_estimator(CLASSIFIER, X, units=[1], **given),
    "ForecastDisplay": lambda **given: ForecastDisplay.from_estimator(FORECASTER, 5, y=SERIES, y_true=[1, 2], **given),
    "GateDisplay": lambda **given: GateDisplay.from_estimator(CLASSIFIER, X, gates="f", **given),
    "GradientFlowDisplay": lambda **given: GradientFlowDisplay.from_estimator(CLASSIFIER, X, **given),
    "LossCurveDisplay": lambda **given: LossCurveDisplay.from_estimator(CLASSIFIER, **given),
    "SaliencyDisplay": lambda **given: SaliencyDisplay.from_estimator(CLASSIFIER, X, **given),
}
each_display = pytest.mark.parametrize("name", DISPLAYS)


def axes_of(display):
    return list(display.axes_) if hasattr(display, "axes_") else [display.ax_]


def test_all_displays_are_tried():
    texts = {"CellTextDisplay", "SurprisalDisplay"}  # which have no axes: test_text_displays.py
    assert set(DISPLAYS) | texts == {name for name in pylstm.__all__ if name.endswith("Display")}


@each_display
def test_a_new_figure(name):
    display = DISPLAYS[name]()
    assert plt.get_fignums() == [display.figure_.number]
    (ax,) = axes_of(display)
    assert ax.figure is display.figure_
    assert ax.get_title(loc="left") or ax.get_title()
    assert ax.get_ylabel()


@each_display
def test_given_axes(name):
    """They are drawn on, and pyplot has nothing to do with it."""
    current = plt.figure()
    ax = Figure().subplots()
    display = DISPLAYS[name](ax=ax)
    assert axes_of(display) == [ax]
    assert display.figure_ is ax.figure
    assert ax.has_data()
    assert plt.gcf() is current
    assert plt.get_fignums() == [current.number]
    assert not current.axes


@each_display
def test_plot_again(name):
    display = DISPLAYS[name]()
    ax = Figure().subplots()
    assert display.plot(ax=ax) is display
    assert axes_of(display) == [ax]
    assert display.plot([ax]) is display


@each_display
def test_settings_stay(name):
    before = matplotlib.rcParams.copy()
    DISPLAYS[name]()
    assert matplotlib.rcParams == before


@each_display
def test_can_be_drawn(name):
    """Nothing that only drawing finds, such as a text that is no formula."""
    DISPLAYS[name]().figure_.draw_without_rendering()


@each_display
def test_wrong_axes(name):
    display = DISPLAYS[name]()
    with pytest.raises(ValueError, match="ax must hold one Axes for each of 1 panels, got 2"):
        display.plot(Figure().subplots(2))
    with pytest.raises(TypeError, match=r"ax must be a matplotlib Axes.* got 'left'"):
        display.plot("left")


@pytest.mark.parametrize("name", ["CellStateDisplay", "GateDisplay", "GradientFlowDisplay", "SaliencyDisplay"])
def test_labels_of_steps(name):
    n_steps = len(X[0])
    words = [f"word {k}" for k in range(n_steps)]
    (ax,) = axes_of(DISPLAYS[name](labels=words))
    assert [label.get_text() for label in ax.get_xticklabels()] == words
    assert ax.get_xticks().tolist() == list(range(n_steps))
    with pytest.raises(ValueError, match=f"labels must have one entry for each of the {n_steps} steps, got 1"):
        DISPLAYS[name](labels=["word"])


@pytest.mark.parametrize("name", ["CellStateDisplay", "GateDisplay", "GradientFlowDisplay", "SaliencyDisplay"])
def test_the_sequence_must_be_there(name):
    with pytest.raises(ValueError, match=r"sequence must be one of the 60 of .*, counted from 0, got 60"):
        DISPLAYS[name](sequence=60)


def test_matplotlib_is_loaded_by_plot_alone():
    code = (
        "import sys, numpy as np, pylstm\n"
        "display = pylstm.GateDisplay({'f': np.ones((2, 3))})\n"
        "print('matplotlib' in sys.modules)\ndisplay.plot()\nprint('matplotlib' in sys.modules)"
    )
    assert run_python(code).split() == ["False", "True"]


def test_without_matplotlib():
    message = run_python(
        "import sys\nsys.modules['matplotlib'] = None\nimport pylstm\n"
        "try:\n    pylstm.LossCurveDisplay([1, 2]).plot()\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    assert "LossCurveDisplay.plot needs matplotlib, which is not installed: pip install 'pylstm[plot]'" in message


# ---- LossCurveDisplay


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("scored", [False, True])
def test_loss_curve(cls, scored):
    X, y = toy(cls)
    estimator = cls((2,), max_iter=3, early_stopping=scored, validation_fraction=0.2, random_state=0).fit(X, y)
    display = LossCurveDisplay.from_estimator(estimator)
    (line,) = display.ax_.lines
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata().tolist() == estimator.loss_curve_
    is_classifier = cls in (LSTMClassifier, LSTMTagger)
    assert ("cross-entropy" if is_classifier else "squared error") in display.ax_.get_ylabel()
    if not scored:
        assert display.score_ax_ is None
        return
    (line,) = display.score_ax_.lines
    assert line.get_ydata().tolist() == estimator.validation_scores_
    assert ("accuracy" if is_classifier else "R²") in display.score_ax_.get_ylabel()


def test_loss_curve_of_a_forecaster():
    forecaster = LSTMForecaster((2,), max_iter=2, cv=None, early_stopping=True, random_state=0).fit(SERIES)
    display = LossCurveDisplay.from_estimator(forecaster)
    assert "negated squared error" in display.score_ax_.get_ylabel()


def test_scores_that_came_with_a_later_fit():
    X, y = toy(LSTMClassifier)
    model = LSTMClassifier((2,), max_iter=2, warm_start=True, random_state=0).fit(X, y).fit(X, y, X_val=X, y_val=y)
    (line,) = LossCurveDisplay.from_estimator(model).score_ax_.lines
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, np.nan, *model.validation_scores_])
    assert len(model.validation_scores_) == 2


def test_a_loss_that_falls_far():
    assert LossCurveDisplay([100, 10, 0.9]).plot().ax_.get_yscale() == "log"
    assert LossCurveDisplay([100, 10, 1]).plot().ax_.get_yscale() == "linear"
    assert LossCurveDisplay([100, 10, 0]).plot().ax_.get_yscale() == "linear"


def test_loss_curve_errors():
    with pytest.raises(ValueError, match="validation_scores must have one entry for each of 3 epochs, got 2"):
        LossCurveDisplay([3, 2, 1], validation_scores=[0, 1])
    with pytest.raises(ValueError, match="not fitted"):
        LossCurveDisplay.from_estimator(LSTMRegressor())
    with pytest.raises(TypeError, match="estimator must be one of pylstm's, got 3"):
        LossCurveDisplay.from_estimator(3)


# ---- ForecastDisplay


def test_forecast():
    display = ForecastDisplay.from_estimator(FORECASTER, 5, y=SERIES, y_true=SERIES[:3], interval=0.8)
    forecast, bounds = FORECASTER.predict(5, quantiles=[0.1, 0.9])
    np.testing.assert_array_equal(display.forecast, forecast)
    np.testing.assert_allclose(display.bounds, bounds)
    past, ahead, came = display.ax_.lines
    assert past.get_xdata().tolist() == list(range(-59, 1))
    assert past.get_ydata().tolist() == SERIES.tolist()
    assert ahead.get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert ahead.get_ydata().tolist() == forecast.tolist()
    assert came.get_xdata().tolist() == [1, 2, 3]
    assert came.get_ydata().tolist() == SERIES[:3].tolist()
    (band,) = display.ax_.collections
    corners = band.get_paths()[0].vertices
    assert set(display.bounds.ravel()) <= set(corners[:, 1])
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["past", "80% interval", "forecast", "what came"]


def test_forecast_of_dates():
    y = pd.Series(SERIES, pd.date_range("2020-01-01", periods=60))
    forecaster = LSTMForecaster((2,), max_iter=1, random_state=0).fit(y)
    display = ForecastDisplay.from_estimator(forecaster, 4, y=y)
    assert (display.times == pd.date_range("2020-01-01", periods=64)).all()
    predicted = forecaster.predict(4, quantiles=[0.05, 0.95]).to_numpy()
    np.testing.assert_array_equal(display.forecast, predicted[:, 0])
    np.testing.assert_allclose(display.bounds, predicted[:, 1:].T)


def test_backtest():
    display = BacktestDisplay.from_estimator(FORECASTER, SERIES, n_steps=5, n_windows=2, error="WAPE")
    assert [line.get_label() for line in display.ax_.lines] == ["LSTM", "seasonal naive", "drift"]
    table = display.table
    ours = table[(table.model == "LSTM") & (table.window != "all")]
    assert display.ax_.lines[0].get_ydata().tolist() == ours.WAPE.tolist()
    with pytest.raises(ValueError, match=r"error must be one of MASE, .* got 'RMSE'"):
        BacktestDisplay(table, error="RMSE")
    with pytest.raises(ValueError, match="table must be a DataFrame that"):
        BacktestDisplay([1.0])


def test_forecast_alone():
    forecaster = LSTMForecaster((2,), max_iter=1, cv=None, random_state=0).fit(SERIES)
    display = ForecastDisplay.from_estimator(forecaster, 4, interval=None)
    assert display.bounds is None
    assert len(display.ax_.lines) == 1
    with pytest.raises(ValueError, match="need a fit with cv"):
        ForecastDisplay.from_estimator(forecaster, 4)


def test_forecast_with_dates_and_known_inputs():
    X = np.arange(60.0)
    forecaster = LSTMForecaster((2,), max_iter=1, cv=None, random_state=0).fit(SERIES, X)
    days = np.datetime64("2024-01-01") + np.arange(63)
    display = ForecastDisplay.from_estimator(forecaster, 3, X=[60, 61, 62], interval=None, y=SERIES, times=days)
    past, ahead = display.ax_.lines
    assert past.get_xdata()[0] == days[0]
    assert ahead.get_xdata().tolist() == days[-3:].tolist()
    np.testing.assert_array_equal(display.forecast, forecaster.predict(3, [60, 61, 62]))


def test_forecast_errors():
    with pytest.raises(ValueError, match=r"bounds must be two arrays \(2,\), as forecast, got shape \(2, 3\)"):
        ForecastDisplay([1, 2], bounds=np.zeros((2, 3)))
    with pytest.raises(ValueError, match="y_true must have at most the forecast's 2 steps, got 3"):
        ForecastDisplay([1, 2], y_true=[1, 2, 3])
    with pytest.raises(ValueError, match=r"y must have shape \(n_steps,\), got \(2, 1\)"):
        ForecastDisplay([1, 2], y=[[1], [2]])
    with pytest.raises(ValueError, match=r"one entry for each of 3 steps of y and 2 of the forecast, got shape \(2,\)"):
        ForecastDisplay([1, 2], y=[1, 2, 3], times=[1, 2])
    with pytest.raises(ValueError, match="interval must be a number in"):
        ForecastDisplay.from_estimator(FORECASTER, 2, interval=1.5)
    two = LSTMForecaster((2,), max_iter=1, cv=None, random_state=0).fit(np.stack([SERIES, SERIES], axis=1))
    with pytest.raises(ValueError, match=r"forecaster must be fitted to one series .* got several"):
        ForecastDisplay.from_estimator(two, 2, interval=None)


def test_a_loss_curve_without_epochs():
    with pytest.raises(ValueError, match=r"loss_curve must be .* at least one, got shape"):
        pylstm.LossCurveDisplay([])
