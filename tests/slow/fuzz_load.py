"""Mutated files of saved models: `pylstm.load` refuses them, or what it returns predicts.

    python tests/slow/fuzz_load.py [--cases 1000000] [--seed 0]

In every twentieth case what it returns is also saved and loaded again, exported, and goes on learning.
Anything else than ValueError or OSError ends it with the number of the case, which `--only` runs alone; so does a case
of more than ten seconds, or one that asks for a gigabyte. Needs POSIX.
"""

import argparse
import json
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
from pylstm.preprocessing import PerStep

SECONDS_PER_CASE, MORE_MEMORY = 10, 1 << 30
#: What the forecaster learns.
SERIES = np.sin(np.arange(40.0))
#: What stands where something else is expected, in JSON ...
VALUES = [
    None, True, False, 0, 1, 2, 3, -1, 624, 625, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**62, 2**63 - 1, 2**63, -(2**63),
    10**30, 0.0, -0.5, 1e-320, 1e308, 0.999999, float("nan"), float("inf"), "", "x", "float32", "float64", "gru", "rnn",
    "lstm", "relu", "chrono", "numbers", "strings", "objects", "balanced", "LSTMTagger", "LSTMForecaster", "\0",
    "\ud800", "auto", "adam", [], {}, [0], [1], [3], [3, 3], [2**62], ["a", "b"], [[1, 2]], {"pairs": []},
    {"pairs": [["up", 1e300]]}, [[]] * 3,
]  # fmt: skip
#: ... and among the bytes of arrays.
PIECES = [
    bytes(8), b"\xff" * 8, np.float32(np.nan).tobytes(), np.float64(np.inf).tobytes(), np.int64(2**62).tobytes(),
    np.float32(1e-42).tobytes(), np.float32(3e38).tobytes(), np.uint32([624, 625, 0x10FFFF, 0xD800]).tobytes(),
]  # fmt: skip
DTYPES = [
    "BOOL",
    "U8",
    "I8",
    "F8_E5M2",
    "I16",
    "U16",
    "F16",
    "BF16",
    "I32",
    "U32",
    "F32",
    "F64",
    "I64",
    "U64",
    "F4",
    "C64",
]


def models():
    """Yield fitted models, what each predicts from, and what it is to predict of that."""
    rng = np.random.default_rng(0)
    ragged = [rng.normal(size=(length, 3)) for length in (2, 5, 3, 4, 1, 6, 2, 5)]
    labels = np.array(["down", "up"] * 4)
    small = {"max_iter": 1, "random_state": 0}
    scaled = make_pipeline(PerStep(StandardScaler()), pylstm.LSTMClassifier((3,), **small))
    yield scaled.fit(ragged, labels), ragged, labels
    early = pylstm.LSTMClassifier((2, 2), bidirectional=True, early_stopping=True, validation_fraction=0.5, **small)
    yield early.fit(ragged, labels.astype(object)), ragged, labels.astype(object)
    flat = rng.normal(size=(8, 4))
    regressor = pylstm.LSTMRegressor((2,), cell="gru", dtype="float64", pooling="mean", **small)
    yield regressor.fit(flat, flat[:, :2]), flat, flat[:, :2]
    tags = [x[:, 0] > 0 for x in ragged]
    yield pylstm.LSTMTagger((2,), cell="rnn", nonlinearity="relu", **small).fit(ragged, tags), ragged, tags
    steps = pylstm.LSTMSequenceRegressor((2,), forget_bias="chrono", solver="sgd", **small)
    values = [x[:, 0] for x in ragged]
    yield steps.fit(ragged, values), ragged, values
    texts = [rng.integers(5, size=len(x)) for x in ragged]
    yield pylstm.LSTMClassifier((3,), embedding_size=2, **small).fit(texts, labels), texts, labels
    yield pylstm.LSTMForecaster((3,), **small).fit(SERIES), 3, None
    tokens = [rng.integers(1, 6, length) for length in (2, 5, 3, 4, 1, 6, 2, 5)]
    embedded = pylstm.LSTMClassifier((3,), embedding_size=2, vocabulary_size=7, **small)
    yield embedded.fit(tokens, labels), tokens, labels
    one_hot = pylstm.LSTMRegressor((3,), embedding_size="one-hot", **small)
    yield one_hot.fit(tokens, flat[:, 0]), tokens, flat[:, 0]
    texts = ["the cat", "a mat", "", "the rat sat"]
    yield pylstm.LSTMLanguageModel((3,), **small).fit(texts), texts, None
    words = pylstm.LSTMLanguageModel((3,), analyzer="word", tie_weights=True, **small)
    yield words.fit("the cat sat on the mat"), "the cat", None


