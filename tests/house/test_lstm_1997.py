"""The experiments of 1997: what they draw against the definitions, their stop rules, the results kept beside them."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "lstm_1997"
sys.path.insert(0, str(FOLDER))

import experiments  # noqa: E402
import run  # noqa: E402
import summary  # noqa: E402
import tasks  # noqa: E402
from experiments import EXPERIMENTS, LastSequences, Outcome, Strings  # noqa: E402


def within(count, n, probability):
    """Whether a binomial count is within 5 standard deviations."""
    return abs(count - n * probability) < 5 * np.sqrt(n * probability * (1 - probability))


# ---- experiment 1

AFTER_X = "(XT*VP)*(SE|XT*VVE)"
INNER = f"B(TS*X{AFTER_X}|PT*V(VE|P{AFTER_X}))"
EMBEDDED = re.compile(f"BT{INNER}TE|BP{INNER}PE")


@pytest.fixture(scope="module")
def strings():
    rng = np.random.default_rng(0)
    return [tasks.embedded_reber(rng) for _ in range(3000)]


def test_reber_strings_are_legal(strings):
    assert all(EMBEDDED.fullmatch(string) for string, _ in strings)
    assert min(len(string) for string, _ in strings) == 9  # BTBTXSETE
    assert max(len(string) for string, _ in strings) > 30


def test_the_regular_expression_refuses_others():
    for string in ("BTBTXSEPE", "BPBTXSETE", "BTBTXXSETE", "BTBPVPVETE", "BTBTXSET", "TBTXSETE"):
        assert not EMBEDDED.fullmatch(string)


def test_successors_are_those_that_some_legal_string_has(strings):
    ends = {string[-length:] for string, _ in strings for length in range(1, 8)} | {""}
    for string, successors in strings[:60]:
        assert len(successors) == len(string) - 1
        for t, given in enumerate(successors, start=1):
            possible = {c for c in "BTPSXVE" if any(EMBEDDED.fullmatch(string[:t] + c + end) for end in ends)}
            assert set(given) == possible, string[:t]


def test_both_ways_are_as_likely(strings):
    first = [
        given[0] == string[t] for string, successors in strings for t, given in enumerate(successors, 1) if given[1:]
    ]
    assert within(sum(first), len(first), 0.5)
    assert within(sum(string[1] == "T" for string, _ in strings), len(strings), 0.5)


def test_reber_sets_have_nothing_in_common():
    sets = tasks.reber_sets(np.random.default_rng(0), 256, 256, 500)
    assert [len(strings) for strings in sets] == [256, 256, 500]
    training, test, fresh = ({string for string, _ in strings} for strings in sets)
    assert not training & test
    assert not (training | test) & fresh


def test_steps_of_a_string():
    x, y, allowed = tasks.reber_steps("BTBTXSETE", ["TP", "B", "TP", "SX", "XS", "E", "T", "E"])
    symbols = np.array(list(tasks.REBER_SYMBOLS))
    assert sorted(symbols) == sorted("BTPSXVE")
    assert x.dtype == np.float32
    assert "".join(symbols[x.argmax(axis=1)]) == "BTBTXSET"
    assert (x.sum(axis=1) == 1).all()
    assert "".join(y) == "TBTXSETE"
    assert [set(symbols[row]) for row in allowed] == [set(s) for s in ("TP", "B", "TP", "SX", "XS", "E", "T", "E")]


def test_a_string_is_right_when_what_may_follow_is_most_active_at_every_step():
    class Tagger:
        """Its outputs are what it is made with."""

        def __init__(self, *outputs):
            self.outputs = outputs

        def predict_proba(self, X):
            assert [len(x) for x in X] == [len(output) for output in self.outputs]
            return list(self.outputs)

    drawn = [("BTBTXSETE", ["TP", "B", "TP", "SX", "XS", "E", "T", "E"])] * 2
    perfect = np.where(tasks.reber_steps(*drawn[0])[2], 0.4, 0.1)
    strings = Strings(drawn)
    assert strings.wrong(Tagger(perfect, perfect)) == 0
    at_last = perfect.copy()
    at_last[-1, tasks.REBER_SYMBOLS.index("X")] = 0.4  # as active as what may follow
    assert strings.wrong(Tagger(perfect, at_last)) == 1
    at_first = perfect.copy()
    at_first[0, tasks.REBER_SYMBOLS.index("P")] = 0  # one of two that may follow
    assert strings.wrong(Tagger(at_first, at_last)) == 2


# ---- experiments 4 and 5


@pytest.fixture(scope="module", params=[tasks.adding, tasks.multiplication], ids=["adding", "multiplication"])
def marked(request):
    """A function that draws, and what it draws of T = 100."""
    return request.param, *request.param(np.random.default_rng(0), 4000, 100)


def test_lengths(marked):
    draw, X, _ = marked
    assert {len(x) for x in X} == set(range(100, 111))
    assert all(1000 <= len(x) <= 1100 for x in draw(np.random.default_rng(1), 50, 1000)[0])


def test_values(marked):
    draw, X, _ = marked
    values = np.concatenate([x[:, 0] for x in X])
    lowest = -1 if draw is tasks.adding else 0
    assert lowest <= values.min() < lowest + 0.01
    assert 0.99 < values.max() <= 1
    assert values.mean() == pytest.approx((lowest + 1) / 2, abs=0.01)


def test_markers(marked):
    _, X, _ = marked
    firsts, lasts, n_alone = set(), set(), 0
    for x in X:
        assert x[0, 1] == x[-1, 1] == -1
        assert set(x[:, 1]) == {-1, 0, 1}
        assert (x[1:-1, 1] >= 0).all()
        steps = np.flatnonzero(x[:, 1] == 1)
        assert 1 <= len(steps) <= 2
        if len(steps) == 1:  # the other is the first step, whose marker stays -1
            n_alone += 1
            lasts.add(steps[0])
        else:
            assert steps[0] < 10
            firsts.add(steps[0])
            lasts.add(steps[1])
    assert firsts == set(range(1, 10))
    assert lasts >= set(range(10, 50))
    assert max(lasts) == 49
    # The first step is the one of ten, or else the one of 49 that are left.
    assert within(n_alone, len(X), 1 / 10 + 9 / 10 / 49)


def test_targets_recomputed_from_the_input(marked):
    draw, X, y = marked
    for x, target in zip(X, y, strict=True):
        values = [float(value) for value, marker in x if marker == 1]
        first, second = values if len(values) == 2 else (values[0], 0 if draw is tasks.adding else 1)
        expected = 0.5 + (first + second) / 4 if draw is tasks.adding else first * second
        assert target == pytest.approx(expected, abs=1e-6)


# ---- experiment 6


@pytest.fixture(scope="module", params=["6a", "6b"])
def order(request):
    spans = {"6a": ((10, 20), (50, 60)), "6b": ((10, 20), (33, 43), (66, 76))}[request.param]
    ours = {"6a": tasks.TWO_SYMBOLS, "6b": tasks.THREE_SYMBOLS}[request.param]
    return spans, *tasks.temporal_order(np.random.default_rng(0), 4000, ours)


def decoded(x):
    assert x.shape[1] == 8
    assert (x.sum(axis=1) == 1).all()
    return "".join(np.array(list(tasks.ORDER_SYMBOLS))[x.argmax(axis=1)])


def test_symbols_and_classes(order):
    spans, X, y = order
    lengths, places = set(), [set() for _ in spans]
    for x, label in zip(X, y, strict=True):
        string = decoded(x)
        lengths.add(len(string))
        assert re.fullmatch("E[abcdXY]*B", string)
        found = [(step, symbol) for step, symbol in enumerate(string, start=1) if symbol in "XY"]
        assert "".join(symbol for _, symbol in found) == label
        for place, (step, _) in zip(places, found, strict=True):
            place.add(step)
    assert lengths == set(range(100, 111))
    assert places == [set(range(first, last + 1)) for first, last in spans]


def test_classes_are_balanced(order):
    spans, _, y = order
    labels, counts = np.unique(y, return_counts=True)
    assert len(labels) == 2 ** len(spans)
    assert set(labels) == set(tasks.order_classes(spans))
    assert all(within(count, len(y), 1 / len(labels)) for count in counts)


def test_distractors_are_alike(order):
    _, X, _ = order
    text = "".join(decoded(x) for x in X[:500])
    counts = [text.count(symbol) for symbol in "abcd"]
    assert all(within(count, sum(counts), 1 / 4) for count in counts)


# ---- training and the stop rules


def quiet(n_sequences, text):
    pass


@pytest.mark.parametrize("name", ["order-6a", "multiplication"])
def test_training_and_test_sequences_are_disjoint(name):
    sets = {}

    def draw(rng, n_sequences):
        X, y = EXPERIMENTS[name].draw(rng, n_sequences)
        sets.setdefault(n_sequences, []).extend(x.tobytes() for x in X)
        return X, y

    outcome = replace(EXPERIMENTS[name], draw=draw, bar=200).run(0, quiet)
    training, test = sets[EXPERIMENTS[name].batch_size], sets[experiments.N_TEST]
    assert len(training) == outcome.n_sequences == 800
    assert len(set(training)) == 800
    assert len(test) == 2560
    assert not set(training) & set(test)


class Scripted:
    """Stands in for LSTMRegressor: its errors are given for each mini-batch, the test set's last."""

    def __init__(self, errors, calls):
        self.errors, self.calls = iter(errors), calls

    def __call__(self, hidden, **options):
        return self

    def set_params(self, **options):
        self.calls.append(("rate", options["learning_rate_init"]))
        return self

    def partial_fit(self, X, y):
        self.calls.append(("learn", X[0]))
        return self

    def predict(self, X):
        self.calls.append(("judge", X[0]))
        return np.full(len(X), next(self.errors))


