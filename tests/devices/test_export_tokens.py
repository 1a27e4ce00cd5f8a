"""`export_c` of models that read tokens: against `Stream`; their texts; and what a language model writes."""

import copy
import ctypes
from typing import NamedTuple

import numpy as np
import pytest
from compilers import C99, SANITIZERS, WARNINGS, Sampler, compile_all, gcc, run
from nets import CELLS, quantised
from sklearn.pipeline import make_pipeline

import pylstm
from pylstm import LSTMClassifier, LSTMLanguageModel, LSTMRegressor, LSTMSequenceRegressor, LSTMTagger
from pylstm._net.describe import describe
from pylstm.preprocessing import TokenEncoder

pytestmark = pytest.mark.skipif(gcc is None, reason="no gcc")
N_TOKENS = 11
#: Characters of one to four bytes, and those that C has to escape.
TEXT = "To be, or 'not' to be? \\ Ça va \N{GRINNING FACE} *//* \"x\"\n\0 " * 12
TEXTS = ["the cat sat on the mat", "the dog sat on the rug", "the cat saw the dog ."] * 4


def net_of(model):
    return describe(model).net


def make_random(model, seed):
    """Give a model weights that make more of tokens than those of a short fit."""
    rng = np.random.default_rng(seed)
    for name, values in net_of(model).parameters().items():
        values[...] = rng.uniform(-1, 1, values.shape) / (1 if name == "embedding" else np.sqrt(values.shape[-1]))
    return model


