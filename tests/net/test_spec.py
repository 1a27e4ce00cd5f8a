"""What a model is: `ModelSpec`, its parameters, and `describe`."""

import copy
import pickle

import numpy as np
import pytest
from nets import CELLS
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import CLASSIFIERS, ESTIMATORS, as_it_comes, toy

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster
from pylstm._net.core import LOSSES, Model, ModelSpec
from pylstm._net.describe import describe
from pylstm.preprocessing import PerStep

HEAD = {"loss": "cross_entropy", "n_outputs": 3, "pooling": "last"}


def test_parameters_by_hand():
    spec = ModelSpec(3, (2, 5), bidirectional=True, **HEAD)
    assert [tuple(parameter) for parameter in spec.parameters[:4]] == [
        ("weight_ih_l0", (8, 3), 0, "decayed"),
        ("weight_hh_l0", (8, 2), 24, "decayed"),
        ("bias_l0", (8,), 40, "plain"),
        ("weight_ih_l0_reverse", (8, 3), 48, "decayed"),
    ]
    assert [tuple(parameter) for parameter in spec.parameters[-3:]] == [
        ("bias_l1_reverse", (20,), 476, "plain"),
        ("weight_out", (3, 10), 496, "decayed"),
        ("bias_out", (3,), 526, "plain"),
    ]
    assert spec.n_parameters == 529
    assert spec.places[-1] == (1, 1, "_l1_reverse")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("head", [{}, HEAD])
def test_parameters_lie_side_by_side(cell, bidirectional, head):
    spec = ModelSpec(3, (4, *[1] * 10, 2), bidirectional=bidirectional, **CELLS[cell], **head)
    end = 0
    for name, shape, offset, kind in spec.parameters:
        assert offset == end
        assert (kind == "plain") == name.startswith("bias") == (len(shape) == 1)
        end += int(np.prod(shape))
    assert end == spec.n_parameters
    names = [parameter.name for parameter in spec.parameters]
    assert len(set(names)) == len(names)
    assert ("weight_hh_l11_reverse" in names) == bidirectional
    assert ("bias_out" in names) == bool(head)


def test_models_have_the_parameters_of_their_spec():
    for net in (pylstm.Sequence(3, (2, 5), cell="gru"), Model(ModelSpec(3, (2, 5), **HEAD))):
        flat = net.copy_weights()
        for (name, values), parameter in zip(net.parameters().items(), net.spec.parameters, strict=True):
            assert (name, values.shape) == (parameter.name, parameter.shape)
            np.testing.assert_array_equal(values.ravel(), flat[parameter.offset :][: values.size])


def test_equal_hashed_printed_and_pickled():
    spec = ModelSpec(3, [2, 5], dtype=np.float64, cell="rnn", nonlinearity="relu", **HEAD)
    for same in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec)), spec.replace(), eval(repr(spec))):
        assert same == spec
        assert hash(same) == hash(spec)
    assert repr(ModelSpec(1, (2,))) == "ModelSpec(1, (2,))"
    for other in (spec.replace(dropout=0.5), spec.replace(pooling=None), spec.replace(hidden_sizes=(2,)), None):
        assert other != spec
    assert ModelSpec(1, (2,), nonlinearity="relu") == ModelSpec(1, (2,))  # which only the plain RNN reads


def test_what_is_left_in_use():
    """What training needs goes, and "last", of which each step is one; a mean or maximum is of the steps so far."""
    spec = ModelSpec(
        3, (2,), dropout=0.5, forget_bias=2.0, loss="huber", loss_parameter=0.3, n_outputs=1, pooling="last"
    )
    plain = ModelSpec(3, (2,), loss="squared_error", n_outputs=1)
    for pooling, left in (("last", None), (None, None), ("mean", "mean"), ("max", "max")):
        assert spec.replace(pooling=pooling).in_use() == plain.replace(pooling=left)


