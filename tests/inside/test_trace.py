"""What trace says against the equations, to the bit what forward gives, and gates held at values."""

import html
import re
import subprocess
import sys

import numpy as np
import pytest
from digits import assert_same_bits
from nets import CELLS, SHAPE_IDS, SHAPES, make, relative_error
from reference import sigmoid

import pylstm

LETTERS = {"lstm": "ifgoch", "gru": "rznh", "rnn": "h", "relu": "h"}


def reference_trace(cell, x, weights, state, held):
    """Return the gates and states by letter, (n_steps, H) each, of one sequence; held by letter, NaN where free."""
    weight_ih, weight_hh, bias = (np.asarray(values, np.float64) for values in weights)
    rows = {letter: [] for letter in LETTERS[cell]}

    def of(letter, value):
        hold = held[letter][t] if letter in held else np.nan
        rows[letter].append(np.where(np.isnan(hold), value, hold))
        return rows[letter][-1]

    h, *c = state
    for t in range(len(x)):
        w, r = weight_ih @ np.asarray(x[t], np.float64), weight_hh @ h
        if cell == "lstm":
            z = np.split(w + r + bias, 4)
            i, f, g, o = of("i", sigmoid(z[0])), of("f", sigmoid(z[1])), of("g", np.tanh(z[2])), of("o", sigmoid(z[3]))
            c = [of("c", f * c[0] + i * g)]
            h = o * np.tanh(c[0])
        elif cell == "gru":
            (w_r, w_z, w_n), (r_r, r_z, r_n), b = np.split(w, 3), np.split(r, 3), np.split(bias, 4)
            reset, update = of("r", sigmoid(w_r + r_r + b[0])), of("z", sigmoid(w_z + r_z + b[1]))
            n = of("n", np.tanh(w_n + b[2] + reset * (r_n + b[3])))
            h = (1 - update) * n + update * h
        else:
            z = w + r + bias
            h = np.tanh(z) if cell == "rnn" else np.maximum(z, 0)
        h = of("h", h)
    return {letter: np.array(values) for letter, values in rows.items()}


def check_against_reference(seq, X, state, trace, cell, held, tolerance):
    """`held`: by the trace's names, a list of arrays (n_steps, H)."""
    inputs = [np.asarray(x, np.float64) for x in X]
    for layer, hidden in enumerate(trace.hidden_sizes):
        sides = [[] for _ in inputs]
        for direction, suffix in enumerate(["", "_reverse"][: trace.n_directions]):
            weights = [seq.parameters()[f"{name}_l{layer}{suffix}"] for name in ("weight_ih", "weight_hh", "bias")]
            order = slice(None, None, -1 if direction else 1)
            for b, x in enumerate(inputs):
                here = {
                    letter: held[f"{letter}_l{layer}{suffix}"][b][order]
                    for letter in LETTERS[cell]
                    if f"{letter}_l{layer}{suffix}" in held
                }
                start = tuple(values[direction, b] for values in state[layer])
                expected = reference_trace(cell, x[order], weights, start, here)
                for letter, values in expected.items():
                    got = trace[f"{letter}_l{layer}{suffix}"][b]
                    assert got.shape == (len(x), hidden)
                    assert got.dtype == seq.dtype
                    assert relative_error(got, values[order]) < tolerance, (letter, layer, suffix, b)
                sides[b].append(expected["h"][order])
        inputs = [np.concatenate(side, axis=1) for side in sides]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_IDS)