def estimators():
    """Yield estimators of tokens, each way in which a file can differ."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, N_TOKENS, (12, 4))
    X[0, 0] = N_TOKENS - 1
    for name, cls, y, options in (
        ("mean", LSTMClassifier, np.arange(12) % 3, {"embedding_size": "one-hot", "pooling": "mean"}),
        ("max", LSTMClassifier, np.arange(12) % 2, {"embedding_size": 5, "pooling": "max"}),
        ("tags", LSTMTagger, X % 4, {"embedding_size": "one-hot"}),
        ("values", LSTMSequenceRegressor, 1000 + 3.0 * X, {"embedding_size": 3, "normalize_y": True}),
    ):
        yield name, make_random(cls((6,), max_iter=1, random_state=0, **options).fit(X, y), len(name))


def models():
    """Yield models by name."""
    for k, (cell, embedding_size, sizes) in enumerate(
        [("lstm", "one-hot", (7,)), ("lstm", "one-hot", (8, 5)), ("lstm", 4, (9,)), ("lstm", 3, (16, 17)),
         ("gru", "one-hot", (9, 3)), ("gru", 5, (6,)), ("rnn", "one-hot", (13,)), ("relu", 2, (5,))]
    ):  # fmt: skip
        seq = pylstm.Sequence(N_TOKENS, sizes, embedding_size=embedding_size, random_state=k, **CELLS[cell])
        yield f"net_{k}", make_random(seq, k)
    yield from estimators()
    fit = {"max_iter": 2, "batch_size": 2, "random_state": 0}
    yield "characters", make_random(LSTMLanguageModel((8,), **fit).fit(TEXT), 1)
    yield "tied", make_random(LSTMLanguageModel((9,), tie_weights=True, **fit).fit(TEXT), 2)
    yield (
        "words",
        make_random(LSTMLanguageModel((8, 6), analyzer="word", embedding_size=4, cell="gru", **fit).fit(TEXTS), 3),
    )
    encoder = TokenEncoder(analyzer="word", min_frequency=5)
    classifier = LSTMClassifier((5,), embedding_size=4, vocabulary_size=15, max_iter=1, random_state=0)
    yield "pipeline", make_random(make_pipeline(TokenEncoder(), classifier).fit(TEXTS, np.arange(12) % 3), 5)
    yield "rare", make_random(LSTMLanguageModel((6,), analyzer=encoder, **fit).fit(TEXTS), 4)


MODELS = dict(models()) if gcc else {}
#: Whose texts the file knows.
KNOWN = [name for name, model in MODELS.items() if describe(model).tokens is not None]
WRITERS = [name for name, model in MODELS.items() if isinstance(model, LSTMLanguageModel)]


class Running:
    """An exported model of a library, with a state."""

    def __init__(self, library, export):
        self.library, self.export = library, export
        self.state = np.full(export.ram_bytes + 64, 0xA5, np.uint8)
        self.call("reset")

    def call(self, function, *arguments):
        return getattr(self.library, f"{self.export.name}_{function}")(
            ctypes.c_void_p(self.state.ctypes.data), *arguments
        )

    def step(self, token, n_outputs):
        y = np.full(n_outputs + 4, 0.25, np.float64 if self.export.writes == "double" else np.float32)
        self.call("step", ctypes.c_uint32(token), ctypes.c_void_p(y.ctypes.data))
        assert (y[n_outputs:] == 0.25).all()
        assert (self.state[self.export.ram_bytes :] == 0xA5).all()
        return y[:n_outputs]

    def token(self, text):
        text = text.encode("utf-8", "surrogatepass")
        return getattr(self.library, f"{self.export.name}_token")(text, ctypes.c_size_t(len(text)))

    def text(self, token):
        function = getattr(self.library, f"{self.export.name}_text")
        function.restype, size = ctypes.c_void_p, ctypes.c_size_t()
        found = function(ctypes.c_uint32(token), ctypes.byref(size))
        assert found == function(ctypes.c_uint32(token), None)
        text = ctypes.string_at(found, size.value + 1)
        assert text.endswith(b"\0")
        return text[:-1].decode("utf-8", "surrogatepass")

    def write(self, prompt, n, temperature=1.0, top_k=None, top_p=None, random_state=0):
        """Return the tokens that a language model writes, as its comment says; the prompt is of tokens."""
        self.call("reset")
        sampler = Sampler(random_state, temperature, top_k or 0, top_p or 0.0)
        for token in prompt[:-1]:
            self.call("step", ctypes.c_uint32(token), None)
        drawn = [int(prompt[-1])]
        for _ in range(n):
            drawn.append(self.call("sample", ctypes.c_uint32(drawn[-1]), ctypes.byref(sampler)))
        return drawn[1:]


class Exported(NamedTuple):
    exports: dict
    library: ctypes.CDLL

    def running(self, name):
        return Running(self.library, self.exports[name])


def built(folder, weights="float32", flags=()):
    """Export all models, and compile them to one library."""
    exports = {name: pylstm.export_c(model, folder / f"{name}.c", weights=weights) for name, model in MODELS.items()}
    command = [gcc, *C99, "-O1", "-fPIC", *flags]
    compile_all([*command, "-c", export.path, "-o", f"{export.path}.o"] for export in exports.values())
    run(gcc, "-shared", *(f"{export.path}.o" for export in exports.values()), "-o", folder / "models.so")
    return Exported(exports, ctypes.CDLL(str(folder / "models.so")))


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    return built(tmp_path_factory.mktemp("vectors"))


@pytest.fixture(scope="module")
def scalars(tmp_path_factory):
    """By a compiler that is told that there is neither NaN nor infinity, too."""
    return built(tmp_path_factory.mktemp("scalars"), flags=["-DPYLSTM_SCALAR", "-ffast-math"])


@pytest.fixture(scope="module")
def of_bytes(tmp_path_factory):
    return built(tmp_path_factory.mktemp("bytes"), weights="int8")


# ---- what a step computes


def tokens_of(model, n=24):
    return np.random.default_rng(1).integers(0, pylstm.stream(model).input_size, n)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("way", ["vectors", "scalars", pytest.param("of_bytes", marks=pytest.mark.long)])
def test_steps(way, name, request):
    running, model = request.getfixturevalue(way).running(name), MODELS[name]
    if way == "of_bytes":
        model = copy.deepcopy(model)
        net_of(model).set_weights(quantised(net_of(model)))
    tokens = tokens_of(model)
    expected = pylstm.stream(model).process(tokens)
    got = np.array([running.step(token, expected.shape[1]) for token in tokens])
    scale = describe(model).targets.scale.max() if name == "values" else max(1, np.abs(expected).max())
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * scale)
    assert np.ptp(expected[-6:], axis=0).max() > 1e-3 * scale  # tokens do make a difference


@pytest.mark.parametrize("name", MODELS)
def test_no_token(scalars, name):
    """All outputs are NaN, and the state is as it was."""
    model = MODELS[name]
    stream, running, undisturbed = pylstm.stream(model), scalars.running(name), scalars.running(name)
    for token in tokens_of(model, 3):
        for none in (stream.input_size, 2**31, 2**32 - 1):
            assert np.isnan(running.step(none, stream.output_size)).all()
        got, expected = (of.step(token, stream.output_size) for of in (running, undisturbed))
        np.testing.assert_array_equal(got, expected)


@pytest.mark.long
def test_what_lies_in_the_file(vectors, of_bytes):
    """The table, once where weights are tied; bytes with a scale for each row."""
    model = MODELS["tied"]
    n, hidden = pylstm.stream(model).input_size, 9
    texts = "".join(model.encoder_.tokens_)
    of_texts = len(texts.encode()) + n + 2 * (n + 1) + 2 * (n - 1)
    layer = 4 * hidden * (2 * hidden + 1)
    assert vectors.exports["tied"].flash_bytes == 4 * (n * hidden + layer + n) + of_texts
    of_layer = 4 * hidden * 2 * hidden + 4 * 3 * 4 * hidden
    assert of_bytes.exports["tied"].flash_bytes == n * hidden + 4 * n + of_layer + 4 * n + of_texts
    assert of_bytes.exports["tied"].ram_bytes == vectors.exports["tied"].ram_bytes + 4 * hidden
    assert {export.reads for export in vectors.exports.values()} == {"uint32_t"}
    assert vectors.exports["values"].writes == "double"


# ---- texts


@pytest.mark.parametrize("name", KNOWN)
def test_texts(vectors, name):
    """All are found, and nothing else; the empty one is the end of a language model's text."""
    running, model = vectors.running(name), MODELS[name]
    texts = describe(model).tokens
    for token, text in enumerate(texts):
        assert running.text(token) == text
        assert running.token(text) == token
    for beyond in range(len(texts), pylstm.stream(model).input_size):
        assert running.text(beyond) == ""
    assert running.token("") == (model.end_ if name in WRITERS else 0)
    assert running.text(2**32 - 1) == running.text(0) == "\ufffd"
    unknown = {"zz", "the catx", "th", "ca", "\N{PILE OF POO}", "\ud800", "\0\0", "\uffff", "\x01"}
    assert not unknown & set(texts)
    for text in unknown:
        assert running.token(text) == 0