def test_nothing_can_be_set():
    spec = ModelSpec(1, (2,))
    for name in (*spec.arguments(), "parameters", "more"):
        with pytest.raises(AttributeError):
            setattr(spec, name, 1)
    with pytest.raises(TypeError, match="a ModelSpec can't be changed"):
        spec.__init__(3, (4,))
    assert spec == ModelSpec(1, (2,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"loss": "hinge", "n_outputs": 1}, "loss must be one of 'cross_entropy', 'squared_error'.*, got 'hinge'"),
     ({**HEAD, "n_outputs": 0}, "n_outputs must be an integer >= 1, got 0"),
     ({**HEAD, "pooling": "first"}, "pooling must be 'last', 'mean', 'max' or None, got 'first'"),
     ({"n_outputs": 1}, "n_outputs, pooling .* go with a loss"), ({"pooling": "last"}, "n_outputs, pooling .* go with"),
     ({**HEAD, "loss": "huber"}, "loss_parameter must be positive with loss 'huber' or 'quantile', else 0, got 0.0"),
     ({**HEAD, "loss_parameter": 0.5}, "loss_parameter must be positive .* else 0, got 0.5 with .cross_entropy."),
     ({**HEAD, "loss": "quantile", "loss_parameter": 1}, "loss_parameter must be a number in"),
     ({"dropout": 1}, "dropout must be"), ({"cell": "lstn"}, "cell must be"), ({"t_max": 3}, "t_max is used with"),
     ({"hidden_sizes": ()}, "hidden_size must name at least one layer"), ({"dtype": "int8"}, "dtype must be")],
)  # fmt: skip
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        ModelSpec(**{"input_size": 1, "hidden_sizes": (2,), **arguments})


def test_every_loss_makes_a_model():
    for loss in LOSSES:
        parameter = 0.5 if loss in ("huber", "quantile") else 0.0
        assert Model(ModelSpec(1, (2,), loss=loss, n_outputs=2, loss_parameter=parameter)).spec.loss == loss
    with pytest.raises(ValueError, match="spec must have a loss"):
        Model(ModelSpec(1, (2,)))


# ---- describe


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_describe_an_estimator(cls):
    estimator = cls((3,), max_iter=1, random_state=0).fit(*toy(cls))
    described = describe(estimator)
    assert described.spec is described.net.spec
    assert described.spec.n_outputs == (len(estimator.classes_) if hasattr(estimator, "classes_") else 1)
    assert described.estimator is estimator
    assert described.labels is getattr(estimator, "classes_", None)
    assert described.forecasts is None
    assert len(described.inputs.mean) == 2
    assert (described.targets is None) == (cls in CLASSIFIERS)
    plain = describe(clone(estimator).set_params(**as_it_comes(cls)).fit(*toy(cls)))
    assert plain.inputs is plain.targets is None


def test_describe_forecasters():
    """What is done around the net, and what it goes on from."""
    y = np.arange(40.0)
    direct = LSTMForecaster((2,), horizon=4, max_iter=1, cv=None).fit([y, y[:30]])
    forecasts = describe(direct).forecasts
    assert (forecasts.horizon, forecasts.window, forecasts.lags, forecasts.seasons) == (4, 6, (0, 1), ())
    assert forecasts.scales.shape == (2, 2, 1)
    assert [tail[-1, 0] for tail in forecasts.tails] == [39, 29]
    recursive = LSTMForecaster((2,), horizon=None, differences=(3, 1), max_iter=1, cv=None).fit(y)
    forecasts = describe(recursive.stream()).forecasts
    assert (forecasts.transform, forecasts.lags) == (recursive.transform_, (3, 1))
    assert [[tail.shape for tail in of_one] for of_one in forecasts.tails] == [[(3, 1), (1, 1)]]
    assert [[state.shape for state in layer] for layer in forecasts.state] == [[(1, 1, 2)] * 2]


def test_describe_others():
    seq = pylstm.Sequence(2, 3)
    assert describe(seq)[:3] == (seq.spec, seq, None)
    X = 5 + 3 * np.random.default_rng(0).standard_normal((12, 4, 2))
    plain = LSTMClassifier((3,), max_iter=1, standardize=False)
    pipeline = make_pipeline(PerStep(StandardScaler(with_std=False)), plain)
    described = describe(pipeline.fit(X, np.arange(12) % 2))
    assert described.estimator is pipeline[1]
    np.testing.assert_allclose(described.inputs.mean, X.mean(axis=(0, 1)))
    np.testing.assert_array_equal(described.inputs.scale, 1)
    for other in (3, pylstm.Cell(1, 1), make_pipeline(StandardScaler(), LSTMClassifier())):
        with pytest.raises(TypeError, match="model must be one of pylstm's"):
            describe(other)
