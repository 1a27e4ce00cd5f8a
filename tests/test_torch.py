"""The same weights in PyTorch give the same values and gradients."""

import numpy as np
import pytest
from nets import SHAPE_IDS, SHAPES, make, n_layers, random_like, random_state, relative_error

torch = pytest.importorskip("torch")

OUTPUT_BOUND = {"float32": 2e-6, "float64": 1e-13}
GRADIENT_BOUND = {"float32": 1e-5, "float64": 1e-11}


def torch_layers(seq):
    """One nn.LSTM per layer, as its layers share one hidden size; the second bias is 0."""
    layers = []
    parameters = seq.parameters()
    sizes = seq.hidden_size if isinstance(seq.hidden_size, tuple) else (seq.hidden_size,)
    width = seq.input_size
    for index, size in enumerate(sizes):
        layer = torch.nn.LSTM(width, size, bidirectional=seq.bidirectional, batch_first=True).to(
            getattr(torch, seq.dtype.name)
        )
        with torch.no_grad():
            for suffix in ["", "_reverse"] if seq.bidirectional else [""]:
                for name in ("weight_ih", "weight_hh"):
                    getattr(layer, f"{name}_l0{suffix}").copy_(torch.from_numpy(parameters[f"{name}_l{index}{suffix}"]))
                getattr(layer, f"bias_ih_l0{suffix}").copy_(torch.from_numpy(parameters[f"bias_l{index}{suffix}"]))
                getattr(layer, f"bias_hh_l0{suffix}").zero_()
        layers.append(layer)
        width = size * (2 if seq.bidirectional else 1)
    return layers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_IDS)
def test_values_and_gradients(shape, bidirectional, dtype):
    seq, X, state, rng = make(*shape, bidirectional=bidirectional, dtype=dtype, seed=3)
    Y, final = seq.forward(X, state, training=True)
    dY, dstate = random_like(Y, rng), random_state(seq, len(X), rng)
    gradients = seq.backward(dY, dstate)

    inputs = [torch.from_numpy(x).requires_grad_() for x in X]
    states = [tuple(torch.from_numpy(values).requires_grad_() for values in pair) for pair in state]
    layers = torch_layers(seq)
    packed = torch.nn.utils.rnn.pack_sequence(inputs, enforce_sorted=False)
    finals = []
    for layer, pair in zip(layers, states, strict=True):
        packed, pair_out = layer(packed, pair)
        finals.append(pair_out)
    outputs = torch.nn.utils.rnn.unpack_sequence(packed)

    for y, expected in zip(Y, outputs, strict=True):
        np.testing.assert_allclose(y, expected.detach().numpy(), atol=OUTPUT_BOUND[dtype], rtol=0)
    for pair, expected_pair in zip(final, finals, strict=True):
        for values, expected in zip(pair, expected_pair, strict=True):
            # Cell states are not bounded by 1: relative to the largest, where that is larger.
            scale = max(1.0, float(expected.detach().abs().max()))
            np.testing.assert_allclose(values, expected.detach().numpy(), atol=OUTPUT_BOUND[dtype] * scale, rtol=0)

    loss = sum((y * torch.from_numpy(dy)).sum() for y, dy in zip(outputs, dY, strict=True))
    for pair, dpair in zip(finals, dstate, strict=True):
        loss = loss + sum((values * torch.from_numpy(d)).sum() for values, d in zip(pair, dpair, strict=True))
    loss.backward()

    bound = GRADIENT_BOUND[dtype]
    for index, layer in enumerate(layers):
        for suffix in ["", "_reverse"] if bidirectional else [""]:
            for ours, theirs in [("weight_ih", "weight_ih"), ("weight_hh", "weight_hh"), ("bias", "bias_ih")]:
                got = gradients.parameters[f"{ours}_l{index}{suffix}"]
                expected = getattr(layer, f"{theirs}_l0{suffix}").grad.numpy()
                assert relative_error(got, expected) <= bound, f"{ours} of layer {index}{suffix}"
    for got, x in zip(gradients.input, inputs, strict=True):
        assert relative_error(got, x.grad.numpy()) <= bound
    assert len(gradients.state) == n_layers(seq)
    for pair, expected_pair in zip(gradients.state, states, strict=True):
        for got, expected in zip(pair, expected_pair, strict=True):
            assert relative_error(got, expected.grad.numpy()) <= bound


@pytest.mark.parametrize("seed", range(25))
def test_random_sizes(seed):
    rng = np.random.default_rng(seed)
    sizes = [1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 31, 33, 64, 65]
    input_size, hidden_size = (int(size) for size in rng.choice(sizes, 2))
    lengths = rng.choice([1, 2, 3, 5, 11, 19], rng.integers(1, 12)).tolist()
    test_values_and_gradients((input_size, hidden_size, lengths), bool(seed % 2), ["float32", "float64"][seed % 3 == 0])
