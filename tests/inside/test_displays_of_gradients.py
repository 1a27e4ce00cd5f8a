"""`GradientFlowDisplay` and `SaliencyDisplay`: gradients against central differences."""

import nets
import numpy as np
import pandas as pd
import pytest
import reference
from toys import as_it_comes, targets

from pylstm import (
    GradientFlowDisplay,
    LSTMClassifier,
    LSTMForecaster,
    LSTMRegressor,
    LSTMSequenceRegressor,
    LSTMTagger,
    SaliencyDisplay,
    Sequence,
)

# ---- GradientFlowDisplay


def last_output(seq, x, state):
    """The last output, of the reference, after going on from a state over x."""
    cell = "relu" if seq.nonlinearity == "relu" else seq.cell
    outputs, _ = reference.run(seq.parameters(), nets.n_layers(seq), False, [x], state, cell)
    return outputs[0][-1]


@pytest.mark.parametrize("cell", nets.CELLS)
@pytest.mark.parametrize("hidden_size", [4, (3, 2)])
def test_norms_against_central_differences(cell, hidden_size):
    seq, X, _, _ = nets.make(2, hidden_size, [3, 6], bidirectional=False, dtype="float64", cell=cell)
    norms = GradientFlowDisplay.from_sequences({"net": seq}, X, sequence=1).norms["net"]
    assert list(norms) == (["h", "c"] if cell == "lstm" else ["h"])
    x = X[1]
    assert norms["h"][-1] == pytest.approx(1)
    for t in range(len(x) - 1):
        _, state = seq.forward(x[np.newaxis, : t + 1])
        for index, letter in enumerate(norms):
            squares = 0.0
            for layer in state:
                by_state = reference.numeric_gradient_of_vector(
                    lambda state=state, t=t: last_output(seq, x[t + 1 :], state), layer[index]
                )
                squares += np.square(by_state).sum()
            expected = np.sqrt(squares / seq.hidden_sizes[-1])
            assert norms[letter][t] == pytest.approx(expected, rel=1e-6)


def test_norms_against_one_pass_back():
    seq = Sequence(2, (5, 4), dtype="float64", random_state=0)
    x = np.random.default_rng(0).normal(size=(1, 80, 2))
    norms = GradientFlowDisplay.from_sequences({"net": seq}, x).norms["net"]
    _, state = seq.forward(x[:, :1])
    dY = np.zeros((4, 79, 4))
    dY[:, -1] = np.eye(4)
    seq.forward(
        np.repeat(x[:, 1:], 4, axis=0),
        [tuple(np.repeat(values, 4, axis=1) for values in layer) for layer in state],
        training=True,
    )
    gradients = seq.backward(dY).state
    for index, letter in enumerate("hc"):
        expected = np.sqrt(sum(np.square(layer[index]).sum() for layer in gradients) / 4)
        assert norms[letter][0] == pytest.approx(expected, rel=1e-12)


def test_the_vanishing_gradient():
    """Beyond what float32 has, for float32 nets."""
    X = np.random.default_rng(0).normal(size=(1, 400, 2))
    made = {"RNN": Sequence(2, 16, cell="rnn", random_state=0)}
    made |= {f"LSTM {bias}": Sequence(2, 16, forget_bias=bias, random_state=0) for bias in (0, 1, 5)}
    display = GradientFlowDisplay.from_sequences(made, X)
    lstm = [display.norms[f"LSTM {bias}"]["c"][0] for bias in (0, 1, 5)]
    assert 0 < display.norms["RNN"]["h"][0] < 1e-45
    assert 0 < lstm[0] < 1e-45
    assert lstm[0] < lstm[1] < 1e-3 < lstm[2]
    assert display.ax_.get_yscale() == "log"
    assert set(display.lines_) == {("RNN", "h"), *((f"LSTM {bias}", letter) for bias in (0, 1, 5) for letter in "hc")}
    line = display.lines_["LSTM 5", "c"].get_ydata()
    np.testing.assert_array_equal(line[:-1], display.norms["LSTM 5"]["c"][:-1])
    assert np.isnan(line[-1])  # no logarithm of 0
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in display.lines_.values()}
    assert len(styles) == len(display.lines_)