def test_tokens_that_texts_seldom_have(tmp_path):
    """Empty, with a NUL, no characters at all, and so many that a place takes more than 16 bits."""
    odd = ["", "a\0b", "a", "\0", "\ud800", "\U0010ffff", "a b", "\ufffd", "*/", "'", "\\"]
    many = [*odd, *(f"token {k}" for k in range(7000))]
    for name, tokens, place in (("few", odd, "uint16_t"), ("many", many, "uint32_t")):
        encoder = TokenEncoder(analyzer=list, vocabulary=tokens).fit([["a"]])
        reg = LSTMRegressor((1,), embedding_size=1, vocabulary_size=len(tokens) + 1, max_iter=1, random_state=0)
        pipeline = make_pipeline(encoder, reg).fit([["a"], ["", "a"]], [1.0, 2.0])
        export = pylstm.export_c(pipeline, tmp_path / f"{name}.c")
        assert f"typedef {place} place_in_{name};" in (tmp_path / f"{name}.c").read_text()
        run(gcc, *C99, "-O0", "-fPIC", "-shared", export.path, "-o", tmp_path / f"{name}.so")
        running = Running(ctypes.CDLL(str(tmp_path / f"{name}.so")), export)
        for number, token in enumerate(tokens, 1):
            assert running.token(token) == number
            assert running.text(number) == token
        assert running.text(0) == "\ue000"
        assert running.token("\ue000") == 0