# ---- mutations: of the bytes, of safetensors' header, of the JSON object within it


def flip(rng, content, _):
    for _ in range(rng.choice([1, 1, 2, 8])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return content


def flip_in_header(rng, content, _):
    end = 8 + int.from_bytes(content[:8], "little")
    for _ in range(rng.choice([1, 1, 2, 8])):
        content[rng.randrange(rng.choice([8, end]))] = rng.choice(b'0129"{}[]:,\\a\xff\0-.e ')
    return content


def truncate(rng, content, _):
    return content[: rng.randrange(len(content))]


def append(rng, content, _):
    return content + rng.randbytes(rng.choice([1, 8, 1000]))


def splice(rng, content, others):
    """Put a piece of some file, or of this one, in place of another."""
    source = rng.choice([*others, content])
    start, length = rng.randrange(len(source)), rng.choice([1, 4, 16, 64, 1000])
    at, removed = rng.randrange(len(content)), rng.choice([0, length])
    content[at : at + removed] = source[start : start + length]
    return content


def numbers(rng, content, _):
    """Put numbers that mean something at places where arrays have theirs."""
    start = 8 + int.from_bytes(content[:8], "little")
    for _ in range(rng.choice([1, 2, 30])):
        at = rng.randrange(start, len(content) - 32) // 4 * 4
        piece = rng.choice(PIECES)
        content[at : at + len(piece)] = piece
    return content


def edit_header(rng, content, _):
    """Change dtypes, shapes, offsets and names of arrays."""
    header, body = take_apart(content)
    names = [name for name in header if name != "__metadata__"]
    for _ in range(rng.choice([1, 1, 2])):
        name = rng.choice(names)
        if name not in header:
            continue
        array = header[name]
        kind = rng.randrange(7)
        if kind == 0:
            array["dtype"] = rng.choice(DTYPES)
        elif kind == 1:
            array["shape"] = array["shape"][::-1]
        elif kind == 2:
            array["shape"] = [
                rng.choice([0, 1, 2, 3, 2**31, 2**62, 2**64 - 1]) for _ in range(rng.choice([0, 1, 2, 3, 70]))
            ]
        elif kind == 3:
            array["data_offsets"] = [
                rng.choice([0, 1, 8, len(body), 2**62]),
                rng.choice([0, 8, 64, len(body), 2**64 - 1]),
            ]
        elif kind == 4:
            other = rng.choice(names)
            if other in header:
                header[name], header[other] = header[other], array
        elif kind == 5:
            del header[name]
        else:
            header[rng.choice(["h_l0", "scaler.mean_", "weight_ih_l9", "", "\0", "classes_"])] = header.pop(name)
    return put_together(header, body)


def without_an_array(rng, content, _):
    """Take an array out of the file, its bytes too, or make one empty: the format stays valid."""
    header, body = take_apart(content)
    name = rng.choice([name for name in header if name != "__metadata__"])
    start, end = header[name]["data_offsets"]
    if rng.random() < 0.5:
        del header[name]
    else:
        header[name].update(shape=[rng.choice([0, 2**40]), 0][: rng.choice([1, 2])], data_offsets=[start, start])
        if header[name]["shape"] == [2**40]:
            header[name]["shape"] = [0]
    for array in (array for key, array in header.items() if key != "__metadata__"):
        if array["data_offsets"][0] >= end:
            array["data_offsets"] = [offset - (end - start) for offset in array["data_offsets"]]
    return put_together(header, body[:start] + body[end:])


def edit_document(rng, content, _):
    """Change the JSON object, and leave all around it valid."""
    header, body = take_apart(content)
    document = json.loads(header["__metadata__"]["pylstm"])
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        places = list(nodes(document))
        at, key = rng.choice(places)
        kind = rng.randrange(6)
        if kind == 0 and isinstance(at, dict):
            del at[key]
        elif kind == 1 and isinstance(at, dict):
            at[rng.choice(["more", "pipeline", "t_max", "n_errors", "burn_in", ""])] = at[key]
        elif kind == 2:
            other, its_key = rng.choice(places)
            at[key], other[its_key] = json.loads(json.dumps([other[its_key], at[key]]))
        else:
            at[key] = rng.choice(VALUES)
        document = json.loads(json.dumps(document))  # nothing in two places
    text = json.dumps(document)
    if rng.random() < 0.02:
        text = rng.choice(
            [text.replace("1", "9" * 5000, 1), "[" * 10**5, text[:-1], text.replace(":", ":" * 2, 1), "1e999"]
        )
    header["__metadata__"]["pylstm"] = text
    return put_together(header, body)


MUTATIONS = [
    flip,
    flip_in_header,
    truncate,
    append,
    splice,
    numbers,
    edit_header,
    without_an_array,
    *[edit_document] * 4,
]


def take_apart(content):
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), bytes(content[end:])


