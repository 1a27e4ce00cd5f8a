"""Of the benchmarks of texts: how files are read, and what the splits and the baselines do."""

import gzip

import numpy as np
import pytest
from text_baselines import MostFrequentTag, accuracy
from text_data import every_20th, load_atis, load_kjv, load_sms_spam, names_split, sms_folds


@pytest.fixture
def folder(tmp_path):
    sms = [f"{'spam' if k % 5 == 0 else 'ham'}\tmessage {k}\twith a tab" for k in range(50)]
    for name, lines in {
        "sms_spam.tsv": sms,
        "kjv.txt": [f"verse {k}\u2028" for k in range(41)],
        "atis_pos_train.txt": ["1/2/NUM flights/NOUN", "to/ADP boston/PROPN to/ADP"],
    }.items():
        with gzip.open(tmp_path / f"{name}.gz", "wt", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    return tmp_path


def test_files_are_read_as_they_stand(folder):
    X, y = load_sms_spam(folder)
    assert (X[5], y[5], len(X)) == ("message 5\twith a tab", "spam", 50)
    words, tags = load_atis("train", folder)
    assert words == [["1/2", "flights"], ["to", "boston", "to"]]
    assert tags == [["NUM", "NOUN"], ["ADP", "PROPN", "ADP"]]
    learnt, held_out = every_20th(load_kjv(folder))
    assert (len(learnt), len(held_out)) == (38, 3)
    assert held_out[1] == "verse 20\u2028"
    with pytest.raises(SystemExit, match="--data names the folder of the texts"):
        load_atis("dev", folder)


def test_folds_hold_each_message_out_once(folder):
    folds = list(sms_folds(folder))
    assert sorted(x for *_, X_test, _ in folds for x in X_test) == sorted(load_sms_spam(folder)[0])
    assert all((y_test == "spam").sum() == 2 for *_, y_test in folds)


def test_names_are_split_by_language():
    ((X, y, X_test, y_test),) = names_split()
    assert (len(X), len(X_test), len(y), len(y_test)) == (16_040, 4_010, 16_040, 4_010)
    assert (y_test == "Vietnamese").sum() == 15


def test_most_frequent_tag():
    tagger = MostFrequentTag().fit([["a", "b", "a"], ["a", "c"]], [["X", "Y", "X"], ["Y", "Y"]])
    predicted = tagger.predict([["a", "b"], ["d"]])
    assert predicted == [["X", "Y"], ["Y"]]
    assert accuracy([["X", "Z"], ["Y"]], predicted) == pytest.approx(2 / 3)
    assert accuracy(np.array(["a", "b"]), np.array(["a", "c"])) == 0.5
