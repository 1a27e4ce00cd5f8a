"""The page of `evidence.py`, from what was measured."""

from statistics import fmean, stdev

#: What is in the tables' columns, in this order.
METHODS = ["LSTM", "3 LSTMs", "before", "PyTorch", "1-NN", "1-NN DTW", "MiniRocket", "ridge"]
#: The sets whose mean counts.
NINE = [
    "GunPoint",
    "ArrowHead",
    "ItalyPowerDemand",
    "ECG200",
    "CBF",
    "FaceFour",
    "DistalPhalanxOutlineAgeGroup",
    "BasicMotions",
    "PickupGestureWiimoteZ",
]
NOT_OURS = METHODS[3:]


class Table:
    """Scores and seconds by set and method.

    Parameters
    ----------
    fits : list of Fit
    """

    def __init__(self, fits):
        self.fits = fits

    def values(self, name, method, field="score"):
        return [getattr(fit, field) for fit in self.fits if (fit.set, fit.method) == (name, method)]

    def mean(self, name, method, field="score"):
        """Return the mean over seeds, or None where nothing was measured."""
        values = self.values(name, method, field)
        return fmean(values) if values else None

    def spread(self, name, method):
        """Return the standard deviation over seeds (n - 1), or None with fewer than two."""
        values = self.values(name, method)
        return stdev(values) if len(values) > 1 else None

    def over(self, names, method, field="score"):
        """Return the mean over sets, or None if one is missing."""
        means = [self.mean(name, method, field) for name in names]
        return None if not means or None in means else fmean(means)

    def spread_over(self, names, method):
        spreads = [self.spread(name, method) for name in names]
        return None if not spreads or None in spreads else fmean(spreads)

    def least_margin(self, names, method, other):
        """Return the least of `method`'s mean less `other`'s, and of which set; None if one is missing."""
        margins = []
        for name in names:
            pair = self.mean(name, method), other[name] if isinstance(other, dict) else self.mean(name, other)
            if None in pair:
                return None
            margins.append((pair[0] - pair[1], name))
        return min(margins, default=None)

    def best(self, name, methods):
        """Return the methods whose mean score is highest, to a hundredth."""
        means = {method: self.mean(name, method) for method in methods}
        means = {method: round(mean, 2) for method, mean in means.items() if mean is not None}
        return [method for method, mean in means.items() if mean == max(means.values())]


def cell(mean, spread, is_best):
    if mean is None:
        return "-"
    text = f"{mean:.3f}" + ("" if spread is None else f" ± {spread:.3f}")
    return f"**{text}**" if is_best else text


def rows(header, lines):
    yield "| " + " | ".join(header) + " |"
    yield "|---|" + "---:|" * (len(header) - 1)
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def scores(table, names, first):
    """Yield the lines of a table of scores; `first` are the columns before the methods', by set."""
    for name in names:
        best = table.best(name, METHODS)
        yield [name, *first[name]] + [
            cell(table.mean(name, method), table.spread(name, method), method in best) for method in METHODS
        ]


def seconds(table, names):
    for name in names:
        means = [table.mean(name, method, "fit_seconds") for method in METHODS]
        yield [name, *("-" if mean is None else f"{mean:.2f}" for mean in means)]


def lengths_of(described):
    least, most = described["least"], described["most"]
    return str(most) if least == most else f"{least} to {most}"


def bars(table, described):
    """Yield what was asked of the defaults, and what was found."""

    def line(text, value, form="{:.3f}"):
        return [text, "-" if value is None else form.format(value)]

    def margin(text, found):
        return [text, "-" if found is None else f"{found[0]:+.3f} ({found[1]})"]

    frequent = {name: described[name]["frequent"] for name in NINE}
    vowels = [table.mean("JapaneseVowels", method, "fit_seconds") for method in ("LSTM", "before")]
    measured = [fit.fit_seconds for fit in table.fits if fit.method == "LSTM"]
    yield line("Mean over the nine, one LSTM (≥ 0.82)", table.over(NINE, "LSTM"))
    yield line("The same, soft vote of three (≥ 0.85)", table.over(NINE, "3 LSTMs"))
    yield line("The same, earlier defaults", table.over(NINE, "before"))
    yield line("The same, PyTorch's loop (not above ours)", table.over(NINE, "PyTorch"))
    yield line("Standard deviation over seeds, averaged over the nine (≤ 0.035)", table.spread_over(NINE, "LSTM"))
    yield margin("Least margin over the most frequent class (≥ 0.10)", table.least_margin(NINE, "LSTM", frequent))
    yield margin("Least margin over the earlier defaults (≥ -0.08)", table.least_margin(NINE, "LSTM", "before"))
    yield margin("Least margin over PyTorch's loop (≥ -0.10)", table.least_margin(NINE, "LSTM", "PyTorch"))
    yield line("JapaneseVowels (≥ 0.955)", table.mean("JapaneseVowels", "LSTM"))
    yield line("Tecator, R² (≥ 0.62)", table.mean("Tecator", "LSTM"))
    yield line("sunspots, R² (≥ 0.83)", table.mean("sunspots", "LSTM"))
    yield line("Most CPU seconds of a fit (≤ 10)", max(measured, default=None), "{:.1f}")
    yield line(
        "JapaneseVowels, seconds of a fit by those of the earlier defaults (≤ 1.5)",
        None if None in vowels else vowels[0] / vowels[1],
        "{:.2f}",
    )


