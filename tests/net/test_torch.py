"""The same weights in PyTorch give the same values and gradients."""

import numpy as np
import pytest
from nets import CELLS, SHAPE_IDS, SHAPES, make, n_layers, random_like, random_state, relative_error

import pylstm

torch = pytest.importorskip("torch")

OUTPUT_BOUND = {"float32": 2e-6, "float64": 1e-13}
GRADIENT_BOUND = {"float32": 1e-5, "float64": 1e-11}


def torch_biases(bias, cell):
    """PyTorch's two: the second is 0 but for the part that a GRU's reset gate multiplies."""
    bias = torch.from_numpy(bias)
    if cell != "gru":
        return bias, torch.zeros_like(bias)
    third = len(bias) // 4
    return bias[: 3 * third], torch.cat([torch.zeros(2 * third), bias[3 * third :]])


@pytest.mark.parametrize("which", CELLS)
def test_weights_of_torch(which):
    """As the README takes them over."""
    options = {"nonlinearity": "relu"} if which == "relu" else {}
    module = getattr(torch.nn, "RNN" if which == "relu" else which.upper())(3, 5, batch_first=True, **options)
    W, R, b_ih, b_hh = (values.detach() for values in module.parameters())
    H = 5
    bias = torch.cat([b_ih[: 2 * H] + b_hh[: 2 * H], b_ih[2 * H :], b_hh[2 * H :]]) if which == "gru" else b_ih + b_hh
    seq = pylstm.Sequence(3, H, **CELLS[which])
    for mine, its in zip(seq.parameters().values(), (W, R, bias), strict=True):
        mine[...] = its.numpy()
    X = np.random.default_rng(0).normal(size=(4, 9, 3)).astype(np.float32)
    expected = module(torch.from_numpy(X))[0].detach().numpy()
    assert relative_error(seq.forward(X)[0], expected) <= OUTPUT_BOUND["float32"]


def torch_layers(seq):
    """One nn.LSTM, GRU or RNN per layer, as its layers share one hidden size."""
    layers = []
    parameters = seq.parameters()
    sizes = seq.hidden_size if isinstance(seq.hidden_size, tuple) else (seq.hidden_size,)
    width = seq.input_size
    for index, size in enumerate(sizes):
        options = {"nonlinearity": seq.nonlinearity} if seq.cell == "rnn" else {}
        kind = getattr(torch.nn, seq.cell.upper())
        layer = kind(width, size, bidirectional=seq.bidirectional, batch_first=True, **options)
        layer = layer.to(getattr(torch, seq.dtype.name))
        with torch.no_grad():
            for suffix in ["", "_reverse"] if seq.bidirectional else [""]:
                for name in ("weight_ih", "weight_hh"):
                    getattr(layer, f"{name}_l0{suffix}").copy_(torch.from_numpy(parameters[f"{name}_l{index}{suffix}"]))
                biases = torch_biases(parameters[f"bias_l{index}{suffix}"], seq.cell)
                for name, bias in zip(("ih", "hh"), biases, strict=True):
                    getattr(layer, f"bias_{name}_l0{suffix}").copy_(bias)
        layers.append(layer)
        width = size * (2 if seq.bidirectional else 1)
    return layers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=SHAPE_IDS)
@pytest.mark.parametrize("cell", CELLS)
def test_values_and_gradients(cell, shape, bidirectional, dtype):
    seq, X, state, rng = make(*shape, bidirectional=bidirectional, dtype=dtype, seed=3, cell=cell)
    Y, final = seq.forward(X, state, training=True)
    dY, dstate = random_like(Y, rng), random_state(seq, len(X), rng)
    gradients = seq.backward(dY, dstate)

    inputs = [torch.from_numpy(x).requires_grad_() for x in X]
    states = [tuple(torch.from_numpy(values).requires_grad_() for values in pair) for pair in state]
    layers = torch_layers(seq)
    packed = torch.nn.utils.rnn.pack_sequence(inputs, enforce_sorted=False)
    finals = []
    for layer, pair in zip(layers, states, strict=True):
        packed, pair_out = layer(packed, pair if cell == "lstm" else pair[0])
        finals.append(pair_out if cell == "lstm" else (pair_out,))
    outputs = torch.nn.utils.rnn.unpack_sequence(packed)

    for y, expected in zip(Y, outputs, strict=True):
        scale = max(1.0, float(expected.detach().abs().max()))  # of relu, which has no bound
        np.testing.assert_allclose(y, expected.detach().numpy(), atol=OUTPUT_BOUND[dtype] * scale, rtol=0)
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
    if cell == "rnn":  # both take tanh' = 1 - h^2 from an h that has been rounded
        bound += np.finfo(dtype).eps / min((1 - np.asarray(y, np.float64) ** 2).min() for y in Y)
    for index, layer in enumerate(layers):
        for suffix in ["", "_reverse"] if bidirectional else [""]:
            theirs = {name.removesuffix(f"_l0{suffix}"): p.grad.numpy() for name, p in layer.named_parameters()}
            if cell == "gru":
                size = layer.hidden_size
                theirs["bias_ih"] = np.concatenate([theirs["bias_ih"], theirs["bias_hh"][2 * size :]])
            for name, expected in [(name, theirs[name]) for name in ("weight_ih", "weight_hh", "bias_ih")]:
                ours = name.replace("bias_ih", "bias")
                got = gradients.parameters[f"{ours}_l{index}{suffix}"]
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
    cell, dtype = list(CELLS)[seed % 4], ["float32", "float64"][seed % 3 == 0]
    test_values_and_gradients(cell, (input_size, hidden_size, lengths), bool(seed % 2), dtype)
