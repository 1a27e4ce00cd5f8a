"""`python -m pylstm look`: what it prints, and the page that it writes."""

import json
import os
import pty
import re
import subprocess
import sys

import browser
import numpy as np
import pytest

import pylstm
from pylstm.__main__ import main
from pylstm._inside import look
from pylstm._inside.page import page
from pylstm._inside.terminal import Block, heat_maps

ESCAPES = re.compile("\x1b\\[[0-9;]*m")
N = len(look.SENTENCE)
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def toy():
    return look.train()


@pytest.fixture(scope="module")
def values(toy):
    """The gates in the sentence, by letter."""
    return {name[0]: array for name, array in toy.tagger.trace([toy.encode(look.SENTENCE)]).sequence(0).items()}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if browser.CHROMIUM is None:
        pytest.skip(browser.NO_CHROMIUM)
    with browser.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


def test_sentences():
    rng = np.random.default_rng(1)
    kind_of = {word: kind for kind, words in look.THINGS.items() for word in words}
    for _ in range(100):
        sentence = " ".join(look.new_sentence(rng))
        kinds = [{kind_of[w] for w in clause.split() if w in kind_of} for clause in sentence.split(" but ")]
        assert all(len(kind) == 1 for kind in kinds)
        assert len(kinds) == 1 or kinds[0] != kinds[1]


def test_toy_has_learned(toy):
    guessed = [look.best(guess) for guess in look.guesses(toy, look.SENTENCE)]
    assert [guessed[step] for step in (3, 8, 10)] == ["food", "drink", "drink"]
    rng = np.random.default_rng(2)
    right, asked = 0, 0
    for _ in range(50):
        sentence = look.new_sentence(rng)[:-1]
        for word, after, guess in zip(sentence, sentence[1:], look.guesses(toy, sentence), strict=False):
            if word in ("and", "likes"):
                asked += 1
                right += after in look.THINGS.get(look.best(guess), [])
                assert sum(guess.values()) == pytest.approx(1, abs=1e-5)
    assert right > 0.9 * asked > 50


def test_what_to_see(toy, values):
    f, c = values["f"], values["c"]
    step, unit = look.most_forgotten(f, c)
    erased = [((1 - f[t, u]) * abs(c[t - 1, u]), t, u) for t in range(1, N) for u in range(f.shape[1])]
    assert max(erased)[1:] == (step, unit)
    text = look.what_to_see(toy, look.SENTENCE, f, c)
    others = np.mean([f[t, unit] for t in range(N) if t != step])
    assert text.startswith(f'At "{look.SENTENCE[step]}" unit {unit} forgets: f = {f[step, unit]:.2f}, ')
    assert f"on average {others:.2f} at the other words" in text
    assert f"from {c[step - 1, unit]:.2f} to {c[step, unit]:.2f}" in text
    held = np.full_like(f, np.nan)
    held[step, unit] = 1
    [own] = toy.tagger.predict_proba([toy.encode(look.SENTENCE)])
    [kept] = toy.tagger.predict_proba([toy.encode(look.SENTENCE)], hold={"f": [held]})
    kind, word, less, more = re.search(
        r'1 there, (\S+) is guessed after "(\w+)" with (\d+)% instead of (\d+)%', text
    ).groups()
    columns = np.isin(toy.tagger.classes_, look.THINGS.get(kind, [kind.strip('"')]))
    shares = zip(look.SENTENCE, kept[:, columns].sum(axis=1), own[:, columns].sum(axis=1), strict=True)
    assert (word, less, more) in [(w, f"{100 * a:.0f}", f"{100 * b:.0f}") for w, a, b in shares]
    assert look.what_to_see(toy, look.SENTENCE, np.full_like(f, 0.9), c).startswith("No unit forgets")


def test_plain_text(toy, values):
    """Not a terminal: no escapes, digits in tenths."""
    guessed = ["a guess 9%"] * N
    lines = look.terminal(values, ["About it."], "What to see.", guessed, 80, colour=False)
    assert not any("\x1b" in line for line in lines)
    assert max(map(len, lines)) <= 80
    first = next(index for index, line in enumerate(lines) if line.startswith("I "))
    for step, line in enumerate(lines[first : first + N]):
        assert line.startswith(look.SENTENCE[step])
        cells = line[line.index("%") + 1 :].rstrip()[-(4 * 12 + 3 * 2) :]
        for letter, block in zip("fio", range(3), strict=False):
            digits = cells[block * 14 : block * 14 + 12].split()
            assert digits == [str(min(int(value * 10), 9)) for value in values[letter][step]]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_width_is_kept_to(toy, values, width):
    guessed = ["a guess 9%"] * N
    for colour in (False, True):
        lines = look.terminal(values, ["About it. " * 30], "What to see. " * 20, guessed, width, colour)
        assert max(len(ESCAPES.sub("", line)) for line in lines) <= width
        words = sum(ESCAPES.sub("", line).startswith("pizza") for line in lines)
        assert words == (4 if width < 50 else 2 if width == 60 else 1)