def put_together(header, body):
    text = json.dumps(header).encode()
    return bytearray(len(text).to_bytes(8, "little") + text + body)


def nodes(value):
    """Yield every place within a JSON value: what holds it, and its key there."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from nodes(value[key])


# ---- the loop


class TooLongError(BaseException):
    """A case took too long; no OSError, as TimeoutError would be."""


def mutated(seed, case, contents):
    """Return the bytes of a case, and which model's they were."""
    rng = random.Random(f"{seed} {case}")
    which = rng.randrange(len(contents))
    content = bytearray(contents[which])
    mutations = rng.choices(MUTATIONS, k=rng.choice([1, 1, 1, 2, 3]))
    for mutation in mutations:
        try:
            content = mutation(rng, content, contents)
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
            RecursionError,
        ):  # of a file that an earlier one broke
            break
    return content, which


def use(model, X, y, directory):
    """Do what else can be done with a model that predicts; ValueError alone may say that it can't."""
    pylstm.save(model, directory / "again")
    pylstm.load(directory / "again")
    given = (SERIES,) if isinstance(model, pylstm.LSTMForecaster) else (X, y)
    for action in (
        lambda: pylstm.export_c(model, directory / "model.c"),
        lambda: model.partial_fit(*given) if hasattr(model, "partial_fit") else None,
    ):
        with suppress(ValueError):
            action()


def answer(model, X):
    """Predict, or write."""
    if not isinstance(model, pylstm.LSTMLanguageModel):
        model.predict(X)
        return
    try:
        model.score(X)
        model.generate("the", 5, random_state=0)
    except TypeError as error:  # the file may say that there were lists of tokens
        raise ValueError from error


def load_and_use(path, X, y, thoroughly):
    """Return what became of a file."""
    try:
        model = pylstm.load(path)
    except (ValueError, OSError) as error:
        return type(error).__name__
    try:
        answer(model, X)
    except ValueError:
        return "loaded, X refused"
    if thoroughly:
        use(model, X, y, path.parent)
    return "loaded"


def run(cases, seed, directory):
    contents, inputs = [], []
    path = Path(directory) / "model"
    with warnings.catch_warnings(action="ignore"):
        for model, X, y in models():
            pylstm.save(model, path)
            contents.append(path.read_bytes())
            inputs.append((X, y))
    results, slowest = Counter(), (0.0, None)
    soft = address_space() + MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    for case in cases:
        content, which = mutated(seed, case, contents)
        path.unlink()  # to cut a file that is there takes ext4 three milliseconds
        path.write_bytes(content)
        signal.alarm(SECONDS_PER_CASE)
        start = time.perf_counter()
        try:
            results[load_and_use(path, *inputs[which], thoroughly=case % 20 == 0)] += 1
        except BaseException:
            signal.alarm(0)
            traceback.print_exc()
            sys.exit(f"case {case} of seed {seed}")
        signal.alarm(0)
        slowest = max(slowest, (time.perf_counter() - start, case))
    print(f"{sum(results.values())} cases: {dict(results)}; the slowest, {slowest[1]}, took {slowest[0]:.3f} s")


def address_space():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=10**6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this case alone")
    arguments = parser.parse_args()
    cases = range(arguments.cases) if arguments.only is None else [arguments.only]

    def too_long(*_):
        raise TooLongError("more than ten seconds")

    signal.signal(signal.SIGALRM, too_long)
    with tempfile.TemporaryDirectory() as directory:
        run(cases, arguments.seed, directory)


if __name__ == "__main__":
    main()