@pytest.mark.parametrize("cell", CELLS)
def test_against_the_equations_and_forward(cell, shape, bidirectional, dtype):
    seq, X, state, _rng = make(*shape, bidirectional=bidirectional, dtype=dtype, cell=cell, dropout=0.3)
    for values in seq.parameters().values():
        values *= 0.5  # large weights multiply a rounding error with every step
    Y, final = seq.forward(X, state)
    trace = seq.trace(X, state)
    check_against_reference(seq, X, state, trace, cell, {}, 2e-5 if dtype == "float32" else 1e-12)
    for y, y_traced in zip(Y, trace.output, strict=True):
        assert_same_bits(y_traced, y)
    for pairs, of_layers in [(trace.final_state, final), (trace.initial_state, state)]:
        for got, expected in zip(pairs, of_layers, strict=True):
            for values, values_expected in zip(got, expected, strict=True):
                assert_same_bits(values, values_expected.astype(dtype))
    # What is held where it is anyway changes nothing; nor does what is free.
    gates = [name for name in trace if name[0] not in "ch"]
    held = {name: trace[name] for name in gates[::2]} | dict.fromkeys(gates[1::2], np.nan)
    for y, y_held in zip(Y, seq.forward(X, state, hold=held)[0], strict=True):
        assert_same_bits(y_held, y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_IDS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_held_gates(cell, shape, dtype):
    seq, X, state, rng = make(*shape, bidirectional=True, dtype=dtype, cell=cell)
    for values in seq.parameters().values():
        values *= 0.5
    held = {}
    for name, values in seq.trace(X, state).items():
        if name[0] in "ch":
            continue
        drawn = [rng.uniform(0, 1, np.shape(value)) for value in values]
        held[name] = [np.where(rng.uniform(size=d.shape) < 0.5, d, np.nan).astype(dtype) for d in drawn]
    given = {name: np.stack(values) if isinstance(X, np.ndarray) else values for name, values in held.items()}
    trace = seq.trace(X, state, hold=given)
    check_against_reference(seq, X, state, trace, cell, held, 2e-5 if dtype == "float32" else 1e-12)
    Y, final = seq.forward(X, state, hold=given)
    for y, y_traced in zip(Y, trace.output, strict=True):
        assert_same_bits(y, y_traced)
    for got, expected in zip(final, trace.final_state, strict=True):
        for values, values_expected in zip(got, expected, strict=True):
            assert_same_bits(values, values_expected)


@pytest.mark.parametrize("n_sequences", [1, 12])
def test_threads_trace_the_same_bits(n_sequences):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_sequences, 20, 64)).astype("float32")
    hold = {"f": np.where(rng.uniform(size=(20, 256)) < 0.5, 0.25, np.nan)}
    one, two = (pylstm.Sequence(64, 256, random_state=0, n_threads=n).trace(X, hold=hold) for n in (1, 2))
    for name in one:
        assert_same_bits(one[name], two[name])


def test_a_trace_leaves_the_net_and_its_tape_alone():
    seq = pylstm.Sequence(2, 3, dropout=0.5, random_state=0)
    twin = pylstm.Sequence(2, 3, dropout=0.5, random_state=0)
    X = np.ones((2, 5, 2))
    gradients = []
    for net in (seq, twin):
        Y, _ = net.forward(X, training=True)
        if net is seq:
            net.trace(X, hold={"i": 0.5})
        gradients.append(net.backward(np.ones_like(Y)).parameters)
        gradients.append({"again": net.forward(X, training=True)[0]})
    for got, expected in zip(gradients[:2], gradients[2:], strict=True):
        for name in got:
            assert_same_bits(got[name], expected[name])


def test_forms_of_hold():
    seq = pylstm.Sequence(2, (3, 4), bidirectional=True, random_state=0)
    X = np.random.default_rng(0).normal(size=(2, 5, 2))
    trace = seq.trace(X, hold={"f": 1.0, "f_l1_reverse": [0.0, 0.5, 1.0, np.nan]})
    assert (trace["f_l0"] == 1).all()
    assert (trace["f_l1"] == 1).all()
    assert (trace["f_l1_reverse"][..., :3] == [0, 0.5, 1]).all()
    assert (trace["f_l1_reverse"][..., 3] < 1).all()  # a name goes before a letter
    ragged = seq.trace(list(X), hold={"f": 1.0, "f_l1_reverse": [np.array([0.0, 0.5, 1.0, np.nan])] * 2})
    for name in trace:
        for got, expected in zip(ragged[name], trace[name], strict=True):
            assert_same_bits(got, expected)
    per_unit = seq.trace(list(X), hold={"i_l0": np.array([0.0, np.nan, 1.0])})
    assert (per_unit["i_l0"][1][:, [0, 2]] == [0, 1]).all()


