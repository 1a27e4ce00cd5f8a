"""The losses of the dense layer, and its gradients, against PyTorch in float64."""

import numpy as np
import pytest

from pylstm._net.core import LOSSES as ALL
from pylstm._net.core import Head

torch = pytest.importorskip("torch")

LOSSES = [loss for loss in ALL if loss != "caller"]
PARAMETERS = {"huber": 0.7, "quantile": 0.3}


def torch_losses(loss, outputs, targets):
    """Return the loss of each row, as PyTorch has it, or as its functions say it."""
    functional = torch.nn.functional
    match loss:
        case "cross_entropy":
            return functional.cross_entropy(outputs, targets, reduction="none")
        case "squared_error":
            return functional.mse_loss(outputs, targets, reduction="none").mean(1) / 2
        case "absolute_error":
            return functional.l1_loss(outputs, targets, reduction="none").mean(1)
        case "huber":
            return functional.huber_loss(outputs, targets, delta=PARAMETERS[loss], reduction="none").mean(1)
        case "quantile":
            missing = targets - outputs
            return torch.maximum(PARAMETERS[loss] * missing, (PARAMETERS[loss] - 1) * missing).mean(1)
        case "sigmoid":
            return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(1)


def draw(loss, n_rows, width, n_outputs, scale=1.0):
    rng = np.random.default_rng(n_rows * n_outputs)
    features = rng.standard_normal((n_rows, width)) * scale
    weight, bias = rng.standard_normal((n_outputs, width)) / np.sqrt(width), rng.standard_normal(n_outputs)
    targets = rng.standard_normal((n_rows, n_outputs)) * scale
    if loss == "cross_entropy":
        targets = rng.integers(0, n_outputs, n_rows)
    elif loss == "sigmoid":
        targets = (targets > 0).astype(float)
    return features, weight, bias, targets


def torch_gradient(loss, features, weight, bias, targets, weights):
    features, weight, bias = (torch.tensor(array, requires_grad=True) for array in (features, weight, bias))
    losses = torch_losses(loss, features @ weight.T + bias, torch.tensor(targets))
    value = (losses * torch.tensor(weights)).sum() / weights.sum()
    value.backward()
    return value.item(), *(array.grad.numpy() for array in (weight, bias, features))


def assert_close(got, expected):
    assert got[0] == pytest.approx(expected[0], rel=1e-12)
    for ours, theirs in zip(got[1:], expected[1:], strict=True):
        # Of sums that cancel, as p - 1 of a class that is nearly sure, only that much is known.
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13 * max(1, abs(theirs).max()))


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("n_rows", "width", "n_outputs"), [(1, 1, 2), (7, 5, 3), (101, 33, 65), (40, 300, 700)])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(loss, n_rows, width, n_outputs, n_threads):
    data = draw(loss, n_rows, width, n_outputs)
    weights = np.random.default_rng(0).uniform(0, 2, n_rows)
    head = Head(
        width, n_outputs, loss=loss, loss_parameter=PARAMETERS.get(loss, 0.0), dtype="float64", n_threads=n_threads
    )
    assert_close(head.gradient(*data, weights), torch_gradient(loss, *data, weights))
    assert_close(head.gradient(*data), torch_gradient(loss, *data, np.ones(n_rows)))


@pytest.mark.parametrize("scale", [1e-9, 1e3, 1e6])
@pytest.mark.parametrize("loss", LOSSES)
def test_extreme_outputs(loss, scale):
    """Probabilities that are no numbers, residuals next to none: the loss stays finite, and right."""
    data = draw(loss, 30, 8, 9, scale)
    head = Head(8, 9, loss=loss, loss_parameter=PARAMETERS.get(loss, 0.0), dtype="float64")
    got = head.gradient(*data)
    assert all(np.isfinite(array).all() for array in got)
    assert_close(got, torch_gradient(loss, *data, np.ones(30)))


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_nothing_is_wrong(loss):
    """A residual of zero has a slope of zero."""
    features, weight, bias, _ = draw(loss, 6, 4, 3)
    features[...] = 0
    head = Head(4, 3, loss=loss, loss_parameter=PARAMETERS.get(loss, 0.0), dtype="float64")
    value, *gradients = head.gradient(features, weight, bias, np.tile(bias, (6, 1)))
    assert value == 0
    assert not any(array.any() for array in gradients)


@pytest.mark.parametrize("n_outputs", [3, 200])
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "cross_entropy"])
def test_targets_that_are_nan_have_no_part(loss, n_outputs):
    features, weight, bias, targets = draw(loss, 40, 30, n_outputs)
    unknown = np.random.default_rng(0).random(targets.shape) < 0.3
    unknown[5] = True
    head = Head(30, n_outputs, loss=loss, loss_parameter=PARAMETERS.get(loss, 0.0), dtype="float64")
    got = head.gradient(features, weight, bias, np.where(unknown, np.nan, targets))
    features, weight, bias = (torch.tensor(array, requires_grad=True) for array in (features, weight, bias))
    outputs, targets, known = features @ weight.T + bias, torch.tensor(targets), torch.tensor(~unknown)
    each = torch_losses(loss, outputs[known][:, np.newaxis], targets[known][:, np.newaxis])
    value = each.sum() / unknown.size
    value.backward()
    assert_close(got, (value.item(), *(array.grad.numpy() for array in (weight, bias, features))))


@pytest.mark.parametrize("loss", LOSSES)
def test_float32(loss):
    data = draw(loss, 130, 40, 17)
    expected = torch_gradient(loss, *data, np.ones(130))
    head = Head(40, 17, loss=loss, loss_parameter=PARAMETERS.get(loss, 0.0))
    targets = data[3] if loss == "cross_entropy" else data[3].astype("float32")
    got = head.gradient(*(array.astype("float32") for array in data[:3]), targets)
    assert got[0] == pytest.approx(expected[0], rel=1e-5)
    for ours, theirs in zip(got[1:], expected[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * abs(theirs).max())


def test_refuses():
    features, weight, bias, labels = draw("cross_entropy", 5, 4, 3)
    head = Head(4, 3, dtype="float64")
    with pytest.raises(ValueError, match="label"):
        head.gradient(features, weight, bias, labels + 3)
    with pytest.raises(ValueError, match="float64 of shape"):
        head.gradient(features.astype("float32"), weight, bias, labels)
    with pytest.raises(ValueError, match="float64 of shape"):
        head.gradient(features, weight[:2], bias, labels)