def scripted_run(monkeypatch, errors, **changes):
    """Return the outcome of the adding experiment with given errors, and the calls of the estimator."""
    calls, numbers = [], iter(range(10**6))
    monkeypatch.setattr(experiments, "LSTMRegressor", Scripted(errors, calls))
    numbered = lambda rng, n: ([next(numbers)] * n, np.zeros(n))  # noqa: E731
    return replace(EXPERIMENTS["adding-100"], draw=numbered, batch_size=10, **changes).run(0, quiet), calls


def test_outputs_are_judged_before_the_update(monkeypatch):
    _, calls = scripted_run(monkeypatch, [1] * 10, bar=10)
    steps = [call for call in calls if call[0] != "rate"]
    assert steps == [
        ("learn", 0),  # no net could be judged before
        *[("judge", 1), ("learn", 1), ("judge", 2), ("learn", 2), ("judge", 3), ("learn", 3)],
        ("judge", 4),  # the test set
    ]


def test_the_learning_rate_decays(monkeypatch):
    _, calls = scripted_run(monkeypatch, [1] * 10, bar=10, learning_rate=0.08, decay=20)
    assert [rate for call, rate in calls if call == "rate"] == pytest.approx([0.08, 0.08 / 1.5, 0.04, 0.08 / 2.5])


