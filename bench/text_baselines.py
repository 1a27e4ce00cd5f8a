"""What methods that are no networks reach on texts: TF-IDF, windows of words, the tag that a word has most often.

    taskset -c 0 python bench/text_baselines.py [--data FOLDER] [--tasks SMS names ATIS]

Prints a table: accuracy, of ATIS over all words. Strengths of the penalty are chosen within what is learnt from.
"""

import argparse
import time
from collections import Counter

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from text_data import SPLITS, add_argument, print_head, print_row


class MostFrequentTag(BaseEstimator):
    """Of each word the tag that it had most often; of others the most frequent of all."""

    def fit(self, X, y):
        by_word = {}
        for words, tags in zip(X, y, strict=True):
            for word, tag in zip(words, tags, strict=True):
                by_word.setdefault(word, Counter())[tag] += 1
        self.tags_ = {word: tags.most_common(1)[0][0] for word, tags in by_word.items()}
        self.tag_ = sum(by_word.values(), Counter()).most_common(1)[0][0]
        return self

    def predict(self, X):
        return [[self.tags_.get(word, self.tag_) for word in words] for words in X]


class WindowTagger(BaseEstimator):
    """Logistic regression of each word by itself, the two before and some after it, and its last three letters."""

    def __init__(self, n_after=2):
        self.n_after = n_after

    def fit(self, X, y):
        self.model_ = make_pipeline(DictVectorizer(), LogisticRegression(C=10, max_iter=300))
        self.model_.fit([step for words in X for step in self._steps(words)], np.concatenate(y))
        return self

    def predict(self, X):
        return [self.model_.predict(self._steps(words)) for words in X]

    def _steps(self, words):
        around = ["<", "<", *words, ">", ">"]
        return [
            {f"{place:+d}": around[step + 2 + place] for place in range(-2, self.n_after + 1)} | {"end": word[-3:]}
            for step, word in enumerate(words)
        ]


def tfidf(**options):
    return make_pipeline(TfidfVectorizer(**options), LogisticRegression(max_iter=1000))


def searched(**options):
    strengths = {"logisticregression__C": [1, 10, 100]}
    return GridSearchCV(tfidf(sublinear_tf=True, **options), strengths, cv=3)


METHODS = {
    "SMS": {
        "TF-IDF of words, logistic regression, defaults": tfidf,
        "TF-IDF of words and pairs, logistic regression, C searched": lambda: searched(ngram_range=(1, 2)),
        "TF-IDF of 2 to 5 characters, logistic regression, C searched": lambda: searched(
            analyzer="char_wb", ngram_range=(2, 5)
        ),
    },
    "names": {
        "TF-IDF of 1 to 3 characters, logistic regression, defaults": lambda: tfidf(
            analyzer="char", ngram_range=(1, 3)
        ),
        "the same with a name's ends, C searched": lambda: searched(analyzer="char_wb", ngram_range=(1, 3)),
    },
    "ATIS": {
        "most frequent tag of each word": MostFrequentTag,
        "window of words, logistic regression": WindowTagger,
        "the same without the words after it": lambda: WindowTagger(n_after=0),
    },
}


def accuracy(y, predicted):
    return float(
        np.mean(np.concatenate(y) == np.concatenate(predicted)) if isinstance(y, list) else np.mean(y == predicted)
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(METHODS), default=list(METHODS))
    add_argument(parser)
    options = parser.parse_args()
    print_head()
    for task in options.tasks:
        for name, make in METHODS[task].items():
            scores, seconds = [], []
            for X, y, X_test, y_test in SPLITS[task](options.data):
                start = time.perf_counter()
                scores.append(accuracy(y_test, make().fit(X, y).predict(X_test)))
                seconds.append(time.perf_counter() - start)
            print_row(task, name, scores, seconds)


if __name__ == "__main__":
    main()