@pytest.mark.parametrize(
    ("cell", "hold", "error", "words"),
    [
        ("lstm", 1.0, TypeError, "hold must be a mapping"),
        (
            "lstm",
            {"z": 1.0},
            ValueError,
            "hold must name gates of the net, got 'z'; it has i, f, g, o, and by layer i_l0",
        ),
        ("lstm", {"c": 1.0}, ValueError, "got 'c'"),
        ("lstm", {"f_l1": 1.0}, ValueError, "got 'f_l1'"),
        ("lstm", {3: 1.0}, ValueError, "got 3"),
        ("rnn", {"h": 1.0}, ValueError, "an RNN has no gates"),
        ("lstm", {"f": 1.5}, ValueError, r"hold\['f'\] must be within \[0, 1\]"),
        ("lstm", {"f": -0.1}, ValueError, r"within \[0, 1\]"),
        ("lstm", {"g": -1.1}, ValueError, r"hold\['g'\] must be within \[-1, 1\]"),
        ("gru", {"n_l0": np.inf}, ValueError, r"hold\['n_l0'\] must be within \[-1, 1\]"),
        ("lstm", {"f": np.ones((3, 4, 5))}, ValueError, r"broadcast to \(n_sequences.* \(2, 4, 3\), got \(3, 4, 5\)"),
        ("lstm", {"f": "open"}, TypeError, "real numbers"),
        ("lstm", {"f": [[1.0], [1.0, 1.0]]}, ValueError, "must be an array"),
    ],
)
def test_refusals(cell, hold, error, words):
    seq = pylstm.Sequence(1, 3, cell=cell, random_state=0)
    for method in (seq.trace, seq.forward):
        with pytest.raises(error, match=words):
            method(np.zeros((2, 4, 1)), hold=hold)


def test_refusals_of_ragged_holds_and_of_training():
    seq = pylstm.Sequence(1, 3, random_state=0)
    X = [np.zeros((4, 1)), np.zeros((2, 1))]
    with pytest.raises(ValueError, match=r"hold\['f'\] must have an array for each of the 2 sequences, got 1"):
        seq.trace(X, hold={"f": [1.0]})
    with pytest.raises(ValueError, match=r"hold\['f'\]\[1\] must broadcast to .* \(2, 3\), got \(4, 3\)"):
        seq.trace(X, hold={"f": [np.ones((4, 3)), np.ones((4, 3))]})
    with pytest.raises(ValueError, match=r"\(hidden_size,\), or be a list"):
        seq.trace(X, hold={"f": np.ones((4, 3))})
    with pytest.raises(ValueError, match="hold must be None with training=True"):
        seq.forward(X, training=True, hold={"f": 1.0})


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_classifier(pooling):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in rng.integers(1, 9, 30)]
    y = np.array(["low", "high"])[[int(x[0, 0] > 0) for x in X]]
    options = {"pooling": pooling, "dropout": 0.2, "max_iter": 3, "standardize": False, "random_state": 0}
    clf = pylstm.LSTMClassifier((5, 4), bidirectional=True, **options).fit(X, y)
    probabilities = clf.predict_proba(X)
    assert_same_bits(clf.predict_proba(X, hold={"f_l1": np.nan}), probabilities)
    twin = pylstm.Sequence(2, (5, 4), bidirectional=True)
    for name, values in twin.parameters().items():
        values[...] = clf._model.parameters()[name]
    hold = {"f": 0.0, "o_l1": 0.5}
    for held in (None, hold):
        trace, expected = clf.trace(X, hold=held), twin.trace(X, hold=held)
        for name in expected:
            for got, values in zip(trace[name], expected[name], strict=True):
                assert_same_bits(got, values)
    held_probabilities = clf.predict_proba(X, hold=hold)
    assert np.abs(held_probabilities - probabilities).max() > 1e-3
    np.testing.assert_allclose(clf.predict_log_proba(X, hold=hold), np.log(held_probabilities), rtol=1e-6)
    np.testing.assert_array_equal(clf.predict(X, hold=hold), clf.classes_[held_probabilities.argmax(axis=1)])


@pytest.mark.parametrize("dense", [False, True])
def test_estimators_of_steps_and_values(dense):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(6 if dense else n, 2)) for n in rng.integers(2, 9, 10)]
    tags, values = [(x[:, 0] > 0).astype(int) for x in X], [x.sum(axis=1) for x in X]
    means = [value.mean() for value in values]
    if dense:
        X, tags, values = np.stack(X), np.stack(tags), np.stack(values)
    tagger = pylstm.LSTMTagger((4,), max_iter=2, random_state=0).fit(X, tags)
    sequence_regressor = pylstm.LSTMSequenceRegressor((4,), max_iter=2, random_state=0).fit(X, values)
    regressor = pylstm.LSTMRegressor((4,), max_iter=2, random_state=0).fit(X, means)
    for estimator, methods in [
        (tagger, ["predict", "predict_proba", "predict_log_proba"]),
        (sequence_regressor, ["predict"]),
        (regressor, ["predict"]),
    ]:
        for method in methods:
            free, held, shut = (getattr(estimator, method)(X, hold=hold) for hold in (None, {"f": np.nan}, {"o": 0.0}))
            for a, b in zip(free, held, strict=True):
                np.testing.assert_array_equal(a, b)
            if method != "predict" or estimator is not tagger:
                assert all(np.ptp(np.stack([np.ravel(s)[0] for s in shut])) == 0 for _ in shut)  # the bias alone
        trace = estimator.trace(X)
        assert [len(h) for h in trace["h_l0"]] == [len(x) for x in X]
        with pytest.raises(ValueError, match="hold must name"):
            estimator.predict(X, hold={"x": 1.0})


