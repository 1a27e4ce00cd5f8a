"""What the docstrings of the estimators have in common."""

import json
import re
from collections.abc import Mapping
from inspect import Parameter, cleandoc
from textwrap import dedent

#: What the docstrings of all estimators, and of their `fit`, have in common, in place of a line that names it.
DOCUMENTATION = {
    "sizes": """
    hidden_layer_sizes : int or array-like of int, default=(64,)
        Units of each recurrent layer, the first next to the input.
""",
    "losses": """
    loss : {"squared_error", "absolute_error", "huber", "quantile"} or callable, default="squared_error"
        What training makes small, the mean over the targets: half the square of an error; its absolute value, of which
        predictions are medians; "huber", the square of small errors and the absolute value of large ones; or
        "quantile", of which predictions are quantiles. Or a function of a mini-batch, ``(targets, outputs, weights)``
        to ``(value, gradient by the outputs)``, which leaves out targets that are NaN: `pylstm.save` keeps the model
        without it. It is given both in the units of y.
    huber_delta : float, default=1.0
        The error from which "huber" is the absolute value; with `normalize_y` in standard deviations of y.
    quantile : float in (0, 1), default=0.5
        How often the future is to be below predictions of "quantile".
    normalize_y : bool, default=True
        Whether y is scaled to mean 0 and variance 1, output by output, before it is learnt, as by `standardize`.
        Predictions are in the units of y.
""",
    "parameters": """
    embedding_size : int or "one-hot", default=None
        Makes X one of tokens: integers from 0 on, one a step, that stand for words, characters, categories, as
        `pylstm.preprocessing.TokenEncoder` makes them of texts. Each is looked up in a table of so many columns, which
        is learnt; "one-hot" has no table, and is for few tokens. Token 0 is the unknown one: where training has not met
        it, it stands for the mean of those that it has met. None reads values.
    embedding_init : array-like (n_tokens, embedding_size), default=None
        The table to start from: vectors that were learnt elsewhere, a row for each token, the first for the unknown
        one. None draws it. `partial_fit`, or `fit` with `warm_start`, goes on from what the table has become.
    freeze_embedding : bool, default=False
        Whether the table stays what it is, while the rest is learnt.
    vocabulary_size : int, default=None
        How many tokens there are; None is as many as `embedding_init` has, or else one more than the largest of the
        first `fit` or `partial_fit`.
    bidirectional : bool, default=False
        Whether each layer also reads the reversed sequence.
    standardize : bool, default=True
        Whether X is scaled to mean 0 and variance 1, feature by feature, over all steps; a 2-D X is one feature. `fit`
        and the first `partial_fit` learn the scaling, in float64 and weighted by sequences' `sample_weight`; with
        `warm_start` it stays. It is part of the model: saved, streamed and exported. The first layer's input weights
        are 4 times as large at the start.
    noise : float, default=<noise>
        Standard deviation of Gaussian noise that is added to X in training, drawn anew for each epoch: in standard
        deviations of each feature. None is with ``standardize=False``.
    missing : {"error", "indicator", "hold"}, default="error"
        What the net reads where X has NaN. "indicator": the mean over the training sequences; and, for each feature
        that had missing values there, whether it is missing, and for how many steps it has been. "hold": the last value
        of the sequence, or before the first the mean. "error" refuses NaN.
    dropout : float in [0, 1), default=0.0
        Probability that an output of a recurrent layer is zeroed during training, the last layer's too.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units are.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the plain RNN's units; not read for others.
    forget_bias : float, "chrono", "mixed", "uniform" or "auto", default="auto"
        Initial bias of an LSTM's forget gates. "chrono" spreads the spans that units remember up to the longest
        training sequence (Tallec & Ollivier 2018); "mixed" does so for half of the units, the others have a bias of 1.
        "uniform" draws the biases of all gates, of any cell, in +-1/sqrt(8).
        "auto" is "mixed", or 1 where there is a mean or maximum over the steps.
    solver : {"adam", "sgd", "rmsprop"}, default="adam"
        What makes updates of gradients.
    alpha : float, default=0.0001
        Strength of the L2 penalty on the weights, divided by the mini-batch's total weight as in `MLPClassifier`.
    batch_size : int or "auto", default="auto"
        Sequences per mini-batch; "auto" is ``min(16, n_sequences)``. Those of a mini-batch are of similar length.
    learning_rate : {"auto", "constant", "invscaling", "adaptive", "cosine", "settling"}, default=<learning_rate>
        Its course over the epochs: "invscaling" divides by ``epoch ** power_t``, "cosine" goes down to 0 at `max_iter`,
        "settling" does so in a line over the last fifth, "adaptive" divides by 5 where training would otherwise stop
        for want of improvement. "auto" is "settling" with ``max_iter="auto"``, or else "constant". With every solver.
    learning_rate_init : float, default=<learning_rate_init>
        The learning rate of the first epoch.
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int or "auto", default="auto"
        Most epochs: how often each sequence is used. "auto" is as many as make 1,000 updates, of `LSTMRegressor` 500:
        at most 400, or as many as read 4 million steps, but at least 30. A rate that is "settling" waits where the loss
        is above a fifth of what it was in the first epoch: for up to 1.6 times as many epochs, within the 4 million.
    shuffle : bool, default=True
        Whether the sequences are shuffled before each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of the sequences, the validation split and dropout. The same int gives
        the same fit.
    tol : float, default=0.0001
        Training stops when the loss, or with `early_stopping` the validation score, has not become better by this for
        more than `n_iter_no_change` epochs.
    verbose : bool, default=False
        Whether to print a line per epoch: the loss, and about how long the rest takes.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the last one.
    momentum : float in [0, 1), default=0.9
        Of "sgd".
    nesterovs_momentum : bool, default=True
        Whether "sgd" uses Nesterov's momentum.
    early_stopping : bool or "auto", default="auto"
        Whether to stop by the score on sequences that are not learnt from, and keep the weights that were best there.
        "auto" does so if `fit` is given `X_val`, True always: without `X_val`, `validation_fraction` is held out.
    validation_fraction : float in (0, 1), default=0.1
        How much is held out of what `fit` is given: of the sequences, whole ones, of a classifier so many of each
        class; with `groups`, of the groups; of a single sequence with targets for its steps, the last steps.
    n_iter_no_change : int or "auto", default="auto"
        See `tol`. Longer than `MLPClassifier`'s, as LSTMs rest on plateaus before they learn: "auto" is as many epochs
        as make 400 updates, at least 30; and no end but `max_iter` where that is "auto", nothing is held out, and the
        rate is not "adaptive".
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of Adam's estimates of the gradient and its square; the second is that of "rmsprop" too.
    epsilon : float, default=1e-8
        Numerical stability of "adam" and "rmsprop".
    max_grad_norm : float or None, default=1.0
        Global norm that gradients are scaled down to; None for never.
    n_jobs : int or None, default=None
        Threads that share a mini-batch, or the sequences of a prediction; None is 1, -1 all cores. Pays with large nets
        or batches only. The fit depends on it in its last bits.
    dtype : {"float32", "float64"}, default="float32"
        Of weights and arithmetic.
""",
    "attributes": """
    n_features_in_ : int
        Features per step; for a fit on 2-D X, the number of steps.
    feature_names_in_ : ndarray (n_features_in_,)
        Column names of a fit on a DataFrame.
    n_iter_ : int
        Epochs run.
    n_updates_ : int
        Updates of the weights, one for each mini-batch or window; with `warm_start` those of the last `fit`.
    loss_ : float
        Mean training loss of the last epoch.
    loss_curve_ : list of float
        `loss_` after each epoch.
    best_loss_ : float or None
        The lowest `loss_`; None where something was held out.
    validation_scores_ : list of float or None
        Validation score after each epoch: the accuracy or, of regressors, R² or the negated `loss`. None where nothing
        was held out.
    best_validation_score_ : float or None
        The highest of them.
""",
    "validation": """
    X_val : array-like or list, default=None
        Sequences to stop by, as X: they are not learnt from, the best weights by their score are kept. In a
        `Pipeline` they are transformed as X is with ``transform_input=["X_val"]``.
    y_val : array-like or list, default=None
        Their targets, as y.
    sample_weight_val : array-like, default=None
        How much each of them counts in the score, as `sample_weight`.
    groups : array-like (n_sequences,), default=None
        What belongs together, such as the patient of each sequence: `validation_fraction` then holds out whole
        groups. Read with ``early_stopping=True``.
""",
    "notes": """
    X may be a 3-D array (n_sequences, n_steps, n_features), a list or 1-D object array of 2-D arrays
    (n_steps_i, n_features), or a 2-D array (n_sequences, n_steps) with one feature per step. Predictions take the form
    that was fitted: after a fit on 2-D X sequences of the same number of steps, else of any. With `embedding_size` X is
    a 2-D array of integers, a list or object array of 1-D ones of any length, or one sequence, 1-D; where an estimator
    has one answer for a sequence, one without tokens is read as the unknown token.

    `fit` ends with a `ConvergenceWarning` if nothing was learnt (no better than always to answer the most frequent
    class, or the mean, but by chance: of what is held out or else of the training data), or if `max_iter` ended it
    while the loss was falling fast (its mean over the last tenth of the epochs is 10% below that of the tenth before).
    Not if all of the training data are right, or R² there is 0.99.

    Ctrl-C during `fit` ends it with the best weights so far and a warning. scikit-learn's callbacks (1.9 and later) are
    taken by `set_callbacks`: each epoch is a task.
""",
}


def filled_in(docstring: str | None, parameters: Mapping[str, Parameter] | None = None) -> str:
    """Return a docstring with the texts in place of the lines that name them, not indented, as Python 3.13 has it.

    A default that is not the same in all classes stands there by its name, and is that of the `parameters`.
    """
    given = parameters or {}
    whole = cleandoc(docstring or "") + "\n"
    for name, text in DOCUMENTATION.items():
        whole = whole.replace(f"\n<{name}>\n", dedent(text))
    return re.sub(
        r"(?<=default=)<(\w+)>", lambda at: json.dumps(given[at[1]].default) if at[1] in given else at[0], whole
    )
