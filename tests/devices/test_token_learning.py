"""`export_c(trainable=...)` of models that read tokens: against `Sequence.backward` and SGD; language models."""

import copy
import ctypes
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from compilers import C99, SANITIZERS, WARNINGS, Sampler, compile_all, gcc, run
from learning import Reference
from nets import CELLS, exported_net
from sklearn.pipeline import make_pipeline
from test_export_learn import Learner

import pylstm
from pylstm import LSTMClassifier, LSTMLanguageModel, LSTMSequenceRegressor, LSTMTagger
from pylstm._devices import c_learn
from pylstm._devices.c_net import Net
from pylstm._devices.c_tape import Learning
from pylstm._net.describe import describe
from pylstm.preprocessing import TokenEncoder

pytestmark = pytest.mark.skipif(gcc is None, reason="no gcc")
#: What "trainable" is.
ALL, HEAD = True, "head"
#: No tokens of any model here.
NONE = (2**31 - 1, 2**31, 2**32 - 1)


class TokenLearner(Learner):
    """An exported model that learns from tokens."""

    def step(self, token):
        y = np.empty(self.n_outputs, self.y_dtype)
        self.call("step", ctypes.c_uint32(token), ctypes.c_void_p(y.ctypes.data))
        return y


def compiled(paths, folder, *flags):
    """Return a library of C files."""
    compile_all([gcc, *C99, "-Wdouble-promotion", "-fPIC", *flags, "-c", path, "-o", f"{path}.o"]
                for path in paths)  # fmt: skip
    run(gcc, "-shared", *(f"{path}.o" for path in paths), "-o", folder / "models.so")
    return ctypes.CDLL(str(folder / "models.so"))


# ---- what is learnt


class Case(NamedTuple):
    tokens: str
    cell: str
    net: Net
    learning: Learning

    @property
    def name(self):
        return f"{self.tokens.replace('-', '_')}_{self.cell}_{'head' if self.learning.head_only else 'all'}"

    def learner(self, library):
        ram_bytes = c_learn.memory_of(self.net, self.learning)[1]
        return TokenLearner(library, self.name, ram_bytes, self.net.output_size, self.net.reads, self.net.writes)

    def reference(self):
        net, of = self.net, self.learning
        return Reference(
            net.flat(), (net.tokens.n, *(layer.sizes[1] for layer in net.layers)), net.output_size, loss=net.loss,
            per_step=of.is_per_step, carry_state=of.carry_state, max_grad_norm=of.max_grad_norm, pooling=net.pooling,
            head_only=of.head_only, tied=net.is_tied, freeze_embedding=net.is_frozen,
            embedding_size="one-hot" if net.is_one_hot else net.input_size, **CELLS[self.cell],
        )  # fmt: skip

    def data(self):
        """Yield windows and their answers: the ends of the vocabulary among them, and of two windows in three so few
        tokens that they come again.
        """
        rng, (n, n_y), T = np.random.default_rng(0), (self.net.tokens.n, self.net.output_size), self.learning.window
        n_steps = T if self.learning.is_per_step else 1
        for k in range(1000):
            tokens = rng.choice([0, n - 1, *rng.integers(n, size=3)], T) if k % 3 else rng.permutation(n)[:T]
            if self.net.loss == "cross_entropy":
                y = rng.integers(n_y, size=n_steps, dtype=np.uint32 if self.net.writes_tokens else np.int32)
                yield tokens, y if self.learning.is_per_step else int(y[0])
            else:
                yield tokens, rng.normal(size=(n_steps, n_y)).astype(np.float32)


#: What reads its own weights with each cell; the others are the same for all, but for what they are beside.
PAIRS = [
    *(("one-hot", cell) for cell in CELLS),
    *(("embedding", "lstm"), ("embedding", "gru"), ("embedding", "relu"), ("frozen", "rnn")),
    *(("tied", "lstm"), ("tied", "gru"), ("tied", "rnn")),
]