def test_stops_when_the_last_2000_are_right(monkeypatch):
    outcome, calls = scripted_run(monkeypatch, [0.1] * 50 + [0.001] * 201)
    # The first mini-batch is not judged, 50 are wrong, 200 right; what stopped it is not learnt from.
    assert outcome == (2510, True, True, 0, pytest.approx(0.001), pytest.approx(1e-6))
    assert sum(call == "learn" for call, _ in calls) == 250


def test_one_wrong_among_the_last_2000_goes_on(monkeypatch):
    outcome, _ = scripted_run(monkeypatch, [0.001] * 199 + [0.05] + [0.001] * 201)
    assert outcome.stopped
    assert outcome.n_sequences == 10 * (1 + 200 + 200)


def test_the_mean_error_has_to_be_small_too(monkeypatch):
    outcome, _ = scripted_run(monkeypatch, [0.03] * 1000, bar=1000)  # all right, but 0.03 on average
    assert (outcome.n_sequences, outcome.stopped, outcome.succeeded) == (4000, False, False)
    assert outcome.needed == np.inf


def test_a_test_set_that_does_not_confirm_is_a_failure(monkeypatch):
    for errors in ([0.05], [0.02]):  # wrong; right with too large an error
        outcome, _ = scripted_run(monkeypatch, [0.001] * 200 + errors)
        assert (outcome.stopped, outcome.confirmed, outcome.succeeded) == (True, False, False)
        assert outcome.wrong == (2560 if errors == [0.05] else 0)
        assert outcome.needed == np.inf


