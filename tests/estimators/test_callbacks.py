"""scikit-learn's callbacks on the estimators, alone and under a search."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from toys import CLASSIFIERS, ESTIMATORS, PER_STEP, flat, toy, weights

from pylstm import LSTMClassifier
from pylstm.metrics import per_step

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9")
every_estimator = pytest.mark.parametrize("cls", ESTIMATORS)


def small(cls, **options):
    return cls(**{"hidden_layer_sizes": (5,), "max_iter": 4, "learning_rate": "constant", "random_state": 0, **options})


class Recorder:
    """Notes what it is told, and stops after so many epochs."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.events, self.fitted, self.given = [], [], None

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.given = (X, y, metadata)
        self.events.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.fitted.append(fitted_estimator)
        return len(self.fitted) == self.stop_after


@every_estimator
def test_each_epoch_is_a_task(cls):
    X, y = toy(cls)
    recorder = Recorder()
    estimator = small(cls).set_callbacks(recorder).fit(X, y, sample_weight=np.ones(60))
    epochs = ["begin epoch", "end epoch"] * 4
    assert recorder.events == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert recorder.given[0] is X
    assert recorder.given[1] is y
    assert recorder.given[2]["sample_weight"].shape == (60,)
    for epoch, fitted in enumerate(recorder.fitted[:4], start=1):  # kept, they go on being what they were
        expected = weights(small(cls, max_iter=epoch).fit(X, y, sample_weight=np.ones(60)))
        for name, values in weights(fitted).items():
            np.testing.assert_array_equal(values, expected[name])
    np.testing.assert_array_equal(flat(recorder.fitted[-1].predict(X)), flat(estimator.predict(X)))
    assert not {name for name in vars(estimator) if "callback" in name} - {"_skl_callbacks"}


@every_estimator
def test_callback_stops_training(cls):
    recorder = Recorder(stop_after=2)
    assert small(cls).set_callbacks(recorder).fit(*toy(cls)).n_iter_ == 2
    assert recorder.events[-2:] == ["end fit", "teardown"]


@every_estimator
def test_callbacks_are_torn_down_after_an_error(cls):
    recorder = Recorder()
    estimator = small(cls, solver="sgd", learning_rate_init=1e39).set_callbacks(recorder)
    with pytest.raises(ValueError, match="diverged"):
        estimator.fit(*toy(cls))
    assert recorder.events[-1] == "teardown"


@every_estimator
def test_callbacks_of_partial_fit(cls):
    recorder = Recorder()
    first = {"classes": ["down", "up"]} if cls in CLASSIFIERS else {}
    small(cls).set_callbacks(recorder).partial_fit(*toy(cls), **first)
    assert recorder.events == ["setup", "begin fit", "begin epoch", "end epoch", "end fit", "teardown"]


@every_estimator
def test_scoring_monitor(cls):
    X, y = toy(cls)
    name = "accuracy" if cls in CLASSIFIERS else "r2"
    # What stands alone must be a scorer of scikit-learn's own.
    monitor = callback.ScoringMonitor(scoring={name: per_step(name)} if cls in PER_STEP else name)
    estimator = small(cls).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    assert len(log) == 5
    epochs = log[log["task_name"] == "epoch"]
    assert len(epochs) == 4
    expected = [small(cls, max_iter=epoch).fit(X, y).score(X, y) for epoch in range(1, 5)]
    np.testing.assert_allclose(epochs[name], expected)
    assert log[log["task_name"] == "fit"][name].item() == pytest.approx(estimator.score(X, y))


@pytest.mark.parametrize("backend", [pytest.param("loky", marks=pytest.mark.long), "threading"])
def test_scoring_monitor_under_a_search(backend):
    import joblib

    X, y = toy(LSTMClassifier)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    with joblib.parallel_backend(backend):
        search = GridSearchCV(small(LSTMClassifier).set_callbacks(monitor), {"alpha": [0.0, 0.1]}, cv=2, n_jobs=2)
        search.fit(X, y)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() == 5 * 4  # 2 candidates x 2 folds, and the refit
    best = log[(log["task_name"] != "epoch")]["accuracy"].iloc[0]
    assert best == accuracy_score(y, search.best_estimator_.predict(X))


def test_scoring_monitor_of_steps():
    cls = CLASSIFIERS[1]
    monitor = callback.ScoringMonitor(scoring={"f1": per_step("f1_macro")})
    X, y = toy(cls)
    tagger = small(cls).set_callbacks(monitor).fit(X, y)
    assert monitor.get_logs().data_as_pandas["f1"].iloc[0] == per_step("f1_macro")(tagger, X, y)


@every_estimator
def test_progress_bar(cls, capsys):
    pytest.importorskip("rich")
    small(cls).set_callbacks(callback.ProgressBar()).fit(*toy(cls))
    assert f"{cls.__name__} - fit" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_progress_bar_under_a_search(capsys, n_jobs):
    pytest.importorskip("rich")
    search = GridSearchCV(small(LSTMClassifier), {"alpha": [0.0, 0.1]}, cv=2, n_jobs=n_jobs)
    search.set_callbacks(callback.ProgressBar()).fit(*toy(LSTMClassifier))
    out = capsys.readouterr().out
    assert "GridSearchCV" in out
    assert "LSTMClassifier" in out


def test_verbose_beside_callbacks(capsys):
    small(LSTMClassifier, verbose=True).set_callbacks(Recorder()).fit(*toy(LSTMClassifier))
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("embedding_size", ["one-hot", 3])
def test_callbacks_are_given_what_training_would_leave(embedding_size):
    """In which the unknown token stands for the mean of those that were met."""
    recorder = Recorder()
    X, y = [[1, 2], [2, 1], [1, 1], [2, 2]] * 4, ["a", "b"] * 8
    classifier = LSTMClassifier((4,), embedding_size=embedding_size, max_iter=3, random_state=0)
    classifier.set_callbacks(recorder).fit(X, y)
    last = recorder.fitted[2]  # after the third epoch; the one behind it is of the whole fit
    np.testing.assert_array_equal(last.predict_proba([[0], [1, 0]]), classifier.predict_proba([[0], [1, 0]]))
