"""The estimators with each cell: fit, predict, score, clone, going on, files; `cell` where it may not change."""

import copy
import pickle

import numpy as np
import pytest
from nets import CELLS
from safetensors import safe_open
from saved_files import rewrite
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from toys import ESTIMATORS, outputs, toy, weights

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster

OTHERS = ["gru", "rnn", "relu"]
every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)
every_other_cell = pytest.mark.parametrize("which", OTHERS)


def small(cls, which, **options):
    given = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0, **CELLS[which], **options}
    return cls(**given)


def forecaster(which, **options):
    given = {"hidden_layer_sizes": (6, 3), "max_iter": 3, "cv": 2, "n_paths": 9, "random_state": 0, **options}
    given = {"horizon": None, "differences": (), "transform": None, **given}
    return LSTMForecaster(**given, **CELLS[which])


def wave(n_steps=60):
    return 10 + np.sin(np.arange(n_steps) * 2 * np.pi / 8) + 0.1 * np.random.default_rng(0).standard_normal(n_steps)


# ---- what is learnt


@every_estimator
@pytest.mark.parametrize("which", CELLS)
def test_learns(cls, which):
    X, y = toy(cls, 120)
    held_out = toy(cls, seed=1)
    estimator = small(cls, which, hidden_layer_sizes=(16,), learning_rate_init=0.01, max_iter=60).fit(X, y)
    assert estimator.score(*held_out) > 0.75
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0] / 2


@pytest.mark.parametrize("which", CELLS)
def test_forecaster(which):
    y = wave(120)
    fitted = forecaster(which, differences=8, hidden_layer_sizes=8, max_iter=20).fit(y[:-12])
    forecast, (low, high) = fitted.predict(12, quantiles=[0.05, 0.95])
    assert np.abs(forecast - y[-12:]).mean() < 0.25
    assert (low <= forecast).all()
    assert (forecast <= high).all()
    assert np.isfinite(fitted.update(y[-12:]).predict(3)).all()


@every_estimator
def test_the_cell_is_what_the_model_has(cls):
    X, y = toy(cls)
    shapes = {"lstm": ((24, 2), (24,)), "gru": ((18, 2), (24,)), "rnn": ((6, 2), (6,)), "relu": ((6, 2), (6,))}
    found = {}
    for which, (of_weights, of_bias) in shapes.items():
        estimator = small(cls, which).fit(X, y)
        of_layer = weights(estimator)
        assert of_layer["weight_ih_l0"].shape == of_weights
        assert of_layer["bias_l0"].shape == of_bias
        found[which] = outputs(estimator, X)
        np.testing.assert_array_equal(outputs(small(cls, which).fit(X, y), X), found[which])
    assert len({values.tobytes() for values in found.values()}) == 4


# ---- as hyperparameters


@pytest.mark.parametrize("cls", [*ESTIMATORS, LSTMForecaster])
@every_other_cell
def test_parameters_and_clone(cls, which):
    estimator = cls(**CELLS[which])
    assert {name: estimator.get_params()[name] for name in CELLS[which]} == CELLS[which]
    assert clone(estimator).get_params() == estimator.get_params()
    assert repr(estimator) == f"{cls.__name__}({', '.join(f'{k}={v!r}' for k, v in CELLS[which].items())})"
    assert cls().cell == "lstm"
    assert cls().nonlinearity == "tanh"


@pytest.mark.parametrize("cls", [*ESTIMATORS, LSTMForecaster])
@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"cell": "GRU"}, "'cell' parameter of .* must be a str among .*'gru'.* Got 'GRU'"),
     ({"cell": None}, "'cell' parameter of .* Got None"),
     ({"nonlinearity": "sigmoid"}, "'nonlinearity' parameter of .* must be a str among .*'relu'.* Got 'sigmoid'"),
     ({"cell": "rnn", "forget_bias": "chrono"}, "forget_bias='chrono' is for cell='lstm', .* got cell='rnn'")],
    ids=str,
)  # fmt: skip
def test_bad_parameters(cls, parameters, message):
    data = (wave(),) if cls is LSTMForecaster else toy(cls)
    with pytest.raises(ValueError, match=message):
        cls(**parameters, max_iter=1).fit(*data)


def test_search_over_cells():
    X, y = toy(LSTMClassifier)
    search = GridSearchCV(small(LSTMClassifier, "lstm"), {"cell": ["lstm", "gru", "rnn"]}, cv=2).fit(X, y)
    assert search.best_estimator_._model.cell == search.best_params_["cell"]


# ---- going on


@every_estimator
@every_other_cell
def test_copies_go_on_alike(cls, which):
    X, y = toy(cls)
    estimator = small(cls, which, dropout=0.2).fit(X, y)
    copies = [copy.deepcopy(estimator), pickle.loads(pickle.dumps(estimator))]
    estimator.partial_fit(X, y)
    for each in copies:
        np.testing.assert_array_equal(outputs(each.partial_fit(X, y), X), outputs(estimator, X))


