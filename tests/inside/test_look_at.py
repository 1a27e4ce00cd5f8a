"""`python -m pylstm look MODEL`: a saved language model while it reads."""

import json
import re

import numpy as np
import pytest

import pylstm
from pylstm import LSTMLanguageModel
from pylstm.__main__ import main
from pylstm._inside import look_at

TEXT = "the cat sat on the mat.\n" * 40


@pytest.fixture(params=[("lstm", (12,), "char"), ("gru", (8, 7), "char"), ("rnn", (3,), "word")], ids=str)
def saved(request, tmp_path):
    """A small model, and its file."""
    cell, sizes, analyzer = request.param
    model = LSTMLanguageModel(sizes, cell=cell, analyzer=analyzer, max_iter=2, random_state=0).fit(TEXT)
    model.save(tmp_path / "model.safetensors")
    return model, str(tmp_path / "model.safetensors")


def test_terminal(saved, capsys):
    model, path = saved
    assert main(["look", path, "--text", "the cat\n"]) == 0
    printed = capsys.readouterr().out
    labels = ["(end)", *"the cat", r"'\n'"] if model.analyzer == "char" else ["(end)", "the", "cat"]
    lines = [line for line in printed.splitlines() if " -> " in line]
    assert [line.split(" -> ")[0].strip() for line in lines] == [label.replace(" ", "' '") for label in labels]
    assert "\x1b" not in printed  # it is no terminal
    last = len(model.hidden_layer_sizes) - 1
    trace, name = model.trace("the cat\n").sequence(0), "h" if model.cell != "lstm" else "c"
    memory = trace[f"{name}_l{last}"]
    way = look_at.restless(memory)
    units = np.flatnonzero(way >= np.sort(way)[-6:].min())
    assert f"down most, {', '.join(map(str, units))}. All {memory.shape[1]}" in " ".join(printed.split())
    surprisal = model.surprisal("the cat\n")
    assert f"A token takes {surprisal.mean():.2f} bits" in printed
    for token, probability in model.predict_next("", 1):
        assert f"(end) -> {look_at.shown(token)} {probability:.0%}" in re.sub(" +", " ", lines[0])


def test_units_that_only_grow_are_not_restless():
    steps = np.linspace(0, 1, 9)
    memory = np.column_stack([9 * steps, -steps, np.cos(9 * steps), np.ones(9)])
    np.testing.assert_allclose(look_at.restless(memory)[[0, 1, 3]], 0, atol=1e-14)
    assert look_at.restless(memory).argmax() == 2
    assert look_at.restless(memory[:1]).tolist() == [0] * 4


def test_page(saved, tmp_path, capsys):
    model, path = saved
    html = tmp_path / "look.html"
    assert main(["look", path, "--text", "the cat", "--html", str(html)]) == 0
    assert capsys.readouterr().out.startswith(f"{html}: open it in a browser. {path}: ")
    data = json.loads(re.search(r'id="data">(.*?)</script>', html.read_text(encoding="utf-8"))[1])
    assert len(data["layers"]) == len(model.hidden_layer_sizes)
    assert data["start"]["layer"] == len(model.hidden_layer_sizes) - 1
    assert len(data["labels"]) == len(data["guesses"]) == len(model.encoder_.encode("the cat")) + 1
    assert data["labels"][0] == "(end)"


def test_what_it_writes_itself(saved, capsys):
    model, path = saved
    assert main(["look", path]) == 0
    printed = capsys.readouterr().out
    assert "what the model writes by itself" in " ".join(printed.split())
    written = model.generate(max_new_tokens=40, random_state=0)
    assert printed.count(" -> ") == len(model.encoder_.encode(written)) + 1


def test_model_of_lists_of_words(tmp_path, capsys):
    model = LSTMLanguageModel((4,), analyzer="word", max_iter=1, random_state=0).fit([["New York", "is"], ["it", "is"]])
    model.set_params(cell="gru").save(tmp_path / "model")  # which is for the next fit
    assert main(["look", str(tmp_path / "model"), "--text", "it is"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(" -> ") == 3
    assert "f keeps" in printed
    assert main(["look", str(tmp_path / "model")]) == 0


def test_text_without_a_token(saved, capsys):
    """Shows what is thought before there is one."""
    _, path = saved
    assert main(["look", path, "--text", ""]) == 0
    printed = capsys.readouterr().out
    assert printed.count(" -> ") == 1
    assert "bits" not in printed


def test_errors(tmp_path, capsys):
    other = pylstm.LSTMRegressor((2,), max_iter=1).fit(np.ones((4, 3, 1)), np.arange(4.0))
    other.save(tmp_path / "other.safetensors")
    for arguments, message in (
        (
            [str(tmp_path / "other.safetensors")],
            "must be a language model, as python -m pylstm write saves it, got LSTMRe",
        ),
        ([str(tmp_path / "none")], "none"),
        (["--text", "the cat"], "--text goes with a MODEL"),
    ):
        assert main(["look", *arguments]) == 1
        assert message in capsys.readouterr().err