def first_choices(table, names, what):
    """Return a sentence: on how many sets which method is the best."""
    counts = dict.fromkeys(METHODS, 0)
    for name in names:
        for method in table.best(name, METHODS):
            counts[method] += 1
    listed = ", ".join(f"{method} {count}" for method, count in sorted(counts.items(), key=lambda c: -c[1]) if count)
    return f"Of {len(names)} sets of {what} the best is, ties counted for each: {listed}."


INTRODUCTION = """\
What `LSTMClassifier(random_state=seed)` and `LSTMRegressor(random_state=seed)` reach on public data, with nothing else
set, beside other methods. `python bench/evidence.py` writes this page.

- **LSTM**: the defaults. **3 LSTMs**: `VotingClassifier` (`voting="soft"`) or `VotingRegressor` of three such nets.
  **before**: what the defaults were before standardisation, counts of updates and pooling were chosen on data.
- **PyTorch**: the loop that one would write: 64 units, last step, forget bias 1, X (and y of regressions) standardised,
  Adam 1e-3, batch 16, clip 1, 200 epochs.
- **1-NN**: the nearest neighbour, Euclidean or by dynamic time warping in a band of 10%. **MiniRocket**: aeon's, 10,000
  random convolutions and a ridge. **ridge**: linear, of all values, strength by cross-validation. These get sequences
  interpolated to the longest.
- The split is the archives' own; of the series (airline, sunspots) windows of 24 values predict the 25th, and the first
  80% are for training. Test data are never seen by a fit. Mean ± standard deviation over seeds; the best in bold.
  Nearest neighbour and ridge have no seed.
- Two sets are made up. Temporal order: two of 30 to 60 symbols are A or B, and the label is which came first and which
  second. Adding: of 20 to 30 numbers two are marked, and their sum is wanted.
- The defaults were chosen on other sets. These were looked at to check few of the choices, never one by one.
"""

VERDICT = """\
Where whole sequences are there, and shapes, levels or rates in them tell the labels apart, **an LSTM is not the first
choice**: MiniRocket is more accurate, quicker, and has hardly any luck of the seed. Unequal lengths are no reason
against it: stretched to one length, the Japanese vowels are learnt best by a ridge. Of a few hundred windows of a
series, or other small regressions, a ridge is the first thing to try, and takes milliseconds.

An LSTM is the choice where what came first changes what comes later, wherever in the sequence that is (temporal order,
adding): what stretches sequences, or counts patterns in them, loses just this. And where the others can't go: an answer
after every step while a sequence still comes (`stream`), a label or value for each step, one long recording, a net of
some kilobytes in C on a microcontroller. Where you take one, and can, take three and let them vote.
"""


def n_seeds(table, names, method):
    """Return how many seeds of a method there are, or between which numbers it is, set by set."""
    counts = [len(table.values(name, method)) for name in names]
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def page(table, described):
    """Yield the page's lines."""
    classified = [name for name in described if "n_classes" in described[name]]
    regressed = [name for name in described if name not in classified]
    yield "# Evidence for the defaults"
    yield ""
    yield INTRODUCTION
    seeded = [method for method in METHODS if not method.startswith("1-NN") and method != "ridge"]
    yield f"Seeds of each: {', '.join(f'{method} {n_seeds(table, described, method)}' for method in seeded)}."
    for title, names in (("Classification: accuracy", classified), ("Regression: R²", regressed)):
        if not names:
            continue
        first = {
            name: [
                f"{described[name]['n_train']}, {lengths_of(described[name])}, {described[name]['n_features']}",
                *([f"{described[name]['frequent']:.3f}"] if names is classified else []),
            ]
            for name in names
        }
        header = ["set", "sequences, steps, features", *(["most frequent class"] if names is classified else [])]
        lines = list(scores(table, names, first))
        if names is classified and set(NINE) <= set(names):
            means = [cell(table.over(NINE, method), table.spread_over(NINE, method), False) for method in METHODS]
            lines.append(["mean of the nine", "", f"{fmean(described[n]['frequent'] for n in NINE):.3f}", *means])
        yield ""
        yield f"## {title}"
        yield ""
        yield from rows([*header, *METHODS], lines)
        yield ""
        yield first_choices(table, names, title.split(":")[0].lower())
    yield ""
    yield "## CPU seconds of a fit"
    yield ""
    yield from rows(["set", *METHODS], seconds(table, [*classified, *regressed]))
    if set(NINE) <= set(classified):
        yield ""
        yield "## What was asked of the defaults"
        yield ""
        yield from rows(["", "found"], bars(table, described))
    yield ""
    yield "## When to take an LSTM"
    yield ""
    yield VERDICT.rstrip()
