"""Blobs: what the C library reads of them, and that it reads nothing else."""

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from compilers import SANITIZERS, SOURCES, run
from nets import CELLS
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from toys import ESTIMATORS, toy

import pylstm
from pylstm import LSTMClassifier, LSTMForecaster, LSTMTagger
from pylstm._devices.blob import blob_of, write_blob
from pylstm._net.core import BLOB_LAYERS
from pylstm.preprocessing import PerStep

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stream_program(library, tmp_path_factory):
    """The example that streams a blob."""
    program = tmp_path_factory.mktemp("blob") / "stream"
    run("cc", "-std=c11", f"-I{SOURCES}", ROOT / "examples/c/stream.c", library, "-lm", "-lpthread", "-o", program)
    return program


@pytest.fixture(scope="module")
def mutations_program(library, tmp_path_factory):
    """The C test that opens a blob and its mutations; all that reads of them is under the sanitizers."""
    program = tmp_path_factory.mktemp("blob") / "test_blob"
    sources = [ROOT / "tests/c/test_blob.c", SOURCES / "interface/blob.c"]
    run("cc", "-std=c11", *SANITIZERS, f"-I{SOURCES}", *sources, library, "-lm", "-lpthread", "-o", program)
    return program


def run_in_c(program, blob, X, tmp_path):
    """Return what the program writes of sequences that it reads as text."""
    path = tmp_path / "model.blob"
    path.write_bytes(blob)
    text = "\n".join(" ".join(map(repr, row)) for row in X.tolist())
    done = subprocess.run([program, path], input=text, capture_output=True, text=True, check=True)
    return np.array([[float(value) for value in line.split()] for line in done.stdout.splitlines()])


def check_in_c(program, model, X, tmp_path):
    expected = pylstm.stream(model).process(X)
    np.testing.assert_array_equal(run_in_c(program, blob_of(model), X, tmp_path).astype(expected.dtype), expected)


# ---- what C makes of it


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden_size", [1, 5, (17, 8), (3, 33, 2)])
def test_nets(stream_program, hidden_size, dtype, tmp_path):
    seq = pylstm.Sequence(3, hidden_size, dtype=dtype, random_state=0)
    X = np.random.default_rng(0).standard_normal((20, 3)).astype(dtype)
    check_in_c(stream_program, seq, X, tmp_path)


@pytest.mark.parametrize("cell", ["gru", "rnn", "relu"])
def test_other_cells(stream_program, cell, tmp_path):
    for dtype, sizes in (("float32", (17, 8)), ("float64", (5,))):
        seq = pylstm.Sequence(3, sizes, dtype=dtype, random_state=0, **CELLS[cell])
        X = np.random.default_rng(0).standard_normal((20, 3)).astype(dtype)
        check_in_c(stream_program, seq, X, tmp_path)
    X, y = toy(LSTMTagger)
    tagger = LSTMTagger((7, 4), max_iter=2, random_state=0, **CELLS[cell]).fit(X, y)
    check_in_c(stream_program, tagger, X[0].astype(np.float32), tmp_path)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_estimators(stream_program, cls, dtype, tmp_path):
    X, y = toy(cls)
    estimator = cls((7, 4), max_iter=2, random_state=0, dtype=dtype).fit(X, y)
    check_in_c(stream_program, estimator, X[0].astype(dtype), tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("pooling", "number"), [("mean", 1), ("max", 2)])
