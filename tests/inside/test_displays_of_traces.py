"""`GateDisplay` and `CellStateDisplay`: what they show is what the trace has."""

import nets
import numpy as np
import pytest
from matplotlib.figure import Figure
from toys import toy

from pylstm import CellStateDisplay, GateDisplay, LSTMClassifier, Sequence

LETTERS = {"lstm": "ifgoch", "gru": "rznh", "rnn": "h"}


def traced(cell="lstm", hidden_size=(4, 3), bidirectional=True):
    seq, X, state, _ = nets.make(2, hidden_size, [3, 6], bidirectional=bidirectional, dtype="float64", cell=cell)
    return seq.trace(X, state)


def texts(labels):
    return [label.get_text() for label in labels]


# ---- GateDisplay


@pytest.mark.parametrize("cell", LETTERS)
@pytest.mark.parametrize(("layer", "direction"), [(0, "forward"), (1, "reverse")])
def test_heat_maps(cell, layer, direction):
    trace = traced(cell)
    display = GateDisplay.from_trace(trace, sequence=1, layer=layer, direction=direction)
    assert list(display.values) == list(LETTERS[cell])
    assert len(display.axes_) == len(LETTERS[cell])
    assert sorted(display.units) == list(range(trace.hidden_sizes[layer]))
    ending = f"_l{layer}" + ("_reverse" if direction == "reverse" else "")
    for letter, ax in zip(LETTERS[cell], display.axes_, strict=True):
        values = trace[letter + ending][1]
        np.testing.assert_array_equal(display.values[letter], values)
        image = display.images_[letter]
        assert image.axes is ax
        np.testing.assert_array_equal(image.get_array(), values[:, display.units].T)
        limit = np.abs(values).max()
        assert image.get_clim() == {**dict.fromkeys("ifozr", (0, 1)), **dict.fromkeys("gn", (-1, 1))}.get(
            letter, (-limit, limit)
        )
        assert f"${letter}$ (layer {layer}, {direction} direction)" in ax.get_title(loc="left")


def test_an_estimator():
    X, y = toy(LSTMClassifier)
    clf = LSTMClassifier((4,), max_iter=1, random_state=0).fit(X, y)
    display = GateDisplay.from_estimator(clf, X, sequence=2, gates=["c", "f"])
    np.testing.assert_array_equal(display.values["c"], clf.trace(X)["c_l0"][2])
    assert [ax.get_title(loc="left") for ax in display.axes_] == ["cell state $c$", "forget gate $f$"]


def test_what_the_colours_mean():
    display = GateDisplay.from_trace(traced(hidden_size=3, bidirectional=False), gates="fc")
    forget, cell = (display.images_[letter].colorbar.ax for letter in "fc")
    assert texts(forget.get_yticklabels()) == ["0 forgets", "0.5", "1 keeps"]
    assert cell.get_ylabel() == "what is remembered"


def test_alike_units_are_neighbours():
    rng = np.random.default_rng(0)
    kinds = np.array([0, 1, 2] * 4)
    patterns = rng.uniform(size=(10, 3))
    values = patterns[:, kinds] + rng.normal(scale=0.01, size=(10, 12))
    order = kinds[GateDisplay({"i": values}).units]
    assert np.count_nonzero(np.diff(order)) == 2


def test_chosen_units():
    values = np.random.default_rng(0).uniform(size=(5, 4))
    display = GateDisplay({"f": values}, units=[3, 1], keeps="f").plot()
    np.testing.assert_array_equal(display.images_["f"].get_array(), values[:, [3, 1]].T)
    assert [label.split(":")[0] for label in texts(display.axes_[0].get_yticklabels())] == ["3", "1"]
    assert GateDisplay({"f": values[:, :1]}).units == [0]


def test_half_lives():
    """From the median: a unit that forgets once remembers 42 steps else."""
    f = np.full((5, 5), 0.5 ** (1 / 42))
    f[3, 0] = 1e-3
    f[:, 1] = 0.5
    f[:, 2] = 0.0
    f[:, 3] = 1.0
    f[:, 4] = 0.5 ** (1 / 30000)
    display = GateDisplay({"f": f, "c": f}, units=range(5), keeps="f").plot()
    np.testing.assert_allclose(display.half_lives, [42, 1, 0, np.inf, 30000])
    assert texts(display.axes_[0].get_yticklabels()) == ["0: 42", "1: 1.0", "2: 0.0", "3: >9999", "4: >9999"]
    assert "half-life" in display.axes_[0].get_ylabel()
    assert texts(display.axes_[1].get_yticklabels()) == ["0", "1", "2", "3", "4"]
    assert GateDisplay.from_trace(traced("lstm"), gates="c").half_lives is None
    gru = traced("gru")
    z = gru["z_l0"][0]
    np.testing.assert_allclose(GateDisplay.from_trace(gru).half_lives, np.log(2) / -np.log(np.median(z, axis=0)))


def test_states_of_zero():
    display = GateDisplay({"c": np.zeros((3, 2))}).plot()
    assert display.images_["c"].get_clim() == (-1, 1)


def test_steps_are_written_once_below():
    words = ["the", "quick", "brown"]
    trace = traced(hidden_size=3, bidirectional=False)
    display = GateDisplay.from_trace(trace, labels=words)
    display.figure_.draw_without_rendering()
    shown = [any(label.get_visible() and label.get_text() for label in ax.get_xticklabels()) for ax in display.axes_]
    assert shown == [False] * 4 + [True] * 2
    display = GateDisplay.from_trace(trace, gates="ifo")
    assert [ax.get_xlabel() for ax in display.axes_] == ["", "", "step"]