@every_estimator
def test_warm_start_keeps_the_cell(cls):
    X, y = toy(cls)
    for which in CELLS:
        estimator = small(cls, which, warm_start=True).fit(X, y)
        before = weights(estimator)
        for another in set(CELLS) - {which}:
            estimator.set_params(nonlinearity="tanh").set_params(**CELLS[another])
            with pytest.raises(ValueError, match="cell and nonlinearity must stay what they were in the last fit with"):
                estimator.fit(X, y)
            for name, values in weights(estimator).items():
                np.testing.assert_array_equal(values, before[name])
        estimator.set_params(nonlinearity="tanh").set_params(**CELLS[which]).fit(X, y)
        assert estimator.n_iter_ == 6


@every_estimator
def test_partial_fit_goes_on_with_the_cell_that_was_fitted(cls):
    """As it does with the sizes."""
    X, y = toy(cls)
    estimator = small(cls, "gru").fit(X, y)
    other = copy.deepcopy(estimator).set_params(cell="rnn", hidden_layer_sizes=(3,)).partial_fit(X, y)
    np.testing.assert_array_equal(outputs(other, X), outputs(estimator.partial_fit(X, y), X))
    assert other.fit(X, y)._model.cell == "rnn"


# ---- files


@every_estimator
@every_other_cell
def test_saved_goes_on_bit_for_bit(cls, which, tmp_path):
    X, y = toy(cls)
    model = small(cls, which, hidden_layer_sizes=(5, 3), bidirectional=True, dropout=0.3).fit(X, y)
    model.save(tmp_path / "model")
    loaded = pylstm.load(tmp_path / "model")
    assert loaded.get_params() == model.get_params()
    assert loaded._model.spec == model._model.spec
    for _ in range(2):
        np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X), strict=True)
        loaded.partial_fit(X, y)
        model.partial_fit(X, y)


@every_other_cell
def test_saved_forecaster_goes_on_bit_for_bit(which, tmp_path):
    y = wave()
    model = forecaster(which, differences=8, warm_start=True).fit(y)
    model.save(tmp_path / "model")
    with safe_open(tmp_path / "model", framework="numpy") as file:
        assert {"h_l0", "h_l1"} <= set(file.keys())
        assert not {"c_l0", "c_l1"} & set(file.keys())
    loaded = pylstm.load(tmp_path / "model")
    for _ in range(2):
        for mine, its in zip(loaded._state, model._state, strict=True):
            assert len(mine) == len(its) == 1
            np.testing.assert_array_equal(mine[0], its[0], strict=True)
        got, expected = (each.predict(5, return_std=True) for each in (loaded, model))
        np.testing.assert_array_equal(got, expected)
        loaded.update(y[:4])
        model.update(y[:4])
    np.testing.assert_array_equal(loaded.fit(y).predict(4), model.fit(y).predict(4))


def test_the_cell_of_the_fit_is_saved(tmp_path):
    X, y = toy(LSTMClassifier)
    model = small(LSTMClassifier, "relu").fit(X, y).set_params(cell="gru", nonlinearity="tanh")
    model.save(tmp_path / "model")
    loaded = pylstm.load(tmp_path / "model")
    assert loaded.cell == "gru"
    assert (loaded._model.cell, loaded._model.nonlinearity) == ("rnn", "relu")
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X))


@pytest.mark.parametrize(
    ("state", "message"),
    [({"cell": "sru"}, "cell must be one of 'lstm', 'gru', 'rnn', got 'sru'"),
     ({"cell": None}, "cell must be one of 'lstm', 'gru', 'rnn', got None"),
     ({"cell": ["gru"]}, r"cell must be one of .* got \['gru'\]"),
     ({"cell": ...}, "cell must be one of .*, but is missing"),
     ({"cell": "lstm"}, r"weight_ih_l0 must be an array \(24, 2\) of float32, got \(18, 2\)"),
     ({"cell": "rnn"}, r"weight_ih_l0 must be an array \(6, 2\) of float32, got \(18, 2\)"),
     ({"nonlinearity": "gelu"}, "nonlinearity must be one of 'tanh', 'relu', got 'gelu'"),
     ({"forget_bias": "chrono", "t_max": 5}, "forget_bias='chrono' is for cell='lstm'")],
    ids=str,
)  # fmt: skip
def test_hostile_files(state, message, tmp_path):
    path = tmp_path / "hostile"
    small(LSTMClassifier, "gru").fit(*toy(LSTMClassifier)).save(path)

    def edit(document, arrays):
        for name, value in state.items():
            document["state"][name] = value
            if value is ...:
                del document["state"][name]

    rewrite(path, edit)
    with pytest.raises(ValueError, match=f"hostile' must be a file that pylstm.save wrote: .*{message}"):
        pylstm.load(path)


def test_hostile_forecasters(tmp_path):
    path = tmp_path / "hostile"
    y = wave()
    forecaster("gru").fit(y).save(path)
    rewrite(path, lambda _, arrays: arrays.update(c_l0=np.zeros((1, 1, 6), np.float32)))
    with pytest.raises(ValueError, match=r"there must be no more arrays, got .'c_l0'"):
        pylstm.load(path)
    forecaster("lstm").fit(y).save(path)
    rewrite(path, lambda _, arrays: arrays.pop("c_l1"))
    with pytest.raises(ValueError, match=r"c_l1 must be an array \(1, 1, 3\) of float32, but is missing"):
        pylstm.load(path)
