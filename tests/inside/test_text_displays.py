"""Texts coloured token by token."""

import re

import numpy as np
import pytest

import pylstm
from pylstm import CellTextDisplay, LSTMLanguageModel, SurprisalDisplay

TEXT = "be (or <not>)\nto be"


@pytest.fixture(scope="module")
def model():
    return LSTMLanguageModel((6, 4), max_iter=3, batch_size=2, random_state=0).fit("to be (or <not>)\nto be. " * 20)


@pytest.fixture(scope="module")
def words():
    return LSTMLanguageModel((5,), analyzer="word", max_iter=1, random_state=0).fit(["to be or not", "not to be"])


def without_tags(html):
    return re.sub("<[^>]*>", "", html)


def test_values_are_those_of_the_trace(model):
    display = CellTextDisplay.from_estimator(model, TEXT, units=[3, 0], layer=0)
    assert display.tokens == list(TEXT)
    c = model.trace(TEXT).sequence(0)["c_l0"][1:]
    for unit, (title, values) in zip([3, 0], display.rows, strict=True):
        assert title == f"unit {unit}"
        np.testing.assert_array_equal(values, c[:, unit].astype(np.float64))
    gates = CellTextDisplay.from_estimator(model, TEXT, units=[1], layer=1, of="f")
    np.testing.assert_array_equal(gates.rows[0][1], model.trace(TEXT).sequence(0)["f_l1"][1:, 1].astype(np.float64))


def test_units_that_tell(model):
    inside = [character in "or <not>" for character in TEXT]
    display = CellTextDisplay.from_estimator(model, TEXT, tells=inside, n_units=2)
    c = model.trace(TEXT).sequence(0)["c_l0"][1:].astype(np.float64)
    strength = [abs(np.corrcoef(c[:, unit], inside)[0, 1]) for unit in range(c.shape[1])]
    units = [int(title.split(",")[0].removeprefix("unit ")) for title, _ in display.rows]
    assert units == np.argsort(strength)[::-1][:2].tolist()
    for unit, (title, _) in zip(units, display.rows, strict=True):
        assert abs(abs(float(title.rsplit(" ", 1)[1])) - strength[unit]) < 0.006
    vary = CellTextDisplay.from_estimator(model, TEXT, n_units=1)
    assert vary.rows[0][0] == f"unit {c.std(axis=0).argmax()}"


def test_surprisal(model):
    display = SurprisalDisplay.from_estimator(model, TEXT)
    np.testing.assert_array_equal(display.rows[0][1], model.surprisal(TEXT))
    assert display.scale == np.log2(len(model.encoder_.tokens_))
    assert f"{model.surprisal(TEXT).mean():.2f} bits" in display.rows[0][0]


def test_html_has_the_text_and_no_tags_of_it(model):
    shown = SurprisalDisplay.from_estimator(model, TEXT)._repr_html_()
    assert "<not>" not in shown
    assert "&lt;" in shown
    assert shown.count("<span") == len(TEXT)
    text = without_tags(shown.replace("&lt;", "\x01").replace("&gt;", "\x02")).replace("\x01", "<").replace("\x02", ">")
    assert text.endswith(TEXT.replace("\n", "\u21b5"))


def test_terminal(words):
    display = SurprisalDisplay.from_estimator(words, "to be or sleep")
    assert display.tokens == ["to", "be", "or", "\ufffd"]
    plain = re.sub("\x1b[^m]*m", "", display.to_terminal())
    assert plain.splitlines()[1] == "to be or \ufffd"
    assert str(display) == display.to_terminal()
    _, above, below = display.to_terminal(colour=False).splitlines()
    assert above.split() == display.tokens
    assert len(below.split()) == 4
    assert all(0 < int(number) <= 9 for number in below.split())


def test_what_is_weak_is_not_coloured():
    display = SurprisalDisplay(["a", "b", "c"], [("title", [0.0, 1.0, -0.5])])
    assert display.to_html().count("background") == 2
    assert display.to_terminal().count("\x1b[48") == 2
    spaced = SurprisalDisplay(["a", "b", "c"], display.rows, joined_by=" ")
    assert spaced.to_terminal(colour=False).splitlines()[2].split() == ["9", "-5"]
    nothing = SurprisalDisplay(["a"], [("title", [0.0])])
    assert "background" not in nothing.to_html()


def test_errors(model):
    for arguments, message in (
        ({"units": [6]}, "units must be of the layer's 6"),
        ({"units": [-1]}, "units must be an integer >= 0"),
        ({"layer": 2}, "layer must be one of 2"),
        ({"of": "z"}, "of must be one of"),
        ({"tells": [1, 0]}, r"tells must have shape \(19,\)"),
        ({"tells": [1] * 19}, "tells must be finite and differ"),
        ({"n_units": 0}, "n_units must be an integer >= 1"),
    ):
        with pytest.raises(ValueError, match=message):
            CellTextDisplay.from_estimator(model, TEXT, **arguments)
    for cls in (CellTextDisplay, SurprisalDisplay):
        with pytest.raises(ValueError, match="text must have a token"):
            cls.from_estimator(model, "")
    with pytest.raises(ValueError, match=r"values of 'x' must have shape \(2,\)"):
        SurprisalDisplay(["a", "b"], [("x", [1.0])])


def test_other_cells():
    gru = LSTMLanguageModel((4,), cell="gru", max_iter=1, random_state=0).fit("abab" * 20)
    display = CellTextDisplay.from_estimator(gru, "abba", units=[0])  # h, as it has no c
    np.testing.assert_array_equal(display.rows[0][1], gru.trace("abba").sequence(0)["h_l0"][1:, 0].astype(np.float64))


def test_names_are_public():
    assert {"CellTextDisplay", "SurprisalDisplay"} <= set(pylstm.__all__)