# ---- writing

WAYS = [
    {"temperature": 0.0},
    {},
    {"temperature": 0.7},
    {"temperature": 1.3, "top_k": 3},
    {"top_k": 1},
    {"top_k": 10_000},
    {"top_p": 0.8},
    {"temperature": 1e-3, "top_p": 1.0},
    {"temperature": 30.0, "top_k": 4, "top_p": 0.7},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("name", WRITERS)
def test_the_same_text_as_python(name, way, vectors, scalars):
    model, prompt, seed = MODELS[name], "the cat", 2**64 - 3
    read = [model.end_, *model.encoder_.encode(prompt)]
    expected = model.generate(prompt, 120, random_state=seed, **way)
    for exported in (vectors, scalars):
        running = exported.running(name)
        drawn = running.write(read, 120, random_state=seed, **way)
        until = drawn.index(model.end_) if model.end_ in drawn else len(drawn)
        assert model.encoder_.decode(drawn[:until]) == expected


def test_what_is_never_drawn(vectors):
    """The end of a text where none was learnt, and the unknown token where none was met."""
    way = {"temperature": 1e9}  # all that can be drawn are drawn as often
    drawn = {name: set(vectors.running(name).write([MODELS[name].end_], 800, **way)) for name in WRITERS}
    for name, model in MODELS.items():
        if name in WRITERS:
            first = 0 if name == "rare" else 1
            assert drawn[name] == {*range(first, model.end_ + (name in ("words", "rare")))}


def test_sampling_where_there_is_no_token(vectors):
    running, other = vectors.running("words"), vectors.running("words")
    sampler, end = Sampler(1, 1.0), MODELS["words"].end_
    for token in (end + 1, 2**32 - 1):
        assert running.call("sample", ctypes.c_uint32(token), ctypes.byref(sampler)) == end
    assert sampler.seed == 1
    np.testing.assert_array_equal(running.state, other.state)


# ---- compilers


def test_other_compilers(vectors):
    paths = [vectors.exports[name].path for name in ("net_1", "values", "tied", "words")]
    compile_all(["g++", "-x", "c++", *WARNINGS, "-fsyntax-only", path] for path in paths)
    needed = run("nm", "--undefined-only", "--extern-only", *(f"{path}.o" for path in paths)).split()
    allowed = {"U", "memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail", *(f"{path}.o:" for path in paths)}
    assert set(needed) <= allowed


@pytest.mark.long
def test_several_in_one_file_under_sanitizers(of_bytes, vectors, tmp_path):
    """A program that writes by a model of floats, and by one of bytes."""
    exports = [vectors.exports["characters"], of_bytes.exports["words"]]
    lines = ["#include <stdio.h>", *(f'#include "{export.path}"' for export in exports), "int main(void)", "{"]
    for name in (export.name for export in exports):
        lines += [
            f"    static {name}_sampler {name}_by;",
            f"    {name}_by.temperature = 0.7f, {name}_by.top_k = 5, {name}_by.seed = 5;",
            f"    {name}_state {name}_on;",
            f"    float {name}_y[{name}_output_size];",
            f"    {name}_reset(&{name}_on);",
            f"    {name}_step(&{name}_on, {name}_n_tokens, {name}_y);",
            f"    uint32_t {name}_is = {name}_end;",
            f"    for (int k = 0; k < 60; k++) {{ {name}_is = {name}_sample(&{name}_on, {name}_is, &{name}_by);",
            f'        printf("%d ", (int)({name}_token({name}_text({name}_is, NULL), 1)',
            ")); }",
            f"    {name}_step(&{name}_on, {name}_is, {name}_y);",
        ]
    (tmp_path / "main.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    run(gcc, *C99[:1], *SANITIZERS, tmp_path / "main.c", "-o", tmp_path / "main")
    assert len(run(tmp_path / "main").split()) == 120