def test_too_many_labels_are_thinned():
    values = np.random.default_rng(0).uniform(size=(400, 200))
    ax = Figure(figsize=(6, 3)).subplots()
    GateDisplay({"i": values}, labels=["word"] * 400).plot(ax=ax)
    for ticks, n, inches in [(ax.get_xticks(), 400, 6), (ax.get_yticks(), 200, 3)]:
        assert 5 < len(ticks) < inches / 0.12
        assert len(set(np.diff(ticks))) == 1
        assert ticks.max() < n
    assert {label.get_rotation() for label in ax.get_xticklabels()} == {90}
    assert ax.get_xlabel() == f"step (one of {ax.get_xticks()[1]} is labelled)"


def test_gate_errors():
    trace = traced()
    with pytest.raises(ValueError, match=r"gates must be letters out of \['i', 'f', .*, at least one, got 'fz'"):
        GateDisplay.from_trace(trace, gates="fz")
    with pytest.raises(ValueError, match=r"gates must be letters .* got ''"):
        GateDisplay.from_trace(trace, gates="")
    with pytest.raises(ValueError, match="layer must be one of 2, counted from 0, got 2"):
        GateDisplay.from_trace(trace, layer=2)
    with pytest.raises(ValueError, match=r"direction must be one of \['forward', 'reverse'\], got 'back'"):
        GateDisplay.from_trace(trace, direction="back")
    with pytest.raises(ValueError, match=r"direction must be one of \['forward'\], got 'reverse'"):
        GateDisplay.from_trace(traced(bidirectional=False), direction="reverse")
    with pytest.raises(ValueError, match=r"units must be numbers out of 4, counted from 0, at least one, got \[4\]"):
        GateDisplay.from_trace(trace, units=[4])
    with pytest.raises(ValueError, match="ax must hold one Axes for each of 2 panels, got 1"):
        GateDisplay.from_trace(trace, gates="if", ax=Figure().subplots())
    with pytest.raises(ValueError, match=r"values must have at least one entry, by the letters i, f, .* got \['q'\]"):
        GateDisplay({"q": np.zeros((2, 2))})


# ---- CellStateDisplay


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_what_is_kept_and_added(cell, layer, direction):
    trace = traced(cell)
    n_units = trace.hidden_sizes[layer]
    display = CellStateDisplay.from_trace(
        trace, sequence=1, layer=layer, direction=direction, units=range(n_units), ax=Figure().subplots(n_units)
    )
    is_reverse = direction == "reverse"
    ending = f"_l{layer}" + "_reverse" * is_reverse
    values = {letter: trace[letter + ending][1] for letter in LETTERS[cell]}
    held = values["c" if cell == "lstm" else "h"]
    steps = range(len(held))
    for unit, (state, kept, added) in display.values.items():
        np.testing.assert_array_equal(state, held[:, unit])
        np.testing.assert_allclose(kept + added, state, rtol=1e-12, atol=1e-14)
        before = trace.initial_state[layer][-1][int(is_reverse), 1, unit]
        for t in reversed(steps) if is_reverse else steps:
            if cell == "lstm":
                assert kept[t] == values["f"][t, unit] * before
                assert added[t] == values["i"][t, unit] * values["g"][t, unit]
            else:
                assert kept[t] == values["z"][t, unit] * before
            before = state[t]
        ax = display.axes_[unit]
        bars = ax.patches
        np.testing.assert_allclose([bar.get_height() for bar in bars], [*kept, *added])
        np.testing.assert_allclose([bar.get_y() for bar in bars], [*np.zeros(len(steps)), *kept])
        # What was there before stands on the side of the step before.
        assert (bars[0].get_x() > bars[len(steps)].get_x()) == is_reverse
        np.testing.assert_array_equal(ax.lines[-1].get_ydata(), state)
        assert ax.get_title(loc="left") == f"unit {unit} (layer {layer}, {direction} direction)"
    assert ("t+1" if is_reverse else "t-1") in "".join(texts(display.axes_[0].get_legend().get_texts()))


def test_units_that_change_most():
    seq = Sequence(2, 8, random_state=0)
    X = np.random.default_rng(0).normal(size=(1, 9, 2))
    trace = seq.trace(X)
    display = CellStateDisplay.from_estimator(seq, X)
    spread = np.ptp(trace["c_l0"][0], axis=0)
    assert list(display.values) == np.argsort(-spread)[:3].tolist()
    assert texts(display.axes_[0].get_legend().get_texts())[0] == "$c_t$"


def test_cell_state_errors():
    with pytest.raises(ValueError, match="values must have at least one unit"):
        CellStateDisplay({})
    with pytest.raises(ValueError, match="trace must be of an LSTM or a GRU, got that of an RNN"):
        CellStateDisplay.from_trace(traced("rnn"))
    with pytest.raises(ValueError, match="units must be numbers out of 4"):
        CellStateDisplay.from_trace(traced(), units=[])
    with pytest.raises(TypeError, match=r"units must be an integer >= 0, got 1.5"):
        CellStateDisplay.from_trace(traced(), units=[1.5])
