"""Each library's way to run a cell, from NumPy arrays to NumPy arrays, with the same weights and inputs.

A builder takes the problem and the number of threads and returns a `Runner`. Weights are constants of the runner, as in
use: libraries may pack them beforehand. Libraries are imported inside their builders.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from cells import Array, Cell, Problem, problem

TOLERANCE = 1e-4


class Runner(NamedTuple):
    """`call` is what is timed; `arrays` names what it returned, in pylstm's layout, for the check before."""

    call: Callable[[], Any]
    arrays: Callable[[Any], dict[str, Array]]


def _outputs(Y: Array, *state: Array) -> dict[str, Array]:
    return {"Y": Y, **dict(zip("hc", state, strict=False))}


def _gradients(Y: Array, X: Array, weight_ih: Array, weight_hh: Array, bias: Array) -> dict[str, Array]:
    return {"Y": Y, "dX": X, "dW": weight_ih, "dR": weight_hh, "db": bias}


def build_pylstm(p: Problem, threads: int) -> Runner:
    import pylstm

    threaded: dict[str, Any] = {"n_threads": threads} if threads > 1 else {}
    net = pylstm.Sequence(p.cell.input_size, p.cell.hidden_size, cell=p.cell.kind, **threaded)
    for name, values in (("weight_ih_l0", p.weight_ih), ("weight_hh_l0", p.weight_hh), ("bias_l0", p.bias)):
        net.parameters()[name][...] = values
    X, dY = (p.sequences(p.X), p.sequences(p.dY)) if p.cell.ragged else (p.X, p.dY)
    dense = p.padded if p.cell.ragged else np.asarray

    if p.cell.mode == "train":

        def train() -> Any:
            Y, _ = net.forward(X, training=True)
            return Y, net.backward(dY)

        def gradients(result: Any) -> dict[str, Array]:
            Y, grads = result
            return _gradients(dense(Y), dense(grads.input), *grads.parameters.values())

        return Runner(train, gradients)

    state = None if p.state is None else [tuple(values[None] for values in p.state)]

    def outputs(result: Any) -> dict[str, Array]:
        Y, [last] = result
        return _outputs(dense(Y), *(values[0] for values in last))

    return Runner(lambda: net.forward(X, state), outputs)


def _two_biases(p: Problem) -> tuple[Array, Array]:
    """The input's and the recurrent one, as most libraries have: zeros but where a GRU needs it."""
    n = len(p.weight_ih)
    recurrent = np.zeros(n, np.float32)
    if p.cell.kind == "gru":
        recurrent[-p.cell.hidden_size :] = p.bias[n:]
    return p.bias[:n], recurrent


def _torch_net(p: Problem, threads: int) -> Any:
    import torch

    torch.set_num_threads(threads)
    net = getattr(torch.nn, p.cell.kind.upper())(p.cell.input_size, p.cell.hidden_size, batch_first=True)
    with torch.no_grad():
        for to, values in zip(net.parameters(), (p.weight_ih, p.weight_hh, *_two_biases(p)), strict=True):
            to.copy_(torch.from_numpy(values))
    return net


def _build_torch(p: Problem, threads: int, packed: bool) -> Runner:
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    net = _torch_net(p, threads)
    lengths = torch.from_numpy(p.lengths)
    has_c = p.cell.kind == "lstm"
    state = None if p.state is None else tuple(torch.from_numpy(s[None]) for s in p.state)
    state = state if has_c or state is None else state[0]

    def forward(X: Any) -> Any:
        if not packed:
            return net(X, state)
        Y, last = net(pack_padded_sequence(X, lengths, batch_first=True, enforce_sorted=False), state)
        return pad_packed_sequence(Y, batch_first=True)[0], last

    def infer() -> Any:
        with torch.inference_mode():
            Y, last = forward(torch.from_numpy(p.X))
            return Y.numpy(), *(values.numpy() for values in (last if has_c else (last,)))

    weights = list(net.parameters())  # both biases: PyTorch has no LSTM with one

    def train() -> Any:
        X = torch.from_numpy(p.X).requires_grad_()
        Y, _ = forward(X)
        gradients = torch.autograd.grad(Y, [X, *weights], torch.from_numpy(p.dY))
        return Y.detach().numpy(), *(gradient.numpy() for gradient in gradients)

    def gradients(result: Any) -> dict[str, Array]:
        *others, bias, recurrent = result
        if p.cell.kind == "gru":
            bias = np.concatenate([bias, recurrent[-p.cell.hidden_size :]])
        return _gradients(*others, bias)

    if p.cell.mode == "train":
        return Runner(train, gradients)
    return Runner(infer, lambda result: _outputs(result[0], *(values[0] for values in result[1:])))


def build_torch(p: Problem, threads: int) -> Runner:
    return _build_torch(p, threads, packed=False)


def build_torch_packed(p: Problem, threads: int) -> Runner:
    return _build_torch(p, threads, packed=True)


