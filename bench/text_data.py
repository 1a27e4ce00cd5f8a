"""Public texts with labels, for tests and benchmarks: the files that do not ship with pylstm, and everybody's splits.

The files are packed by gzip; `--data` of the scripts names their folder. Nothing is downloaded.

- `kjv.txt.gz`: the King James Bible, a verse a line; public domain.
- `sms_spam.tsv.gz`: ham or spam, tab, message, digits as 0; SMS Spam Collection (Almeida and Hidalgo 2011), CC BY 4.0.
- `atis_pos_{train,dev,test}.txt.gz`: a sentence a line, of word/TAG; UD_English-Atis 2.16, CC BY-SA 4.0.
"""

import gzip
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split

from pylstm.datasets import load_names

#: Beside the checkout.
FOLDER = Path(__file__).parents[2] / "shared/data/text"


def add_argument(parser):
    parser.add_argument(
        "--data", type=Path, default=FOLDER, help="the folder of the files (default: beside the checkout)"
    )


def lines_of(folder, name):
    path = Path(folder) / name
    if not path.exists():
        raise SystemExit(f"no {name} in {folder}: --data names the folder of the texts")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return file.read().removesuffix("\n").split("\n")  # splitlines knows other ends, which a message may have


def load_kjv(folder=FOLDER):
    """Return the verses; those of every 20th are for testing: `every_20th`."""
    return lines_of(folder, "kjv.txt.gz")


def every_20th(verses):
    """Return the verses to learn from, and those to test on."""
    return [verse for k, verse in enumerate(verses) if k % 20], verses[::20]


def load_sms_spam(folder=FOLDER):
    """Return the messages, and "ham" or "spam" for each."""
    labels, messages = zip(*(line.split("\t", 1) for line in lines_of(folder, "sms_spam.tsv.gz")), strict=True)
    return list(messages), np.array(labels)


def load_atis(part, folder=FOLDER):
    """Return the sentences of "train", "dev" or "test" as lists of words, and a list of tags for each."""
    pairs = [
        [pair.rpartition("/")[::2] for pair in line.split()] for line in lines_of(folder, f"atis_pos_{part}.txt.gz")
    ]
    return [[word for word, _ in sentence] for sentence in pairs], [[tag for _, tag in sentence] for sentence in pairs]


# ---- splits: the same for every method


def sms_folds(folder=FOLDER):
    """Yield X, y, X_test, y_test of five folds with as many spams each."""
    X, y = load_sms_spam(folder)
    for learnt, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        yield [X[k] for k in learnt], y[learnt], [X[k] for k in held_out], y[held_out]


def names_split(folder=None):
    """Yield X, y, X_test, y_test, once: a fifth of the names of each language is for testing."""
    X, y = load_names()
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
    yield X, y, X_test, y_test


def atis_split(folder=FOLDER):
    """Yield X, y, X_test, y_test, once: the split that the set comes with, without its "dev"."""
    yield *load_atis("train", folder), *load_atis("test", folder)


SPLITS = {"SMS": sms_folds, "ATIS": atis_split, "names": names_split}


# ---- tables


def print_row(task, method, scores, seconds):
    """Print a row of a table of Markdown: accuracy on average and of each split, and seconds of fit and prediction."""
    each = " ".join(f"{score:.4f}" for score in scores)
    print(f"| {task} | {method} | {np.mean(scores):.4f} | {each} | {np.mean(seconds):.1f} |", flush=True)


def print_head():
    print("| task | method | accuracy | of each split | seconds a split |\n| --- | --- | ---: | --- | ---: |")
