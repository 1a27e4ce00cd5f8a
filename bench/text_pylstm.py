"""What pylstm's estimators reach on texts: one `embedding_size` for all, else their defaults. One thread.

    taskset -c 0 python bench/text_pylstm.py [--data FOLDER] [--tasks SMS names ATIS] [--seeds 0 1 2]

The same splits, encoders and table as `text_torch.py`.
"""

import argparse
import ast
import time
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from text_baselines import accuracy
from text_data import SPLITS, add_argument, print_head, print_row
from text_torch import ANALYZERS

from pylstm import LSTMClassifier, LSTMTagger
from pylstm.preprocessing import TokenEncoder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(SPLITS), default=list(SPLITS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--splits", type=int, default=5, help="how many of the folds, the first ones")
    parser.add_argument("--embedding-size", type=int, default=64)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="hyperparameters, as Python")
    add_argument(parser)
    options = parser.parse_args()
    others = {name: ast.literal_eval(value) for name, value in (each.split("=", 1) for each in options.set)}
    warnings.simplefilter("ignore", ConvergenceWarning)
    print_head()
    for task in options.tasks:
        for seed in options.seeds:
            scores, seconds = [], []
            for X, y, X_test, y_test in list(SPLITS[task](options.data))[: options.splits]:
                cls = LSTMTagger if task == "ATIS" else LSTMClassifier
                estimator = cls(embedding_size=options.embedding_size, random_state=seed, **others)
                start = time.process_time()
                model = make_pipeline(TokenEncoder(analyzer=ANALYZERS[task]), estimator).fit(X, y)
                scores.append(accuracy(y_test, model.predict(X_test)))
                seconds.append(time.process_time() - start)
            print_row(task, f"pylstm, seed {seed}", scores, seconds)


if __name__ == "__main__":
    main()