def _onnx_model(p: Problem) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    hidden, kind = p.cell.hidden_size, p.cell.kind
    gates = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}[kind]  # i, o, f, c; z, r, h
    order = np.concatenate([np.arange(gate * hidden, (gate + 1) * hidden) for gate in gates])
    constants = {
        "W": p.weight_ih[order][None],
        "R": p.weight_hh[order][None],
        "B": np.concatenate([bias[order] for bias in _two_biases(p)])[None],
    }
    batch, steps, width = p.X.shape
    states = ["h", "c"] if kind == "lstm" else ["h"]
    shapes = {"X": (steps, batch, width)}
    if p.state is not None:
        shapes |= {f"{name}0": (1, batch, hidden) for name in states}
    results = {"Y": (steps, 1, batch, hidden), **dict.fromkeys(states, (1, batch, hidden))}
    options = {"linear_before_reset": 1} if kind == "gru" else {}

    def declare(named: dict[str, tuple[int, ...]]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in named.items()]

    graph = helper.make_graph(
        [
            helper.make_node(
                kind.upper(), ["X", "W", "R", "B", "", *list(shapes)[1:]], list(results), hidden_size=hidden, **options
            )
        ],
        kind,
        declare(shapes),
        declare(results),
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return model.SerializeToString()


def _onnx_feed(p: Problem) -> dict[str, Array]:
    # ONNX's LSTM is time-major in what runtimes implement. The input is transposed before the clock starts, and the
    # output left as it is: a favour to these two, which the report mentions.
    feed = {"X": np.ascontiguousarray(p.X.transpose(1, 0, 2))}
    if p.state is not None:
        feed |= {f"{name}0": values[None] for name, values in zip("hc", p.state, strict=False)}
    return feed


def _onnx_outputs(result: Any) -> dict[str, Array]:
    Y, *last = (result[i] for i in range(len(result)))
    return _outputs(np.asarray(Y)[:, 0].transpose(1, 0, 2), *(values[0] for values in last))


def build_onnxruntime(p: Problem, threads: int) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its workers spin while a run lasts, but not on into the next library's turn.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(_onnx_model(p), options, providers=["CPUExecutionProvider"])
    feed = _onnx_feed(p)
    return Runner(lambda: session.run(None, feed), _onnx_outputs)


def build_openvino(p: Problem, threads: int) -> Runner:
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where the processor has it
        "ENABLE_CPU_PINNING": False,  # the process is pinned already
    }
    request = openvino.Core().compile_model(openvino.Core().read_model(_onnx_model(p)), "CPU", settings)
    request = request.create_infer_request()
    feed = _onnx_feed(p)
    return Runner(lambda: request.infer(feed, share_inputs=True, share_outputs=True), _onnx_outputs)


