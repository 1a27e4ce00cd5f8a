"""Tokens beside PyTorch and ONNX Runtime: training steps, generation, and what language models reach.

    taskset -c 1 python bench/language.py training            # A to D
    python bench/language.py training --threads 2
    taskset -c 1 python bench/language.py memory              # peak of each case above the imports, a process each
    taskset -c 1 python bench/language.py generation          # microseconds a token
    taskset -c 1 python bench/language.py quality --text shakespeare --units 128
    taskset -c 1 python bench/language.py quality --text kjv --data FOLDER

A training step is whole: from tokens to updated weights, Adam, clipped to 1; libraries take turns as in `report.py`,
which leaves a library's threads time to end their spinning before another's begin. Generation is one token after
another from a state: ONNX Runtime's LSTM has the dense layer in the same graph; both draw the token by NumPy, pylstm by
itself. Quality is of the same net and recipe in both, the mean negative log-probability of what was held out, read in
one piece.
"""

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pinning

#: Tokens, units, layers, sequences, steps (shortest, longest), embedding.
CASES = {
    "A": (65, 128, 1, 50, (50, 50), "one-hot"),
    "B": (65, 512, 2, 50, (50, 50), "one-hot"),
    "C20": (10_000, 200, 2, 20, (20, 20), 200),
    "C35": (10_000, 200, 2, 20, (35, 35), 200),
    "D": (20_000, 128, 1, 32, (10, 50), 100),
}
N_BATCHES = 8


class Problem:
    """Batches of tokens; of A to C the next token is the target at each step, of D one of two classes a sequence."""

    def __init__(self, name):
        self.name = name
        self.n_tokens, self.units, self.layers, self.batch, (low, high), self.embedding = CASES[name]
        self.per_step = name != "D"
        self.n_outputs = self.n_tokens if self.per_step else 2
        rng = np.random.default_rng(0)
        share = 1 / np.arange(1, self.n_tokens + 1) if self.n_tokens > 100 else np.ones(self.n_tokens)
        draw = lambda size: rng.choice(self.n_tokens, size, p=share / share.sum())  # noqa: E731
        lengths = rng.integers(low, high + 1, N_BATCHES * self.batch)
        self.x = [draw(length) for length in lengths]
        self.y = [draw(length) for length in lengths] if self.per_step else rng.integers(0, 2, len(lengths))

    def batches(self):
        """Return the indices of each mini-batch, those of like length together."""
        order = np.argsort([-len(x) for x in self.x], kind="stable")
        return [order[k * self.batch : (k + 1) * self.batch].astype(np.intp) for k in range(N_BATCHES)]


def ours(problem, threads):
    """Return a function that makes a step on a mini-batch."""
    from pylstm._net.core import Gradient, Model, ModelSpec, Solver
    from pylstm._net.tokens import as_token_steps

    spec = ModelSpec(
        problem.n_tokens,
        (problem.units,) * problem.layers,
        loss="cross_entropy",
        n_outputs=problem.n_outputs,
        embedding_size=problem.embedding,
        pooling=None if problem.per_step else "last",
    )
    model = Model(spec, random_state=0, n_threads=threads)
    y = np.concatenate(problem.y) if problem.per_step else problem.y
    gradient = Gradient(model, as_token_steps(problem.x, problem.n_tokens), y.astype(np.intp), batch_size=problem.batch)
    solver = Solver(
        model,
        "adam",
        learning_rate=1e-3,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        momentum=0.9,
        nesterov=True,
        alpha=0.0,
        max_grad_norm=1.0,
    )
    return lambda indices: gradient.step(solver, indices)