def cases():
    """Yield tokens and cells, each pair of other features somewhere; of some the head alone, too."""
    for k, (tokens, cell) in enumerate(PAIRS):
        stacked, per_step, carried = (bool((k * 11 % 16) >> bit & 1) for bit in range(3))
        writes = per_step and tokens != "frozen"
        n_x, n_y = 11 if tokens == "one-hot" else 5, 11 if writes or tokens == "tied" else 3
        sizes = (n_x, 4, 6, 5) if stacked else (n_x, 5)
        loss = "cross_entropy" if writes or k % 2 else "squared_error"
        pooling = None if per_step else (None, "mean", "max")[k % 3]
        net = exported_net(cell, sizes, n_y, loss, seed=k, pooling=pooling, tokens=tokens, writes=writes)
        window, max_grad_norm = (7, 4, 1)[k % 3], 0.2 if k % 4 else 0.0
        for head_only in (False, True) if k % 4 == 0 else (False,):
            yield Case(tokens, cell, net, Learning(head_only, window, carried, max_grad_norm, per_step))


ALL_CASES = list(cases())


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    paths = [folder / f"{case.name}.c" for case in ALL_CASES]
    for case, path in zip(ALL_CASES, paths, strict=True):
        path.write_text(c_learn.text(case.name, case.net, None, case.learning))
    return compiled(paths, folder, "-O0")


@pytest.mark.long
@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_learning(case, library):
    """Losses and weights over 20 windows. Rows of tokens that did not occur stay, bit for bit."""
    learner, reference = case.learner(library), case.reference()
    start = reference.weights()
    before = learner.weights(len(start))
    np.testing.assert_array_equal(before, start.astype(np.float32))
    met = set()
    for (tokens, y), _ in zip(case.data(), range(20), strict=False):
        assert abs(learner.learn(tokens, y, 0.1) - reference.learn(tokens, y, 0.1)) < 2e-6
        np.testing.assert_allclose(learner.weights(len(start)), reference.weights(), rtol=0, atol=2e-6)
        met |= {*tokens.tolist()}
    assert np.abs(reference.weights() - start).max() > 1e-3
    if case.tokens == "embedding" and not case.learning.head_only:
        changed = (learner.weights(len(start)) != before)[: case.net.table_size].reshape(case.net.tokens.n, -1)
        np.testing.assert_array_equal(changed.any(axis=1), [token in met for token in range(case.net.tokens.n)])