def build_jax(p: Problem, threads: int) -> Runner:  # threads: XLA takes them from the environment (pinning.py)
    import jax
    import jax.numpy as jnp
    from jax import lax

    weights = tuple(jnp.asarray(w) for w in (p.weight_ih, p.weight_hh, p.bias))
    zero = np.zeros((p.cell.batch, p.cell.hidden_size), np.float32)
    state = ((zero, zero) if p.cell.kind == "lstm" else (zero,)) if p.state is None else p.state

    def lstm(z: Any, r: Any, _bias: Any, h: Any, c: Any) -> Any:
        i, f, g, o = jnp.split(z + r, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    def gru(z: Any, r: Any, bias: Any, h: Any) -> Any:
        (z_r, z_z, z_n), (r_r, r_z, r_n) = jnp.split(z, 3, axis=1), jnp.split(r, 3, axis=1)
        n = jnp.tanh(z_n + jax.nn.sigmoid(z_r + r_r) * (r_n + bias))
        return (n + jax.nn.sigmoid(z_z + r_z) * (h - n),)

    def rnn(z: Any, r: Any, _bias: Any, h: Any) -> Any:
        return (jnp.tanh(z + r),)

    cell = {"lstm": lstm, "gru": gru, "rnn": rnn}[p.cell.kind]

    def run(X: Any, weights: Any, state: Any) -> Any:
        weight_ih, weight_hh, bias = weights
        bias, recurrent = bias[: len(weight_ih)], bias[len(weight_ih) :]
        projected = jnp.einsum("bti,gi->tbg", X, weight_ih) + bias  # one product outside the scan

        def step(carry: Any, z: Any) -> Any:
            carry = cell(z, carry[0] @ weight_hh.T, recurrent, *carry)
            return carry, carry[0]

        last, Y = lax.scan(step, state, projected)
        return Y.transpose(1, 0, 2), *last

    @jax.jit
    def backward(X: Any, weights: Any, dY: Any) -> Any:
        Y, pull_back = jax.vjp(lambda X, weights: run(X, weights, state)[0], X, weights)
        dX, dweights = pull_back(dY)
        return Y, dX, *dweights

    forward = jax.jit(run)

    def train() -> Any:
        return tuple(map(np.asarray, backward(p.X, weights, p.dY)))

    def infer() -> Any:
        return tuple(map(np.asarray, forward(p.X, weights, state)))

    if p.cell.mode == "train":
        return Runner(train, lambda result: _gradients(*result))
    return Runner(infer, lambda result: _outputs(*result))


def build_tensorflow(p: Problem, threads: int) -> Runner:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    lstm = tf.keras.layers.LSTM(p.cell.hidden_size, return_sequences=True, return_state=True)
    lstm.build(p.X.shape)
    lstm.set_weights([p.weight_ih.T, p.weight_hh.T, p.bias])  # Keras: transposed, same order of gates
    weights = list(lstm.trainable_variables)

    @tf.function
    def forward(X: Any, state: Any) -> Any:
        return lstm(X, initial_state=state)

    @tf.function
    def backward(X: Any, dY: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(X)
            Y = lstm(X)[0]
        return Y, tape.gradient(Y, [X, *weights], output_gradients=dY)

    def infer() -> Any:
        state = None if p.state is None else [tf.constant(s) for s in p.state]
        return [tensor.numpy() for tensor in forward(tf.constant(p.X), state)]

    def train() -> Any:
        Y, gradients = backward(tf.constant(p.X), tf.constant(p.dY))
        return Y.numpy(), *(gradient.numpy() for gradient in gradients)

    def gradients(result: Any) -> dict[str, Array]:
        Y, dX, dW, dR, db = result
        return _gradients(Y, dX, dW.T, dR.T, db)

    if p.cell.mode == "train":
        return Runner(train, gradients)
    return Runner(infer, lambda result: _outputs(*result))


def build_numpy(p: Problem, threads: int) -> Runner:  # threads: its BLAS takes them from the environment
    weight_ih, weight_hh = p.weight_ih.T.copy(), p.weight_hh.T.copy()
    zero = np.zeros((p.cell.batch, p.cell.hidden_size), np.float32)

    def sigmoid(z: Array) -> Array:
        return 1 / (1 + np.exp(-z))

    def infer() -> Any:
        h, c = (zero, zero) if p.state is None else p.state
        projected = p.X @ weight_ih + p.bias
        Y = np.empty_like(p.dY)
        for t in range(Y.shape[1]):
            i, f, g, o = np.split(projected[:, t] + h @ weight_hh, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            Y[:, t] = h
        return Y, h, c

    return Runner(infer, lambda result: _outputs(*result))


class Library(NamedTuple):
    """A library's builder, the modules it needs, and what it can run."""

    build: Callable[[Problem, int], Runner]
    modules: tuple[str, ...]
    trains: bool = True
    ragged_only: bool = False
    kinds: tuple[str, ...] = ("lstm", "gru", "rnn")


LIBRARIES = {
    "pylstm": Library(build_pylstm, ("pylstm",)),
    "torch": Library(build_torch, ("torch",)),
    "torch packed": Library(build_torch_packed, ("torch",), ragged_only=True),
    "onnxruntime": Library(build_onnxruntime, ("onnxruntime", "onnx"), trains=False),
    "openvino": Library(build_openvino, ("openvino", "onnx"), trains=False),
    "jax": Library(build_jax, ("jax",)),
    "tensorflow": Library(build_tensorflow, ("tensorflow",), kinds=("lstm",)),
    "numpy": Library(build_numpy, ("numpy",), trains=False, kinds=("lstm",)),
}


def entrants(cell: Cell) -> list[str]:
    """Names of the libraries that can run a cell, whether installed or not."""
    return [
        name
        for name, library in LIBRARIES.items()
        if (library.trains or cell.mode != "train")
        and (cell.ragged or not library.ragged_only)
        and cell.kind in library.kinds
    ]


def missing(name: str) -> list[str]:
    """Modules a library needs that are not installed."""
    return [module for module in LIBRARIES[name].modules if find_spec(module) is None]


@lru_cache(maxsize=1)
def _expected(cell: Cell) -> dict[str, Array]:
    runner = build_pylstm(problem(cell), threads=1)
    return {key: np.array(values) for key, values in runner.arrays(runner.call()).items()}


def build(name: str, cell: Cell, threads: int) -> Callable[[], Any]:
    """Return the call to time, after it has shown that it computes what pylstm does on one thread."""
    p = problem(cell)
    runner = LIBRARIES[name].build(p, threads)
    found = runner.arrays(runner.call())
    # Past the end of a sequence padding libraries compute something that nobody reads; h and c are then theirs too.
    real = (np.arange(p.X.shape[1]) < p.lengths[:, None])[:, :, None]
    for key, expected in _expected(cell).items():
        if cell.ragged and key in ("h", "c"):
            continue
        values = found[key] * real if key in ("Y", "dX") else found[key]
        if values.shape != expected.shape:
            raise AssertionError(f"{name}: {key} has shape {values.shape}, pylstm's {expected.shape}")
        scale = max(1.0, float(np.abs(expected).max()))  # weight gradients sum over all rows
        difference = float(np.abs(values - expected).max()) / scale
        if not difference <= TOLERANCE:  # NaN fails too
            raise AssertionError(f"{name}: {key} differs from pylstm's by {difference:.1e} of {scale:.1e}")
    return runner.call