def test_neither_dropout_nor_the_tape_are_touched():
    seq, X, _, rng = nets.make(2, 4, [5, 3], bidirectional=False, dtype="float64", dropout=0.5)
    plain, *_ = nets.make(2, 4, [5, 3], bidirectional=False, dtype="float64")
    Y, _ = seq.forward(X, training=True)
    dY = nets.random_like(Y, rng)
    before = seq.backward(dY).parameters
    both = GradientFlowDisplay.from_sequences({"dropout": seq, "plain": plain}, X).norms
    np.testing.assert_array_equal(both["dropout"]["h"], both["plain"]["h"])
    for name, values in seq.backward(dY).parameters.items():
        np.testing.assert_array_equal(values, before[name])


def test_the_layers_of_an_estimator():
    X = np.random.default_rng(0).normal(size=(20, 6, 2))
    tagger = LSTMTagger((4, 3), max_iter=1, cell="gru", random_state=0).fit(X, targets(LSTMTagger, X))
    seq = Sequence(2, (4, 3), cell="gru")
    for name, values in seq.parameters().items():
        values[...] = tagger._model.parameters()[name]
    display = GradientFlowDisplay.from_estimator(tagger, X, sequence=3)
    expected = GradientFlowDisplay.from_sequences({"net": seq}, X, sequence=3).norms["net"]
    np.testing.assert_array_equal(display.norms["LSTMTagger"]["h"], expected["h"])


def test_gradient_flow_errors():
    X = np.zeros((1, 3, 2))
    with pytest.raises(ValueError, match=r"nets\['both'\] must not be bidirectional"):
        GradientFlowDisplay.from_sequences({"both": Sequence(2, 3, bidirectional=True)}, X)
    with pytest.raises(TypeError, match="nets must be a dict of labels to nets"):
        GradientFlowDisplay.from_sequences([Sequence(2, 3)], X)
    with pytest.raises(TypeError, match="nets must be a dict of labels to nets, with at least one"):
        GradientFlowDisplay.from_sequences({}, X)
    with pytest.raises(TypeError, match=r"nets\['net'\] must be a pylstm.Sequence or a fitted pylstm estimator, got 3"):
        GradientFlowDisplay.from_sequences({"net": 3}, X)
    with pytest.raises(ValueError, match="not fitted"):
        GradientFlowDisplay.from_estimator(LSTMClassifier(), X)
    with pytest.raises(ValueError, match="X must have 2 features per step, got 1"):
        GradientFlowDisplay.from_sequences({"net": Sequence(2, 3)}, X[:, :, :1])
    with pytest.raises(ValueError, match=r"norms must hold arrays of one length, got lengths \[2, 3\]"):
        GradientFlowDisplay({"a": {"h": np.ones(2)}, "b": {"h": np.ones(3)}})


# ---- SaliencyDisplay