@pytest.mark.parametrize("case", ALL_CASES, ids=lambda case: case.name)
def test_where_a_token_is_none(case, library):
    """Nothing happens: weights and states are as they were, wherever in the window it is."""
    learner, undisturbed = case.learner(library), case.learner(library)
    windows, n = case.data(), case.learning.window
    for (tokens, y), _ in zip(windows, range(2), strict=False):
        assert learner.learn(tokens, y, 0.1) == undisturbed.learn(tokens, y, 0.1)
    tokens, y = next(windows)
    for none in (case.net.tokens.n, *NONE):
        for t in {0, n // 2, n - 1}:
            wrong = tokens.astype(np.int64)
            wrong[t] = none
            assert learner.learn(wrong, y, 0.1) == -1
            if case.net.writes_tokens:
                assert learner.learn(tokens, wrong.astype(np.uint32), 0.1) == -1
        assert np.isnan(learner.step(none)).all()
    n_trained = c_learn.n_trained(case.net, case.learning)
    np.testing.assert_array_equal(learner.weights(n_trained), undisturbed.weights(n_trained))
    np.testing.assert_array_equal(learner.step(tokens[0]), undisturbed.step(tokens[0]))
    assert learner.learn(tokens, y, 0.1) == undisturbed.learn(tokens, y, 0.1) > 0


# ---- whole models

TEXT = "to be or not to be, that is the question. " * 12
TEXTS = ["the cat sat on the mat", "the dog sat on the rug", "the cat saw the dog ."] * 4
WINDOW = 6


def models():
    """Yield models by name, and what of them is learnt."""
    fit = {"max_iter": 2, "batch_size": 2, "random_state": 0, "window": WINDOW}
    characters = LSTMLanguageModel((8,), **fit).fit(TEXT)
    words = LSTMLanguageModel((6, 5), analyzer="word", embedding_size=4, cell="gru", **fit).fit(TEXTS)
    tied = LSTMLanguageModel((7,), analyzer="word", tie_weights=True, **fit).fit(TEXTS)
    yield from (("characters", characters, ALL), ("words", words, ALL), ("tied", tied, ALL), ("last", tied, HEAD))
    net = {"embedding_size": 4, "max_iter": 1, "random_state": 0}
    pipeline = make_pipeline(TokenEncoder(), LSTMClassifier((5,), pooling="max", **net)).fit(TEXTS, np.arange(12) % 3)
    yield from (("pipeline", pipeline, ALL), ("of_texts", pipeline, HEAD))
    X = np.random.default_rng(0).integers(0, 9, (12, 4))
    yield "tags", LSTMTagger((5,), **net | {"embedding_size": "one-hot"}).fit(X, X % 4), ALL
    yield "values", LSTMSequenceRegressor((6,), normalize_y=True, **net).fit(X, 1000 + 3.0 * X), ALL


MODELS = {name: (model, trainable) for name, model, trainable in models()} if gcc else {}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {
        name: pylstm.export_c(model, folder / f"{name}.c", trainable=trainable, window=WINDOW)
        for name, (model, trainable) in MODELS.items()
    }


@pytest.fixture(scope="module")
def vectors(exports, tmp_path_factory):
    return compiled([export.path for export in exports.values()], tmp_path_factory.mktemp("vectors"), "-O1")


@pytest.fixture(scope="module")
def scalars(exports, tmp_path_factory):
    """Of those that have vectors otherwise; by a compiler that is told that there is neither NaN nor infinity, too."""
    folder = tmp_path_factory.mktemp("scalars")
    paths = [shutil.copy(exports[name].path, folder) for name, (_, of) in MODELS.items() if of == HEAD]
    return compiled(paths, folder, "-O1", "-DPYLSTM_SCALAR", "-ffast-math")


def data_of(model):
    """Yield windows that follow each other, and what is to be learnt of them."""
    rng, spec = np.random.default_rng(1), describe(model).spec
    text = rng.integers(0, spec.input_size, 10_000)
    for start in range(0, 9_000, WINDOW):
        tokens = text[start : start + WINDOW]
        if isinstance(model, LSTMLanguageModel):
            yield tokens, text[start + 1 : start + 1 + WINDOW].astype(np.uint32)
        elif spec.loss == "cross_entropy":
            yield tokens, tokens.astype(np.int32) % 4 if spec.pooling is None else int(tokens[0] % 3)
        else:
            yield tokens, 1000 + 3.0 * tokens[:, np.newaxis]


@pytest.fixture(scope="module")
def trained(exports, vectors, scalars):
    """Of each model, and of its head without vectors too: the one in C after 30 windows, and the same in Python."""
    found = {}
    for name, (model, trainable) in MODELS.items():
        for library in (vectors, scalars) if trainable == HEAD else (vectors,):
            export, n_outputs = exports[name], describe(model).spec.n_outputs
            learner = TokenLearner(library, name, export.ram_bytes, n_outputs, export.reads, export.writes)
            reference = Reference.of_model(
                model, head_only=trainable == HEAD, carry_state=describe(model).spec.pooling is None, max_grad_norm=1.0
            )
            losses = [
                (learner.learn(tokens, y, 0.1), reference.learn(tokens, y, np.float32(0.1)))
                for (tokens, y), _ in zip(data_of(model), range(30), strict=False)
            ]
            found[name, library is scalars] = learner, reference, losses
    return found


WAYS = [(name, False) for name in MODELS] + [(name, True) for name, (_, of) in MODELS.items() if of == HEAD]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_models(way, trained):
    """Losses and weights; and steps with the weights of the moment."""
    learner, reference, losses = trained[way]
    np.testing.assert_allclose(*np.transpose(losses), rtol=0, atol=4e-6)
    expected, model = reference.weights(), MODELS[way[0]][0]
    weights = learner.weights(len(expected))
    np.testing.assert_allclose(weights, expected, rtol=0, atol=4e-6)
    if way[0] == "last":  # which is tied no more
        return
    scale = describe(model).targets.scale.max() if way[0] == "values" else 1
    stream, tokens = pylstm.stream(with_weights(model, weights)), next(data_of(model))[0]
    learner.call("reset")
    for token, y in zip(tokens, stream.process(tokens), strict=True):
        np.testing.assert_allclose(learner.step(token), y, rtol=0, atol=2e-6 * scale)


def with_weights(model, weights):
    """Return a copy of a model with its last weights replaced."""
    changed = copy.deepcopy(model)
    net = describe(changed).net
    flat = net.copy_weights()
    flat[len(flat) - len(weights) :] = weights
    net.set_weights(flat)
    return changed


@pytest.mark.parametrize("name", ["characters", "words", "tied"])
def test_writing_between_windows(name, trained):
    """The text that `generate` writes with what was learnt; a step need not answer; there are texts of tokens."""
    learner, reference, _ = trained[name, False]
    model = with_weights(MODELS[name][0], learner.weights(len(reference.weights())))
    read, n = [model.end_, *model.encoder_.encode("the cat")], 60
    sampler = Sampler(5, 0.8, 6, 0.9)
    learner.call("reset")
    for token in read[:-1]:
        learner.call("step", ctypes.c_uint32(token), None)
    drawn = [read[-1]]
    for _ in range(n):
        drawn.append(learner.call("sample", ctypes.c_uint32(drawn[-1]), ctypes.byref(sampler)))
    until = drawn.index(model.end_, 1) if model.end_ in drawn[1:] else len(drawn)
    expected = model.generate("the cat", n, temperature=0.8, top_k=6, top_p=0.9, random_state=5)
    assert model.encoder_.decode(drawn[1:until]) == expected
    for none in NONE:
        assert learner.call("sample", ctypes.c_uint32(none), ctypes.byref(sampler)) == model.end_
        learner.call("step", ctypes.c_uint32(none), None)
    text = model.encoder_.tokens_[1].encode()
    assert getattr(learner.library, f"{name}_token")(text, ctypes.c_size_t(len(text))) == 1


def test_a_head_draws_too(trained):
    """By its own outputs: the most probable token is that of a step."""
    learner, other = trained["last", False][0], trained["last", True][0]
    sampler = Sampler()
    for of in (learner, other):
        of.call("reset")
    for token in range(5):
        drawn = learner.call("sample", ctypes.c_uint32(token), ctypes.byref(sampler))
        drawable = MODELS["last"][0]._drawn()
        assert drawn == drawable.start + other.step(token)[drawable.start : drawable.stop].argmax()


# ---- compilers


def test_other_compilers(exports):
    paths = [exports[name].path for name in ("characters", "tied", "last", "values")]
    compile_all(["g++", "-x", "c++", *WARNINGS, "-fsyntax-only", path] for path in paths)
    if shutil.which("clang"):
        compile_all(["clang", *C99, "-fsyntax-only", path] for path in paths)


@pytest.mark.long
def test_two_in_one_file_under_sanitizers(exports, tmp_path):
    """A program that learns what it wrote, by a one-hot model and by a tied one."""
    names = ("characters", "tied")
    lines = ["#include <stdio.h>", *(f'#include "{exports[name].path}"' for name in names), "int main(void)", "{"]
    for name in names:
        lines += [
            f"    static {name}_model {name};",
            f"    static {name}_sampler {name}_by;",
            f"    uint32_t {name}_text[{WINDOW + 1}] = {{{name}_end}};",
            f"    {name}_by.temperature = 2, {name}_by.top_k = 5, {name}_by.seed = 5;",
            f"    {name}_init(&{name});",
            "    for (int k = 0; k < 20; k++) {",
            f"        for (int t = 0; t < {WINDOW}; t++)",
            f"            {name}_text[t + 1] = {name}_sample(&{name}, {name}_text[t], &{name}_by);",
            f'        printf("%g ", (double){name}_learn(&{name}, {name}_text, {name}_text + 1, 0.1f));',
            f"        {name}_text[0] = {name}_text[{WINDOW}];",
            "    }",
        ]
    (tmp_path / "main.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    run(gcc, *C99[:1], *SANITIZERS, tmp_path / "main.c", "-o", tmp_path / "main")
    losses = np.array(run(tmp_path / "main").split(), float)
    assert len(losses) == 40
    assert (losses > 0).all()


# ---- what a file says


def test_what_the_file_says(exports):
    """The window of a language model, its sampler, which has no outputs; what becomes of a table that was tied."""
    texts = {name: Path(export.path).read_text() for name, export in exports.items()}
    model = MODELS["tied"][0]
    n = describe(model).spec.input_size
    assert f"reads uint32_t tokens[{WINDOW}], uint32_t targets[{WINDOW}]" in texts["tied"]
    assert "float tied_learn(tied_model *model, const uint32_t *tokens, const uint32_t *targets, " in texts["tied"]
    assert f"sampler    {-(-(20 + 4 * n) // 8) * 8:>11,}  tied_sampler" in texts["tied"]
    assert f"of a text of {WINDOW + 1} tokens" in texts["tied"]
    assert "The table of tokens stays what it is" not in texts["tied"]
    assert "The table of tokens stays what it is" in texts["last"]
    assert "int labels[6]" in texts["tags"]
    assert "Where a token of a window is none, nothing happens, and the loss is -1." in texts["tags"]
    assert {export.reads for export in exports.values()} == {"uint32_t"}
