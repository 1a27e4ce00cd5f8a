"""Rows that a direct net reads, against a loop over windows and steps; mini-batches."""

import numpy as np
import pytest

from pylstm._estimators.forecaster.windows import MiniBatches, Origins, Panel
from pylstm._estimators.targets import Targets

LAGS, WINDOW, HORIZON = (0, 3), 5, 4


@pytest.fixture(params=[0, 1], ids=["ahead", "past"])
def panel(request):
    """Return a panel whose X is known ahead, and one of which it is known up to now only."""
    rng = np.random.default_rng(0)
    lengths = np.array([12, 4, 7], dtype=np.intp)
    n, settings = lengths.sum(), (LAGS, WINDOW, HORIZON, request.param)
    return Panel(rng.standard_normal((2, n, 2)), rng.standard_normal((n, 1)), lengths, lengths, *settings)


def expected_rows(panel, view, series, last, n_ahead):
    """Return rows, targets (NaN where there are none) and bases of one window."""
    start = panel.starts[series]
    values = panel.values[view, start : start + panel.lengths[series]]
    x = panel.exogenous[start : start + panel.lengths[series]]
    lag = LAGS[view]
    n_window = max(1, min(WINDOW, last + 1 - lag))
    rows, targets, bases = [], [], []
    for t in range(last - n_window + 1, last + n_ahead + 1):
        is_ahead = t > last
        back = t
        if lag == 0:
            back = last
        else:
            back -= lag
            while back > last:
                back -= lag
        base = values[max(back, 0)]
        value = np.zeros(2) if is_ahead else values[t] - base
        known_x = [0] if is_ahead and panel.n_past else x[min(t, len(x) - 1)]
        rows.append([*value, *known_x, is_ahead, (t - last) / HORIZON if is_ahead else 0, view == 0, view == 1])
        targets.append(values[t] - base if is_ahead and t < len(values) else np.full(2, np.nan))
        if is_ahead:
            bases.append(base)
    return np.array(rows, dtype=float), np.array(targets), np.array(bases)


@pytest.mark.parametrize("n_ahead", [1, HORIZON])
def test_rows_are_what_a_loop_writes(panel, n_ahead):
    places = [(v, s, t) for v in (0, 1) for s in range(3) for t in range(LAGS[v], panel.lengths[s])]
    origins = Origins(*np.array(places).T)
    size = WINDOW + n_ahead
    rows = np.full((len(places) * size, panel.width), np.nan)
    targets = Targets(np.full((len(rows), 2), np.nan), np.full(len(rows), np.nan))
    lengths, bases = panel.write(origins, rows, n_ahead, targets)
    for k, place in enumerate(places):
        expected, expected_targets, expected_bases = expected_rows(panel, *place, n_ahead)
        assert lengths[k] == len(expected)
        stretch = slice(k * size, k * size + lengths[k])
        np.testing.assert_allclose(rows[stretch], expected, err_msg=str(place))
        known = ~np.isnan(expected_targets[:, 0])
        np.testing.assert_array_equal(targets.weights[stretch], known)
        np.testing.assert_allclose(targets.values[stretch][known], expected_targets[known])
        np.testing.assert_allclose(bases[k], expected_bases)


def test_each_window_is_drawn_once_before_any_is_again(panel):
    data = MiniBatches.of(panel, 4, 7, np.float64)
    assert list(data.counts) == [7, 1, 2, 7, 0, 2]  # of whole windows or, in short series, shorter ones
    seen = []
    write = Panel.write

    class Watched(Panel):
        def write(self, origins, *arguments):
            seen.extend(zip(*map(list, origins), strict=True))
            return write(self, origins, *arguments)

    data.panel = Watched(*panel)
    for _ in range(2):
        for batch in data.batches(4, np.random.RandomState(0)):
            assert list(batch) == [0, 1, 2, 3]
    n_windows = int(data.counts.sum())
    for k in range(0, len(seen) - n_windows, n_windows):
        assert len(set(seen[k : k + n_windows])) == n_windows
    for view, series, last in seen:
        assert LAGS[view] <= last < panel.lengths[series] - 1  # a season before, and a step to learn