def test_multiplication_allows_fewer_than_n_seq_wrong(monkeypatch):
    assert EXPERIMENTS["multiplication"].most_wrong_in_test == 217  # 0.07 of 2,560, and 3 standard deviations
    assert EXPERIMENTS["multiplication"].most_wrong == 139
    assert EXPERIMENTS["multiplication"].tolerance == 0.04
    assert EXPERIMENTS["multiplication"].mean_error == np.inf
    # 14 mini-batches of ten are wrong among the last 200, until the first of them leaves.
    outcome, _ = scripted_run(monkeypatch, [1] * 14 + [0.001] * 188, most_wrong=139, mean_error=np.inf)
    assert (outcome.n_sequences, outcome.stopped) == (10 * (1 + 201), True)


def test_a_class_is_right_when_every_output_is_close():
    class Classifier:
        classes_ = np.array(["XX", "XY"])

        def predict_proba(self, X):
            return np.array([[0.71, 0.29], [0.69, 0.31], [0.2, 0.8]])

    errors, right = EXPERIMENTS["order-6a"].judge(Classifier(), [None] * 3, np.array(["XX", "XX", "XX"]))
    np.testing.assert_allclose(errors, [0.58, 0.62, 1.6])
    assert right.tolist() == [True, False, False]


def test_last_sequences_are_2000():
    last = LastSequences()
    assert (last.wrong, last.error) == (2000, np.inf)
    last.add(np.full(1999, 0.5), np.ones(1999, bool))
    assert last.wrong == 1
    last.add(np.zeros(1001), np.arange(1001) > 0)
    assert last.wrong == 1
    assert last.error == pytest.approx(0.5 * 999 / 2000)


def test_reber_stops_when_both_sets_are_right(monkeypatch):
    counts = iter([9, 9, 0, 1, 3, 0, 0, 0, 35])  # training and test set after each pass, then the strings that are new
    passes = []

    class Tagger:
        def set_params(self, **options):
            return self

        def partial_fit(self, X, y, classes):
            assert len(X) == len(y) == 256
            assert classes == list("BEPSTVX")
            passes.append(X)

    monkeypatch.setattr(experiments, "LSTMTagger", lambda hidden, **options: Tagger())
    monkeypatch.setattr(Strings, "wrong", lambda strings, tagger: next(counts))
    outcome = EXPERIMENTS["reber"].run(0, quiet)
    assert outcome == (4 * 256, True, True, 35, None, None)
    assert len(passes) == 4


def test_bars_and_the_paper():
    assert {name: (e.paper, e.bar) for name, e in EXPERIMENTS.items() if name != "multiplication-13"} == {
        "reber": (8_440, 8_000),
        "adding-100": (74_000, 50_000),
        "adding-500": (209_000, 110_000),
        "adding-1000": (853_000, 150_000),
        "multiplication": (482_000, 60_000),
        "order-6a": (31_390, 9_000),
        "order-6b": (571_100, 12_000),
    }


# ---- what is written


def succeeded(n_sequences):
    return Outcome(n_sequences, True, True, 1, 0.005, 0.0001)


def failed(n_sequences=200_000):
    return Outcome(n_sequences, False, False, 900, 0.05, 0.004)