def torch_step(problem, threads, packed=False):
    """Return the same for PyTorch; ragged sequences `packed`, or padded and read at their ends."""
    import torch

    torch.set_num_threads(threads)
    one_hot = problem.embedding == "one-hot"
    width = problem.n_tokens if one_hot else problem.embedding
    table = torch.nn.Identity() if one_hot else torch.nn.Embedding(problem.n_tokens, width)
    lstm = torch.nn.LSTM(width, problem.units, problem.layers, batch_first=True)
    dense = torch.nn.Linear(problem.units, problem.n_outputs)
    parameters = [*table.parameters(), *lstm.parameters(), *dense.parameters()]
    optimiser, eye = torch.optim.Adam(parameters, 1e-3), torch.eye(problem.n_tokens) if one_hot else None
    x = [torch.from_numpy(tokens) for tokens in problem.x]
    y = [torch.from_numpy(targets) for targets in problem.y] if problem.per_step else torch.from_numpy(problem.y)

    def step(indices):
        of_batch = [x[k] for k in indices]
        lengths = torch.tensor([len(tokens) for tokens in of_batch])
        tokens = torch.nn.utils.rnn.pad_sequence(of_batch, batch_first=True)
        inputs = eye[tokens] if one_hot else table(tokens)
        if packed:
            inputs = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, batch_first=True)
        outputs, (h, _) = lstm(inputs)
        if problem.per_step:
            logits, targets = dense(outputs).flatten(0, 1), torch.cat([y[k] for k in indices])
        elif packed:
            logits, targets = dense(h[-1]), y[indices]
        else:
            logits, targets = dense(outputs[torch.arange(len(lengths)), lengths - 1]), y[indices]
        loss = torch.nn.functional.cross_entropy(logits, targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        return loss.item()

    return step


def training(arguments):
    """Time steps: processes for each case, in which the libraries take turns; of each the best process's median."""
    print(f"{'case':5} {'pylstm':>10} {'torch':>10} {'ratio':>7}   ms a step, {arguments.threads} threads, medians")
    options = ["--threads", str(arguments.threads), "--seconds", str(arguments.seconds)]
    for name in arguments.cases:
        done = [
            pinning.child("language.py", arguments.threads, "training-of", name, *options)
            for _ in range(arguments.processes)
        ]
        own, *others = (1e3 * min(each[library] for each in done) for library in done[0])
        print(f"{name:5} {own:10.2f} {min(others):10.2f} {min(others) / own:7.2f}", flush=True)


def training_of(arguments):
    """Print the median seconds of a step of each library, ours first, in this process."""
    pinning.pin(arguments.threads)
    import measure

    problem = Problem(arguments.case)
    steps = {"pylstm": ours(problem, arguments.threads), "torch": torch_step(problem, arguments.threads)}
    if not problem.per_step:
        steps["packed"] = torch_step(problem, arguments.threads, packed=True)

    def call_of(step):
        batches = itertools.cycle(problem.batches())
        return lambda: step(next(batches))

    calls = {library: call_of(step) for library, step in steps.items()}
    print(json.dumps(measure.medians(calls, arguments.seconds, arguments.threads)))


def memory(arguments):
    """Start a process for each case and library."""
    for name in arguments.cases:
        for library in ("pylstm", "torch"):
            command = [sys.executable, __file__, "memory-of", name, library]
            print(name, library, subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory_of(arguments):
    """Print how much the peak grows over some steps."""
    if arguments.library == "torch":
        import torch  # noqa: F401
    else:
        import pylstm  # noqa: F401
    problem = Problem(arguments.case)
    before = peak()
    step = (ours if arguments.library == "pylstm" else torch_step)(problem, 1)
    for indices in problem.batches():
        step(indices)
    print(f"{peak() - before:.1f} MiB above {before:.0f}")


def onnx_step(n_tokens, units, layers, embedding):
    """Return ONNX Runtime's step: from a token and a state to logits and the state after it."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    width = n_tokens if embedding == "one-hot" else embedding
    constants, nodes, feeds, fetched = {}, [], {}, ["logits"]
    constants["table"] = np.eye(n_tokens, dtype=np.float32) if embedding == "one-hot" else None
    if constants["table"] is None:
        constants["table"] = rng.standard_normal((n_tokens, width)).astype(np.float32)
    nodes.append(helper.make_node("Gather", ["table", "token"], ["x0"]))
    for layer in range(layers):
        of = {"W": (1, 4 * units, width if layer == 0 else units), "R": (1, 4 * units, units), "B": (1, 8 * units)}
        for key, shape in of.items():
            constants[f"{key}{layer}"] = rng.uniform(-0.1, 0.1, shape).astype(np.float32)
        h, c = f"h{layer}", f"c{layer}"
        feeds |= {h: np.zeros((1, 1, units), np.float32), c: np.zeros((1, 1, units), np.float32)}
        inputs = [f"x{layer}", f"W{layer}", f"R{layer}", f"B{layer}", "", h, c]
        nodes.append(helper.make_node("LSTM", inputs, [f"Y{layer}", f"{h}n", f"{c}n"], hidden_size=units))
        nodes.append(helper.make_node("Squeeze", [f"Y{layer}", "axis"], [f"x{layer + 1}"]))
        fetched += [f"{h}n", f"{c}n"]
    constants["axis"] = np.array([1])
    constants["weight"] = rng.uniform(-0.1, 0.1, (units, n_tokens)).astype(np.float32)
    nodes.append(helper.make_node("MatMul", [f"x{layers}", "weight"], ["logits"]))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "step",
        [info("token", TensorProto.INT64, [1, 1])] + [info(name, TensorProto.FLOAT, [1, 1, units]) for name in feeds],
        [info(name, TensorProto.FLOAT, [1, 1, None]) for name in fetched],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    names, token = list(feeds), np.zeros((1, 1), np.int64)
    uniform = np.random.default_rng(1)

    def step():
        logits, *states = session.run(fetched, {"token": token, **feeds})
        feeds.update(zip(names, states, strict=True))
        logits = logits.reshape(-1)
        cumulated = np.cumsum(np.exp(logits - logits.max()))
        token[...] = min(int(np.searchsorted(cumulated, uniform.random() * cumulated[-1])), n_tokens - 1)

    return step


def generation(arguments):
    """Time tokens."""
    from pylstm import LSTMLanguageModel

    print(f"{'case':22} {'pylstm':>8} {'ORT':>8} {'ratio':>7}   microseconds a token, fastest of blocks in turns")
    for n_tokens, units, layers, embedding in ((65, 128, 1, "one-hot"), (65, 512, 2, "one-hot"), (10_000, 200, 2, 200)):
        model = LSTMLanguageModel(
            (units,) * layers, embedding_size=embedding, max_iter=1, batch_size=1, window=n_tokens, random_state=0
        )
        model.fit("".join(chr(0x4E00 + k) for k in range(n_tokens - 2)))
        other, n = onnx_step(n_tokens, units, layers, embedding), 400
        seconds = {"pylstm": [], "ORT": []}
        for seed in range(arguments.turns):
            start = time.perf_counter()
            model.generate(max_new_tokens=n, random_state=seed)
            seconds["pylstm"].append((time.perf_counter() - start) / n)
            start = time.perf_counter()
            for _ in range(n):
                other()
            seconds["ORT"].append((time.perf_counter() - start) / n)
        own, ort = (1e6 * min(of) for of in seconds.values())
        print(f"V={n_tokens}, H={units} x {layers:<2}{own:16.2f} {ort:8.2f} {ort / own:7.2f}", flush=True)


def quality(arguments):
    """Train both on the same text and recipe, and compare what was held out."""
    from language_quality import compare

    compare(arguments)


def main():
    """Read the arguments, and measure."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in (("training", training), ("memory", memory)):
        command = commands.add_parser(name)
        command.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
        command.set_defaults(run=function)
    command = commands.choices["training"]
    command.add_argument("--processes", type=int, default=3)
    of_one = commands.add_parser("training-of")
    of_one.add_argument("case")
    of_one.set_defaults(run=training_of)
    for each in (command, of_one):
        each.add_argument("--threads", type=int, default=1)
        each.add_argument("--seconds", type=float, default=6.0)
    command = commands.add_parser("memory-of")
    command.add_argument("case")
    command.add_argument("library")
    command.set_defaults(run=memory_of)
    command = commands.add_parser("generation")
    command.add_argument("--turns", type=int, default=8)
    command.set_defaults(run=generation)
    command = commands.add_parser("quality")
    command.add_argument("--text", choices=["shakespeare", "kjv"], default="shakespeare")
    command.add_argument("--data", help="where kjv.txt.gz is")
    command.add_argument("--units", type=int, default=128, help="256 for Shakespeare, too")
    command.add_argument("--epochs", type=int)
    command.add_argument("--learning-rate", type=float)
    command.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    command.add_argument("--libraries", nargs="+", default=["pylstm", "torch"])
    command.set_defaults(run=quality)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
