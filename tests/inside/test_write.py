"""``python -m pylstm write``."""

import pytest

import pylstm
from pylstm.__main__ import main

TEXT = "the cat sat on the mat. " * 80


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
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