def check(estimator, X, output, **given):
    """Compare with central differences of ``output(x)``, a number, by the third sequence."""
    display = SaliencyDisplay.from_estimator(estimator, X, sequence=2, **given)
    x = np.array(X[2], np.float64)
    expected = reference.numeric_gradient(lambda: output(x), {"x": x})["x"].reshape(display.gradients.shape)
    np.testing.assert_allclose(display.gradients, expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(display.saliency, np.linalg.norm(expected, axis=1), rtol=1e-5, atol=1e-8)
    return display


def log_odds(p):
    return np.log(p / (1 - p))


def three_classes(X):
    return np.array(["down", "level", "up"])[[int(np.digitize(x.sum(), [-1, 1])) for x in X]]


OPTIONS = {"max_iter": 3, "dtype": "float64", "random_state": 0}


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_log_odds_of_a_class(pooling, bidirectional):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 2)) for length in rng.integers(3, 7, 30)]
    clf = LSTMClassifier((4, 3), pooling=pooling, bidirectional=bidirectional, dropout=0.5, **OPTIONS)
    clf.fit(X, three_classes(X))
    for k, name in enumerate(clf.classes_):
        display = check(clf, X, lambda x, k=k: log_odds(clf.predict_proba([x])[0, k]), target=name)
        assert display.output == f"log-odds of class {str(name)!r}"
    assert (
        SaliencyDisplay.from_estimator(clf, X, sequence=2).output == f"log-odds of class {clf.predict(X)[2].item()!r}"
    )


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_values_of_targets(cell):
    X = np.random.default_rng(0).normal(size=(20, 5, 2))
    y = X.sum(axis=1)
    reg = LSTMRegressor((4,), cell=cell, **OPTIONS).fit(X, y)
    check(reg, X, lambda x: reg.predict(x[np.newaxis])[0, 1], target=1)
    with pytest.raises(ValueError, match="target must say which of 2 targets is meant, counted from 0, got None"):
        SaliencyDisplay.from_estimator(reg, X)
    with pytest.raises(ValueError, match="target must be one of 2 targets, counted from 0, got 2"):
        SaliencyDisplay.from_estimator(reg, X, target=2)


def test_one_feature_per_step():
    X = np.random.default_rng(0).normal(size=(20, 5))
    reg = LSTMRegressor((4,), **OPTIONS).fit(X, X.sum(axis=1))
    assert check(reg, X, lambda x: reg.predict(x[np.newaxis])[0]).output == "prediction"


def test_outputs_per_step():
    X = np.random.default_rng(0).normal(size=(20, 5, 2))
    tagger = LSTMTagger((4,), bidirectional=True, **OPTIONS).fit(X, targets(LSTMTagger, X))
    display = check(tagger, X, lambda x: log_odds(tagger.predict_proba(x[np.newaxis])[0, 1, 0]), target="down", step=1)
    assert display.output == "log-odds of class 'down' at step 1"
    reg = LSTMSequenceRegressor((4,), **OPTIONS).fit(X, targets(LSTMSequenceRegressor, X))
    check(reg, X, lambda x: reg.predict(x[np.newaxis])[0, -1])
    display = check(reg, X, lambda x: reg.predict(x[np.newaxis])[0, 2], step=2)
    assert not display.saliency[3:].any()  # it does not see ahead
    with pytest.raises(ValueError, match="step must be one of the 5 of the sequence, counted from 0, got 5"):
        SaliencyDisplay.from_estimator(reg, X, step=5)


def adder(n_steps):
    """A regressor whose one unit adds up the values whose marker is 1, by weights set by hand; sequences for it."""
    rng = np.random.default_rng(0)
    X = np.zeros((10, n_steps, 2))
    X[:, :, 0] = rng.uniform(-1, 1, (10, n_steps))
    for x in X:
        x[rng.choice(n_steps, 2, replace=False), 1] = 1
    options = {**as_it_comes(LSTMRegressor), "max_iter": 1, "dtype": "float64", "random_state": 0}
    reg = LSTMRegressor((1,), **options).fit(X, (X[:, :, 0] * X[:, :, 1]).sum(axis=1))
    weights = reg._model.parameters()
    small = 0.01  # where tanh is straight
    weights["weight_ih_l0"][...] = [[0, 40], [0, 0], [small, 0], [0, 0]]  # the marker opens the input gate
    weights["weight_hh_l0"][...] = 0
    weights["bias_l0"][...] = [-20, 20, 0, 20]  # closed, keeps, -, shows
    weights["weight_out"][...] = 1 / small
    weights["bias_out"][...] = 0
    return reg, X


def test_on_the_adding_problem_the_two_marked_steps_light_up():
    reg, X = adder(n_steps=50)
    np.testing.assert_allclose(reg.predict(X), (X[:, :, 0] * X[:, :, 1]).sum(axis=1), atol=1e-3)
    for k, x in enumerate(X):
        saliency = SaliencyDisplay.from_estimator(reg, X, sequence=k).saliency
        marked = x[:, 1] == 1
        np.testing.assert_allclose(saliency[marked], 1, rtol=1e-3)
        assert (saliency[~marked] < 1e-6).all()