def test_running_pools(stream_program, pooling, number, dtype, tmp_path):
    X, y = toy(LSTMClassifier)
    model = LSTMClassifier((7, 4), max_iter=2, random_state=0, dtype=dtype, pooling=pooling).fit(X, y)
    assert struct.unpack_from("<I", blob_of(model), 32) == (number,)
    x = np.random.default_rng(0).standard_normal((20, 2)).astype(dtype)
    check_in_c(stream_program, model, x, tmp_path)
    in_c = run_in_c(stream_program, blob_of(model), x, tmp_path)
    np.testing.assert_array_equal(in_c[-1].astype(dtype), model.predict_proba(x[np.newaxis])[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pipelines(stream_program, dtype, tmp_path):
    """Their readings are doubles to C: a pressure, one beside no float, and a feature as any."""
    means, deviations = np.array([101325.0, 1e-50, 5.0]), np.array([10.0, 1e-50, 3.0])
    X = means + deviations * np.random.default_rng(0).standard_normal((40, 6, 3))
    pipeline = make_pipeline(PerStep(StandardScaler()), LSTMTagger((6,), max_iter=2, random_state=0, dtype=dtype))
    pipeline.fit(X, X[:, :, 2] > 5)
    check_in_c(stream_program, pipeline, X[0], tmp_path)
    in_c = run_in_c(stream_program, blob_of(pipeline), X[0], tmp_path)
    np.testing.assert_array_equal(in_c.astype(dtype), pipeline.predict_proba(X[:1])[0])


def test_nothing_else_is_opened(mutations_program, tmp_path):
    """Every truncation, every flipped bit, trailing bytes: all refused, within the bytes that there are."""
    for model in (
        pylstm.Sequence(2, 3),
        pylstm.Sequence(1, (2, 1), dtype="float64"),
        pylstm.Sequence(2, (2, 1), cell="gru"),
        pylstm.Sequence(1, 2, cell="rnn"),
        pylstm.Sequence(3, 2, embedding_size=2),
        pylstm.Sequence(3, 2, embedding_size="one-hot", cell="gru"),
    ):
        path = tmp_path / "model.blob"
        write_blob(model, path)
        done = subprocess.run([mutations_program, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- the bytes


def test_format():
    X = np.random.default_rng(0).standard_normal((40, 6, 3)).astype(np.float32)
    pipeline = make_pipeline(PerStep(StandardScaler()), LSTMTagger((6, 5, 4), max_iter=1, random_state=0))
    pipeline.fit(X, X[:, :, 0] > 0)
    scaler, model = pipeline[0].transformer_, pipeline[1]._model
    blob = blob_of(pipeline)
    magic, version, checksum, n_bytes = struct.unpack_from("<8s2IQ", blob)
    assert magic == b"\x89PYLSTM\n"
    assert version == 2
    assert checksum == zlib.crc32(blob[16:])
    assert n_bytes == len(blob)
    assert struct.unpack_from("<12I", blob, 24) == (0, 0, 3, 1, 3, 2, 1, 3, 0, 6, 5, 4)
    np.testing.assert_array_equal(np.frombuffer(blob, "<f8", 6, offset=72), [*scaler.mean_, *scaler.scale_])
    weights = np.concatenate([values.ravel() for values in model.parameters().values()])
    np.testing.assert_array_equal(np.frombuffer(blob, "<f4", offset=120), weights)


@pytest.mark.parametrize(("cell", "number"), [("lstm", 0), ("gru", 1), ("rnn", 2), ("relu", 3)])
def test_cell_in_the_format(cell, number):
    seq = pylstm.Sequence(2, 3, random_state=0, **CELLS[cell])
    blob = blob_of(seq)
    assert struct.unpack_from("<2I", blob, 56) == (number, 3)
    weights = np.concatenate([values.ravel() for values in seq.parameters().values()])
    np.testing.assert_array_equal(np.frombuffer(blob, "<f4", offset=64), weights)


def test_pooling_and_loss_of_an_estimator():
    fields = {cls.__name__: struct.unpack_from("<2I", blob_of(cls((3,), max_iter=1).fit(*toy(cls))), 28)
              for cls in ESTIMATORS}  # fmt: skip
    assert fields == {
        "LSTMClassifier": (0, 0),
        "LSTMRegressor": (1, 0),
        "LSTMTagger": (0, 3),
        "LSTMSequenceRegressor": (1, 3),
    }


def test_write_replaces_the_file(tmp_path):
    path = tmp_path / "model.blob"
    path.write_text("something else")
    seq = pylstm.Sequence(2, 3, random_state=0)
    write_blob(seq, path)
    assert path.read_bytes() == blob_of(seq)
    assert list(tmp_path.iterdir()) == [path]


# ---- what is refused


def test_models_that_do_not_stream():
    with pytest.raises(ValueError, match="bidirectional"):
        blob_of(pylstm.Sequence(2, 3, bidirectional=True))
    with pytest.raises(NotFittedError):
        blob_of(LSTMTagger())
    with pytest.raises(ValueError, match="LSTMForecaster"):
        blob_of(LSTMForecaster((3,), max_iter=1).fit(np.sin(np.arange(60.0))))
    with pytest.raises(TypeError, match="model must be"):
        blob_of("model")


def test_too_many_layers():
    assert len(blob_of(pylstm.Sequence(1, (1,) * BLOB_LAYERS))) > 0
    with pytest.raises(
        ValueError, match=f"model must have at most {BLOB_LAYERS} layers to be written as a blob, got 33"
    ):
        blob_of(pylstm.Sequence(1, (1,) * 33))


def test_no_file_is_left_where_none_can_be_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_blob(pylstm.Sequence(1, 1), tmp_path / "missing" / "model.blob")
    with pytest.raises(ValueError, match="bidirectional"):
        write_blob(pylstm.Sequence(1, 1, bidirectional=True), tmp_path / "model.blob")
    assert list(tmp_path.iterdir()) == []