def test_failures_count_as_infinite():
    outcomes = dict(enumerate([succeeded(40_000)] * 5 + [succeeded(48_000)] * 4 + [failed()]))
    assert summary.median(outcomes) == 44_000
    assert summary.holds(EXPERIMENTS["adding-100"], outcomes)
    assert not summary.holds(EXPERIMENTS["adding-100"], outcomes | {8: failed()})  # two of ten
    assert not summary.holds(EXPERIMENTS["adding-100"], {k: succeeded(50_001) for k in range(10)})
    assert not summary.holds(EXPERIMENTS["adding-100"], {0: failed()})
    assert summary.median({0: succeeded(1), 1: failed(), 2: failed()}) == np.inf


def test_tables():
    stopped = Outcome(1000, True, False, 44, 0.02, 0.001)
    text = summary.tables({"adding-100": {0: succeeded(1200), 1: failed(), 2: stopped}, "reber": {0: succeeded(512)}})
    assert "| 4, adding, T = 100 | 74,000 | 50,000 | ∞ | 1 of 3 | 0.025 | 0.0017 |\n" in text
    failures = "failed: not within 200,000 | failed: test set, after 1,000 (44 wrong, error 0.02)"
    assert f"| 4, adding, T = 100 | 1,200 | {failures} |\n" in text
    assert "| 4, adding, T = 100 | 1 | 900 | 44 |\n" in text
    assert "| 1, embedded Reber grammar | 512 |  |  |\n" in text


@pytest.mark.long
def test_run_writes_and_keeps_what_it_did_not_run(monkeypatch, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    quick = replace(EXPERIMENTS["reber"], bar=64)
    monkeypatch.setattr(summary, "EXPERIMENTS", EXPERIMENTS | {"reber": quick})
    monkeypatch.setattr(run, "EXPERIMENTS", EXPERIMENTS | {"reber": quick})
    before = {"order-6a": {"0": succeeded(6000)._asdict()}}
    (tmp_path / "results.json").write_text(json.dumps(before))
    monkeypatch.setattr(sys, "argv", ["run.py", "reber", "--seeds", "2", "--first-seed", "100", "--out", str(tmp_path)])
    assert run.main() == 1  # one pass is too few
    printed = capsys.readouterr()
    assert "reber, seed 101: FAILED after 256 sequences" in printed.err
    assert "misses its bar: reber" in printed.err
    assert "failed: not within 256" in printed.out
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["order-6a"] == before["order-6a"]
    assert set(stored["reber"]) == {"100", "101"}
    assert "6a, temporal order" in (tmp_path / "results.md").read_text()
    assert (tmp_path / "sequences.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_short_run_writes_nothing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.*")}
    command = [sys.executable, FOLDER / "run.py", "--short", "order-6a"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "order-6a, seed 0: succeeded" in done.stderr
    assert "| 6a, temporal order | 31,390 | 9,000 |" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in FOLDER.glob("*.*")} == before


@pytest.mark.parametrize(
    ("words", "message"), [(["order"], "no such experiment: order"), (["--seeds", "0"], "at least 1")]
)
def test_bad_command_lines(monkeypatch, capsys, words, message):
    monkeypatch.setattr(sys, "argv", ["run.py", *words])
    with pytest.raises(SystemExit):
        run.main()
    assert message in capsys.readouterr().err


def test_results_that_are_kept_hold_the_bars():
    stored = json.loads((FOLDER / "results.json").read_text())
    results = {name: {int(seed): Outcome(**o) for seed, o in stored[name].items()} for name in EXPERIMENTS}
    for name, outcomes in results.items():
        assert sorted(outcomes) == list(range(10))
        assert summary.holds(EXPERIMENTS[name], outcomes), name
    tables = summary.tables(results)
    assert (FOLDER / "results.md").read_text() == tables
    readme = (FOLDER / "README.md").read_text()
    assert tables in readme
    for experiment in EXPERIMENTS.values():
        decay = "" if np.isinf(experiment.decay) else f"{experiment.decay:,}"
        settings = [experiment.title, experiment.hidden, experiment.batch_size, experiment.learning_rate, decay]
        assert f"| {' | '.join(map(str, settings))} |\n" in readme
