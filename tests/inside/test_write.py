"""``python -m pylstm write``."""

import pytest

import pylstm
from pylstm.__main__ import main

TEXT = "the cat sat on the mat. " * 80


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """A folder of its own, as models are saved in the current one."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cats.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_trains_saves_and_writes_on(file, capsys):
    assert main(["write", str(file), "--hidden", "16", "--epochs", "2", "--length", "30", "--prompt", "the "]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{file}: 1,920 characters, the last 96 held out"
    for epoch in (1, 2):
        assert lines[epoch].startswith(f"epoch {epoch}/2, loss ")
        assert "held out" in lines[epoch]
        assert len(lines[epoch].split("| ")[1]) <= 40
    model = pylstm.load("cats.safetensors")
    written = model.generate("the ", 30, temperature=0.7, random_state=0)
    assert "\n".join(lines).endswith("the " + written)
    assert model.hidden_layer_sizes == (16,)


def test_by_words(file, capsys):
    arguments = ["--word", "--hidden", "8", "4", "--epochs", "1", "--length", "5", "--save", "model", "--prompt", "the"]
    assert main(["write", str(file), *arguments]) == 0
    words = capsys.readouterr().out.splitlines()[-1].split()
    assert words[0] == "the"
    assert len(words) == 6
    assert pylstm.load("model").analyzer == "word"


def test_errors(tmp_path, capsys):
    short = tmp_path / "short.txt"
    short.write_text("too short", encoding="utf-8")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00" * 1000)
    for path, message in ((short, "at least 1000 characters"), (binary, "utf-8"), (tmp_path / "none", "No such file")):
        assert main(["write", str(path)]) == 1
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be an integer >= 1, got 0"),
        (["--length", "-1"], "--length must be an integer >= 0, got -1"),
        (["--temperature", "nan"], "--temperature must be a number"),
        (["--save", "none/model"], "--save must name a file in a folder that can be written to, got 'none/model'"),
        (["--save", "."], "--save must name a file"),
    ],
)
def test_refused_before_anything_is_learnt(file, capsys, arguments, message):
    assert main(["write", str(file), *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_an_end_of_blanks(tmp_path, capsys):
    path = tmp_path / "blank.txt"
    path.write_text(TEXT + " " * len(TEXT), encoding="utf-8")
    assert main(["write", str(path), "--word"]) == 1
    assert "must not end in" in capsys.readouterr().err
    assert main(["write", str(path), "--hidden", "4", "--epochs", "1", "--length", "3"]) == 0  # characters like others