def test_colours():
    block = Block("c", "memory", np.array([[0.0, 1.0, -1.0], [2.0, -2.0, 5.0]]), scale=2.0)
    _, _, one, two = heat_maps(["a", "b"], [block], 80, True)
    colours = [re.findall(r"48;5;(\d+)m", line) for line in (one, two)]
    assert colours[0][0] == "234"
    assert len({*colours[0], *colours[1]}) == 5  # more than the scale is shown as the scale
    assert colours[1][0] == colours[1][2]
    assert one.rstrip().endswith("\x1b[0m")


def run_look(environment):
    """Return what the command writes to a terminal."""
    code = f"import sys; sys.path[:0] = {sys.path!r}; from pylstm.__main__ import main; sys.exit(main(['look']))"
    written = b""
    own, its = pty.openpty()
    variables = {**os.environ, "COLUMNS": "80", "TERM": "xterm-256color", **environment}
    with subprocess.Popen([sys.executable, "-P", "-c", code], stdout=its, env=variables) as process:
        os.close(its)
        while True:
            try:
                part = os.read(own, 4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            written += part
    os.close(own)
    assert process.returncode == 0
    return written.decode()


def test_a_terminal_gets_colours():
    written = run_look({"NO_COLOR": ""})
    assert written.count("\x1b[48;5;") > 4 * 6 * N
    assert "unit" in ESCAPES.sub("", written)


@pytest.mark.long
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_may_refuse_colours(environment):
    assert "\x1b" not in run_look(environment)


def test_command(tmp_path, capsys):
    path = tmp_path / "look.html"
    assert main(["look", "--html", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: ")
    assert path.read_text().startswith("<!doctype html>")
    assert main(["look"]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed  # it is no terminal
    assert "f keeps" in printed
    assert main(["look", "--html", str(tmp_path / "none" / "look.html")]) == 1
    assert "none" in capsys.readouterr().err


def test_without_scikit_learn():
    code = "import sys; sys.modules['sklearn'] = None; from pylstm.__main__ import main; sys.exit(main(['look']))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("pylstm.LSTMTagger needs sklearn")
    assert done.stderr.strip().endswith("pip install 'pylstm[sklearn]'")


# --- the page


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def trace_of(cell="lstm", hidden_size=(3, 2), bidirectional=True, n_steps=5):
    rng = np.random.default_rng(0)
    seq = pylstm.Sequence(2, hidden_size, bidirectional=bidirectional, cell=cell, random_state=0)
    return seq.trace(rng.normal(size=(2, n_steps, 2)))


def test_page_is_one_file(toy):
    trace = toy.tagger.trace([toy.encode(look.SENTENCE)])
    text = page(trace, 0, look.SENTENCE, "A title")
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.findall(r"<link(?! rel=\"icon\" href=\"data:,\")|<img|<iframe|@import|url\(|\bfetch\(|import\(", text)
    assert "default-src 'none'" in text


def test_page_has_the_numbers_of_every_layer():
    trace = trace_of()
    data = data_of(page(trace, 1, list("abcde"), "A title"))
    assert [layer["name"] for layer in data["layers"]] == ["0", "0, reverse", "1", "1, reverse"]
    values = trace.sequence(1)
    for layer, suffix in zip(data["layers"], ["_l0", "_l0_reverse", "_l1", "_l1_reverse"], strict=True):
        assert list(layer["values"]) == list("ifgoch")
        for letter, numbers in layer["values"].items():
            np.testing.assert_allclose(numbers, values[letter + suffix], atol=1e-6)
        assert layer["reverse"] == suffix.endswith("reverse")
        np.testing.assert_array_equal(layer["before"]["c"], np.zeros(len(layer["values"]["c"][0])))


def test_page_refuses_what_is_not_finite():
    trace = pylstm.Sequence(1, 2, cell="rnn", random_state=0).trace([[[np.nan]]])
    with pytest.raises(ValueError, match="a trace must be finite"):
        page(trace, 0, ["a"], "A title")


def test_a_trace_of_ones_own(tmp_path):
    trace, path = trace_of(), tmp_path / "trace.html"
    trace.to_html(path, 1, labels=[10, 20, 30, 40, 50], title="Mine")
    assert "<title>Mine</title>" in path.read_text()
    data = data_of(path.read_text())
    assert data["labels"] == ["10", "20", "30", "40", "50"]
    np.testing.assert_allclose(data["layers"][0]["values"]["h"], trace["h_l0"][1], atol=1e-6)
    trace.to_html(path)
    assert data_of(path.read_text())["labels"] == list("01234")
    for arguments, message in [
        ((2,), "sequence must be one of 0 to 1, got 2"),
        ((0, ["a"]), "labels must have one for each of the 5 steps, got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            trace.to_html(path, *arguments)
    assert data_of(path.read_text())["labels"] == list("01234")  # as it was


def test_a_state_to_start_from_is_on_the_page():
    seq = pylstm.Sequence(2, 3, random_state=0)
    state = [(np.full((1, 1, 3), 0.25), np.full((1, 1, 3), 0.5))]
    data = data_of(page(seq.trace(np.ones((1, 4, 2)), state), 0, list("abcd"), "A title"))
    assert data["layers"][0]["before"] == {"h": [0.25] * 3, "c": [0.5] * 3}


def shown(chromium):
    """Return what the page says: the step, the sums, the unit."""
    return [
        chromium.evaluate(f"document.getElementById('{name}').textContent") for name in ("now", "sums", "unit-title")
    ]


@pytest.fixture
def look_page(tmp_path, toy):
    trace = toy.tagger.trace([toy.encode(look.SENTENCE)])
    path = tmp_path / "look.html"
    path.write_text(page(trace, 0, look.SENTENCE, "A sentence", guesses=["my 9%"] * N))
    return path.as_uri()


@pytest.mark.parametrize("width", [1280, 390])
def test_page_in_a_browser(chromium, look_page, values, width):
    chromium.requests.clear()
    chromium.open(look_page + "#step=5&unit=3", width)
    now, sums, title = before = shown(chromium)
    assert now.startswith("Step 5 (0 to 11): “but”. Guessed to come next: my 9%.")
    assert title == "Unit 3"
    assert f"o shows{values['o'][5, 3]:.0%}".replace("%", " %") in sums
    assert f"h = {values['h'][5, 3]:z.2f}".replace("-", MINUS) in sums  # no -0.00
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width  # nothing to scroll sideways
    bars = "document.getElementById('one').outerHTML"
    picture = chromium.evaluate(bars)

    # Reached and moved by keys alone.
    while chromium.evaluate("document.activeElement.id") != "step":
        chromium.press("Tab")
    chromium.press("ArrowRight")
    after = shown(chromium)
    assert after[0].startswith("Step 6 (0 to 11): “my”")
    assert after[1] != before[1]
    assert chromium.evaluate(bars) != picture
    while chromium.evaluate("document.activeElement.id") != "unit":
        chromium.press("Tab")
    chromium.press("ArrowDown")
    assert shown(chromium)[2] == "Unit 4"
    assert chromium.evaluate("location.hash").startswith("#step=6&unit=4")

    chromium.click("#back")
    chromium.click("input[value=c]")
    label = chromium.evaluate("document.getElementById('all').getAttribute('aria-label')")
    assert label.startswith("c of all 6 units at “but”: unit 0 ")
    assert chromium.complaints == []
    assert {url.partition(":")[0] for url in chromium.requests} <= {"file", "data", "about"}
    assert len(chromium.requests) >= 1


def test_a_click_on_a_cell_chooses_it(chromium, look_page):
    chromium.open(look_page, 1280)
    chromium.evaluate(f"document.querySelectorAll('#all .row')[4 * {N} + 9].id = 'wanted'")
    chromium.click("#wanted")
    assert chromium.evaluate("[chosen.step, chosen.unit]") == [9, 4]
    assert shown(chromium)[2] == "Unit 4"
    chromium.evaluate("document.querySelectorAll('#one .hit')[2].id = 'word'")
    chromium.click("#word")
    assert shown(chromium)[0].startswith("Step 2 (0 to 11): “pizza”")
    assert chromium.complaints == []


def test_light_and_dark(chromium, look_page):
    colours = []
    for dark in (False, True):
        chromium.open(look_page, 390, dark=dark)
        colours.append(chromium.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", "rgb(20, 23, 27)"]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_page_of_any_net(chromium, tmp_path, cell):
    """Each cell, layer and direction; its sums; labels that look like HTML."""
    trace = trace_of(cell)
    labels = ["</script><script>document.title = 'x'</script>", "<b>", "&amp;", "a" * 40, "@DATA@"]
    path = tmp_path / "page.html"
    path.write_text(page(trace, 0, labels, "<i>A title</i> & more @DATA@", notes=["<u>note</u>"]))
    chromium.open(path.as_uri())
    assert chromium.evaluate("document.title") == "<i>A title</i> & more @DATA@"
    assert labels[0] in shown(chromium)[0]
    values, state = trace.sequence(0), "c" if cell == "lstm" else "h"
    for layer, suffix in enumerate(["_l0", "_l0_reverse", "_l1", "_l1_reverse"]):
        for step in range(5):
            chromium.evaluate(f"choose({{layer: {layer}, step: {step}, unit: 1}})")
            now = values[state + suffix][step, 1]
            sums = shown(chromium)[1].replace(MINUS, "-")
            assert f"= {now:.2f}".replace("-0.00", "0.00") in sums or cell == "rnn"
            if cell != "rnn":
                kept, sign, written = re.search(r"= (-?\d\.\d\d) ([+-]) (\d\.\d\d) = ", sums).groups()
                np.testing.assert_allclose(float(kept) + float(sign + written), now, atol=0.00501)
                parts = chromium.evaluate(f"parts({step}, 1)")
                np.testing.assert_allclose(np.prod(parts["kept"]) + np.prod(parts["written"]), now, atol=1e-5)
    assert chromium.complaints == []
