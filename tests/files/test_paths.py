"""Paths that nothing can be written to, or read from: errors name the path and the argument, and nothing is left."""

import numpy as np
import pytest

import pylstm


@pytest.fixture(scope="module")
def model():
    return pylstm.LSTMRegressor((2,), max_iter=1, random_state=0).fit(np.ones((4, 2, 1)), np.ones(4))


WRITERS = {
    "save": lambda model, path: model.save(path),
    "export_c": lambda model, path: pylstm.export_c(model, path, name="net"),
    "to_html": lambda model, path: model.trace(np.ones((1, 2, 1))).to_html(path),
}


@pytest.mark.parametrize("write", WRITERS)
def test_names_that_are_too_long(write, model, tmp_path):
    for path in (tmp_path / ("a" * 300), tmp_path / ("a/" * 3000)):
        with pytest.raises(OSError, match="a" * 300 if path.parent == tmp_path else "a/" * 100) as raised:
            WRITERS[write](model, path)
        assert raised.value.filename == str(path)
        assert "tmp'" not in str(raised.value)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as raised:
        WRITERS[write](model, tmp_path / "file" / "model")
    assert raised.value.filename == str(tmp_path / "file" / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("write", [*WRITERS, "load"])
@pytest.mark.parametrize(
    ("path", "error"), [(3, TypeError), (None, TypeError), (object, TypeError), ("a\0b", ValueError)]
)
def test_what_is_no_path(write, path, error, model):
    with pytest.raises(error, match=r"^path must (be a string or path-like|have no null character), got "):
        pylstm.load(path) if write == "load" else WRITERS[write](model, path)


def test_no_path_for_a_blob(model, tmp_path):
    with pytest.raises(TypeError, match="weights_blob must be a string or path-like, got 3"):
        pylstm.export_c(model, tmp_path / "net.c", weights_blob=3)
    assert not list(tmp_path.iterdir())


def test_labels_of_a_page(tmp_path):
    trace = pylstm.Sequence(1, 2, random_state=0).trace(np.ones((1, 2, 1)))
    with pytest.raises(TypeError, match="labels must have one for each of the 2 steps, got 7"):
        trace.to_html(tmp_path / "page.html", labels=7)