def test_forecaster():
    y = np.sin(np.arange(60) / 3)
    forecaster = pylstm.LSTMForecaster((4,), max_iter=3, random_state=0).fit(y[:50])
    before = forecaster.predict(5)
    trace = forecaster.trace(y[50:])
    assert trace["f_l0"].shape == (1, 10, 4)
    np.testing.assert_array_equal(forecaster.predict(5), before)  # nothing was taken in
    state = forecaster.update(y[50:])._state
    for got, expected in zip(trace.final_state[0], state[0], strict=True):
        assert_same_bits(got, expected)
    assert (forecaster.trace(y[:5], hold={"f": 0.25})["f_l0"] == 0.25).all()


def test_mapping_and_repr():
    trace = pylstm.Sequence(1, (2, 3), bidirectional=True, random_state=0).trace([np.zeros((4, 1)), np.zeros((2, 1))])
    assert len(trace) == 24
    assert list(trace)[6] == "i_l0_reverse"
    assert trace.lengths.tolist() == [4, 2]
    assert [values.shape for values in trace["o_l1"]] == [(4, 3), (2, 3)]
    assert trace.sequence(1)["c_l0"].shape == (2, 2)
    with pytest.raises(KeyError):
        trace["f"]
    assert repr(trace) == "Trace(cell='lstm', hidden_sizes=(2, 3), n_directions=2, n_sequences=2)"


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_to_frame(cell):
    pytest.importorskip("pandas")
    X = [np.random.default_rng(0).normal(size=(n, 1)) for n in (4, 2)]
    trace = pylstm.Sequence(1, (2, 3), bidirectional=True, cell=cell, random_state=0).trace(X)
    frame = trace.to_frame()
    assert frame.index.tolist() == list(range((4 + 2) * 2 * (2 + 3)))
    for b, layer, direction in [(0, 0, "forward"), (1, 1, "reverse"), (0, 1, "forward")]:
        rows = frame[(frame.sequence == b) & (frame.layer == layer) & (frame.direction == direction)]
        suffix = f"_l{layer}" + ("_reverse" if direction == "reverse" else "")
        for letter in LETTERS[cell]:
            values = rows.pivot(index="step", columns="unit", values=letter).to_numpy()
            np.testing.assert_array_equal(values, trace[letter + suffix][b])
        assert sorted(set(rows.step)) == list(range(len(X[b])))
    if cell == "lstm":
        np.testing.assert_allclose(frame.f**frame.half_life, 0.5, rtol=1e-5)
    else:
        assert "half_life" not in frame


def test_half_life():
    np.testing.assert_allclose(pylstm.half_life([0, 0.25, 0.5, 1]), [0, 0.5, 1, np.inf])
    assert pylstm.half_life(0.5) == 1
    assert np.isnan(pylstm.half_life(np.nan))
    for wrong in (-0.1, 1.5):
        with pytest.raises(ValueError, match=r"f must be within \[0, 1\]"):
            pylstm.half_life([0.5, wrong])


def test_pandas_is_loaded_by_to_frame_only():
    script = "import pylstm, sys; pylstm.Sequence(1, 2).trace([[[1.0]]]); assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_in_a_notebook():
    X = np.ones((2, 4, 3))
    trace = pylstm.Sequence(3, (4, 2), bidirectional=True, random_state=0).trace(X)
    shown = trace._repr_html_()
    [text] = re.findall('<iframe srcdoc="([^"]*)" sandbox="allow-scripts" ', shown)
    page = html.unescape(text)
    assert page.startswith("<!doctype html>")
    assert "<title>The first of 2 sequences</title>" in page
    assert pylstm.Sequence(3, 200, random_state=0).trace(np.ones((1, 200, 3)))._repr_html_() is None  # 240,000 numbers
    relu = pylstm.Sequence(1, 1, cell="rnn", nonlinearity="relu", random_state=0)
    relu.parameters()["weight_ih_l0"][...] = np.inf
    assert relu.trace(np.ones((1, 1, 1)))._repr_html_() is None