def test_the_adding_problem_learnt():
    """Of the values; an unmarked step's marker matters too: it would add the value, were it set."""
    rng = np.random.default_rng(0)
    X = np.zeros((2000, 20, 2))
    X[:, :, 0] = rng.uniform(-1, 1, (2000, 20))
    for half in (0, 10):
        X[np.arange(2000), rng.integers(half, half + 10, 2000), 1] = 1
    y = (X[:, :, 0] * X[:, :, 1]).sum(axis=1)
    reg = LSTMRegressor((16,), forget_bias="chrono", learning_rate="cosine", random_state=0).fit(X, y)
    for k in range(5):
        saliency = SaliencyDisplay.from_estimator(reg, X, sequence=k, features=[0]).saliency
        marked = X[k, :, 1] == 1
        np.testing.assert_allclose(saliency[marked], 1, atol=0.1)
        assert (saliency[~marked] < 0.05).all()


def test_chosen_features():
    X = [pd.DataFrame({"a": [0.0, 1], "b": [1.0, 0], "c": [0.0, 0]}) for _ in range(4)]
    reg = LSTMRegressor((2,), max_iter=1, random_state=0).fit(X, [0, 1, 0, 1])
    every, some = (SaliencyDisplay.from_estimator(reg, X, features=chosen) for chosen in (None, [2, 0]))
    np.testing.assert_array_equal(some.gradients, every.gradients[:, [2, 0]])
    assert list(every.feature_names) == ["a", "b", "c"]
    assert list(some.feature_names) == ["c", "a"]
    assert some.ax_.get_title() == "What moves the prediction, by features c, a"
    with pytest.raises(ValueError, match=r"features must be numbers out of 3, counted from 0, at least one, got \[3\]"):
        SaliencyDisplay.from_estimator(reg, X, features=[3])


def test_what_is_drawn():
    reg, X = adder(n_steps=12)
    display = SaliencyDisplay.from_estimator(reg, X)
    assert [bar.get_height() for bar in display.ax_.patches] == display.saliency.tolist()
    assert display.ax_.get_title() == "What moves the prediction"
    display.plot(per_feature=True)
    (image,) = display.ax_.images
    np.testing.assert_array_equal(image.get_array(), display.gradients.T)
    low, high = image.get_clim()
    assert low == -high == -np.abs(display.gradients).max()
    named = SaliencyDisplay(display.gradients, output="sum", feature_names=["value", "marker"]).plot(per_feature=True)
    assert [label.get_text() for label in named.ax_.get_yticklabels()] == ["value", "marker"]


def test_saliency_errors():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(4, 2)) for _ in range(20)]
    clf = LSTMClassifier((2,), max_iter=1, random_state=0).fit(X, three_classes(X))
    with pytest.raises(ValueError, match=r"target must be one of classes_ \['down', 'level', 'up'\], got 'left'"):
        SaliencyDisplay.from_estimator(clf, X, target="left")
    with pytest.raises(ValueError, match="step must be None for LSTMClassifier, which has one output, got 1"):
        SaliencyDisplay.from_estimator(clf, X, step=1)
    with pytest.raises(ValueError, match="feature_names must have one name for each of 2 features, got 1"):
        SaliencyDisplay(np.zeros((3, 2)), output="", feature_names=["x"])
    forecaster = LSTMForecaster((2,), max_iter=1, cv=None).fit(np.arange(30.0))
    with pytest.raises(TypeError, match=r"estimator must be one of LSTMClassifier, .* got LSTMForecaster"):
        SaliencyDisplay.from_estimator(forecaster, X)
    with pytest.raises(ValueError, match="not fitted"):
        SaliencyDisplay.from_estimator(LSTMRegressor(), X)
    one = LSTMClassifier((2,), max_iter=1, random_state=0).fit(X, np.zeros(20))
    with pytest.raises(ValueError, match=r"estimator must know more than one class, got \[0.0\] alone"):
        SaliencyDisplay.from_estimator(one, X)
