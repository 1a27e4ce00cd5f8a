"""`LSTMLanguageModel`: what comes next in a text."""

from collections.abc import Iterator
from functools import partial
from itertools import takewhile
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ..._net.core import Model, Stream
from ..._net.describe import Description
from ..._net.inputs import Array, Steps, check_int
from ..._net.tokens import as_token_steps
from ..._net.trace import Trace, trace_steps
from ...preprocessing import TokenEncoder
from ..fits import fits
from ..held_out import split
from ..hyperparameters import Number, positional
from ..reading import TokenEstimator
from ..state import State
from ..targets import Targets
from ..training import Data
from .corpus import Text, as_texts, read, streams
from .likelihood import log_probabilities
from .writing import BLOCK, Sampler, read_on, seed_of, written

#: Tokens up to which "auto" is "one-hot", and the width of an embedding of more.
FEW_TOKENS, EMBEDDING_SIZE = 256, 128


class LSTMLanguageModel(TokenEstimator):
    """Learn to say what comes next in a text: by characters or by words.

    The network reads a text token by token, and at each step gives every token of its vocabulary a probability to be
    the next. Training minimises cross-entropy by truncated BPTT: long texts are cut into `batch_size` streams that are
    read side by side, `window` tokens at a time, the state carried on (Mikolov et al. 2010; Graves 2013).

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(128,)
        Units of each recurrent layer, the first next to the input.
    analyzer : {"char", "word"} or TokenEncoder, default="char"
        What the tokens are; an encoder is cloned, and fitted to the texts.
    embedding_size : int, "one-hot" or "auto", default="auto"
        As in `LSTMClassifier`. "auto" is "one-hot" for up to 256 tokens, else 128; with `tie_weights` it is the size of
        the last layer. The first layer's weights start so wide that what a token adds to a gate has a variance of 1.
    tie_weights : bool, default=False
        Whether the output layer's weights are the embedding (Press & Wolf 2017): fewer parameters, of large
        vocabularies better ones.
    window : int, default=50
        Steps of truncated BPTT: the gradient goes back so far, the state comes from farther.
    dropout : float in [0, 1), default=0.0
        Probability that an output of a recurrent layer is zeroed during training, the last layer's too.
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units are.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the plain RNN's units; not read for others.
    forget_bias : float, "chrono", "mixed", "uniform" or "auto", default="uniform"
        Initial bias of an LSTM's forget gates, by default of all gates; see `LSTMClassifier`. "auto" is "mixed".
    solver : {"adam", "sgd", "rmsprop"}, default="adam"
        What makes updates of gradients. Of an embedding that is not tied they change the rows of tokens that occurred.
    alpha : float, default=0.0
        Strength of the L2 penalty on the weights, an embedding not among them.
    batch_size : int or "auto", default=50
        Streams that are read side by side, one after the other pieces or texts of it; "auto" cuts nothing, and reads 16
        texts at once.
    learning_rate : {"auto", "constant", "invscaling", "adaptive", "cosine", "settling"}, default="cosine"
        Its course over the epochs; see `LSTMClassifier`.
    learning_rate_init : float, default=0.003
        The learning rate of the first epoch.
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int or "auto", default="auto"
        Most epochs: how often the texts are read. "auto" is as many as make 3,000 updates: at most 400, or as many as
        read 10 million tokens.
    shuffle : bool, default=True
        Whether the streams and texts are shuffled before each epoch.
    random_state : int, RandomState instance or None, default=None
        Determines the initial weights, the order of texts, what is held out and dropout. The same int gives the same
        fit.
    tol : float, default=0.0001
        Training stops when the loss, or with `early_stopping` the score, has not become better by this for more than
        `n_iter_no_change` epochs.
    verbose : bool, default=False
        Whether to print a line per epoch: the loss, and about how long the rest takes.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights, and with the vocabulary, of the last one.
    momentum : float in [0, 1), default=0.9
        Of "sgd".
    nesterovs_momentum : bool, default=True
        Whether "sgd" uses Nesterov's momentum.
    early_stopping : bool or "auto", default="auto"
        Whether to stop by the score on text that is not learnt from, and keep the weights that were best there. "auto"
        does so if `fit` is given `X_val`, True always: without `X_val`, `validation_fraction` is held out.
    validation_fraction : float in (0, 1), default=0.1
        How much is held out: of one text the end, of several whole ones.
    n_iter_no_change : int or "auto", default="auto"
        See `tol`. "auto" is as many epochs as make 400 updates, at least 30; and no end but `max_iter` where that is
        "auto", nothing is held out, and the rate is not "adaptive".
    beta_1, beta_2 : float in [0, 1), default=0.9 and 0.999
        Decay rates of Adam's estimates of the gradient and its square; the second is that of "rmsprop" too.
    epsilon : float, default=1e-8
        Numerical stability of "adam" and "rmsprop".
    max_grad_norm : float or None, default=1.0
        Global norm that gradients are scaled down to; None for never.
    n_jobs : int or None, default=None
        Threads that share a mini-batch, or the texts of a score; None is 1, -1 all cores. The fit depends on it in its
        last bits.
    dtype : {"float32", "float64"}, default="float32"
        Of weights and arithmetic.

    Attributes
    ----------
    encoder_ : TokenEncoder
        The vocabulary.
    end_ : int
        The token that ends a text, and is read before the first one. It is one more than the encoder has.
    n_features_in_ : int
        Tokens per step, 1.
    n_iter_ : int
        Epochs run.
    n_updates_ : int
        Updates of the weights, one for each window; with `warm_start` those of the last `fit`.
    loss_ : float
        Mean training loss of the last epoch: nats a token.
    loss_curve_ : list of float
        `loss_` after each epoch.
    best_loss_ : float or None
        The lowest `loss_`; None where something was held out.
    validation_scores_ : list of float or None
        `score` of what is held out after each epoch. None where nothing was held out.
    best_validation_score_ : float or None
        The highest of them.

    See Also
    --------
    pylstm.preprocessing.TokenEncoder : Words and characters as tokens.

    Notes
    -----
    `fit` takes one long text, a list of texts, or a list of lists of tokens. Of a list, the end of each text is learnt,
    too, and `generate` ends there; of one text there is no end to learn.

    Probabilities of a text are those at a state of zeros in which the end of a text has been read. Logarithms are
    natural ones, but of `surprisal` and `bits_per_character`, which are bits.

    Examples
    --------
    >>> from pylstm import LSTMLanguageModel
    >>> model = LSTMLanguageModel((32,), batch_size=4, learning_rate_init=0.02, max_iter=60, random_state=0)
    >>> model = model.fit("the cat sat on the mat. " * 40)
    >>> model.generate("the cat ", max_new_tokens=16, temperature=0)
    'sat on the mat. '
    >>> (token, probability), = model.predict_next("the c", k=1)
    >>> token, probability > 0.9
    ('a', True)
    >>> model.perplexity("the cat sat on the mat. ") < 1.1
    True
    """

    hidden_layer_sizes: Any = positional(default=(128,), kw_only=False)
    analyzer: Any = "char"
    embedding_size: int | str = "auto"
    tie_weights: bool = False
    window: int = 50
    batch_size: int | str = 50
    learning_rate: str = "cosine"
    alpha: float = 0.0
    forget_bias: float | str = "uniform"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TokenEstimator._parameter_constraints,
        "analyzer": [StrOptions({"char", "word"}), TokenEncoder],
        "embedding_size": [Number(Integral, 1, None, closed="left"), StrOptions({"one-hot", "auto"})],
        "tie_weights": ["boolean"],
        "window": [Number(Integral, 1, None, closed="left")],
    }

    _loss = "cross_entropy"
    _score_name = "mean log-probability"
    _perfect_score = 0.0
    _gain_of_all = 1.0
    _updates = 3000
    _least_epochs = 1
    _most_steps = 10_000_000

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = tags.input_tags.three_d_array = False
        return tags

    # ---- fit

    @fits
    def fit(self, X: Any, y: Any = None, *, X_val: Any = None) -> Self:
        """Learn the vocabulary of texts, and to say what comes next in them.

        Parameters
        ----------
        X : str, or list of str or of lists of tokens
            One long text, several, or texts that are split into tokens already.
        y : None
            Ignored.
        X_val : str or list, default=None
            Text to stop by, as X: it is not learnt from, and the best weights by its score are kept. Without it,
            ``early_stopping=True`` holds out `validation_fraction`: of one text the end, of several whole ones.

        Returns
        -------
        self : LSTMLanguageModel
            The fitted estimator.
        """
        return self._fit(X, None, None, X_val=X_val, y_val=None if X_val is None else X_val)

    @fits
    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Use the given texts for one epoch, going on from what was learnt before.

        Parameters
        ----------
        X : str, or list of str or of lists of tokens
            As in `fit`. The first call learns the vocabulary; tokens that it has not seen are unknown later.
        y : None
            Ignored.

        Returns
        -------
        self : LSTMLanguageModel
            The fitted estimator.
        """
        return self._partial_fit(X, None, None, is_first=not hasattr(self, "_model"))

    def _read(self, X: Any, y: Any, sample_weight: Any, groups: Any = None, *, reset: bool, **_: Any) -> Data:
        if reset:
            own = isinstance(self.analyzer, TokenEncoder)
            texts, self._has_ends = as_texts(X)
            encoder = clone(self.analyzer) if own else TokenEncoder(analyzer=self.analyzer)
            self.encoder_: TokenEncoder = encoder.fit(texts)
            X = texts if self._has_ends else X
            self.end_: int = len(self.encoder_.tokens_)
            self._take_tokens(self.end_ + 1)
        is_held = y is not None  # `fit` has no targets but those of X_val, which is scored in one piece
        return streams(self._texts(X), 1 if is_held else self._n_streams(), self.window)

    def _n_streams(self) -> int:
        return 1 if self.batch_size == "auto" else int(self.batch_size)

    def _texts(self, X: Any) -> list[Text]:
        return read(self.encoder_, X, has_ends=self._has_ends)

    def _input_arguments(self, steps: Steps) -> dict[str, Any]:
        embedding_size = self.embedding_size
        if embedding_size == "auto":
            few = self._n_tokens is not None and self._n_tokens <= FEW_TOKENS
            last = int(np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=object))[-1])
            embedding_size = last if self.tie_weights else "one-hot" if few else EMBEDDING_SIZE
        return {
            "input_size": self._n_tokens,
            "embedding_size": embedding_size,
            "tie_weights": self.tie_weights,
        }

    def _n_outputs(self) -> int:
        assert self._n_tokens is not None
        return self._n_tokens

    def _start(self, model: Model, targets: Targets) -> None:
        """Let what a token adds to a gate have a variance of 1: by weights in 1/sqrt(H) all tokens look alike."""
        super()._start(model, targets)
        weights = model.parameters()["weight_ih_l0"]
        variance = 1 / (3 * model.spec.hidden_sizes[0])  # of a weight, which is uniform
        if model.spec.embedding_size != "one-hot":
            variance /= 3  # of a sum over a row of the table, whose elements are uniform in 1/sqrt(E)
        weights *= variance**-0.5

    def _hold_out(self, data: Data) -> tuple[Data, Data]:
        assert data.groups is not None
        if self._has_ends and data.groups.max() > data.groups.min():
            return split(data, self.validation_fraction, None, self._random_state)
        # The pieces of one text, one after the other: its end.
        rows, targets = data.steps.rows, data.targets.values
        n_kept = int(len(rows) * (1 - self.validation_fraction))
        if not 0 < n_kept < len(rows) - 1:
            raise ValueError(
                f"validation_fraction={self.validation_fraction} must leave something of {len(rows)} tokens"
            )
        parts = (slice(n_kept), slice(n_kept, None))
        kept, held = (Text(rows[part].reshape(-1), targets[part]) for part in parts)
        return streams([kept], self._n_streams(), self.window), streams([held], 1, self.window)

    def _score_on(self, data: Data, model: Model) -> float:
        ends = np.cumsum(data.steps.lengths)
        texts = [
            Text(data.steps.rows[end - n : end].reshape(-1), data.targets.values[end - n : end])
            for end, n in zip(ends, data.steps.lengths, strict=True)
        ]
        return float(np.concatenate(log_probabilities(model, texts)).mean())

    # ---- how probable a text is

    def _log_probabilities(self, X: Any) -> list[npt.NDArray[np.float64]]:
        check_is_fitted(self, "_model")
        n_threads = None if self.n_jobs == self._n_jobs_of_model else effective_n_jobs(self.n_jobs)
        return log_probabilities(self._model, self._texts(X), n_threads)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean logarithm of the probability of a token: the higher, the better.

        Parameters
        ----------
        X : str, or list of str or of lists of tokens
            Texts. Of a list, after a fit on one, their ends count, too.
        y : None
            Ignored.

        Returns
        -------
        float
            In nats.
        """
        return float(np.concatenate(self._log_probabilities(X)).mean())

    def score_samples(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the logarithm of the probability of each text, the sum over its tokens.

        Parameters
        ----------
        X : str, or list of str or of lists of tokens
            Texts, of which one has a token at least.

        Returns
        -------
        ndarray (n_texts,)
            In nats. An empty text has a probability of 1, unless there is an end to say.
        """
        return np.array([of_text.sum() for of_text in self._log_probabilities(X)])

    def perplexity(self, X: Any) -> float:
        """Return of how many tokens, equally probable, the next one would be as hard to guess: e to minus the score.

        Parameters
        ----------
        X : str, or list of str or of lists of tokens
            Texts.

        Returns
        -------
        float
        """
        return float(np.exp(-self.score(X)))

    def bits_per_character(self, X: Any) -> float:
        """Return how many bits the texts take, over their characters.

        Parameters
        ----------
        X : str or list of str
            Texts. Of words, the spaces between them count as characters, though the model does not say them.

        Returns
        -------
        float
        """
        texts, _ = as_texts(X)
        if not all(isinstance(text, str) for text in texts):
            self._texts(texts)  # which says what is no text
            raise TypeError("X must hold texts, whose characters can be counted, got lists of tokens")
        n_characters = sum(map(len, texts))
        if n_characters == 0:
            raise ValueError("X must have a character at least, got none")
        total = -float(np.concatenate(self._log_probabilities(X if isinstance(X, str) else texts)).sum())
        return total / float(np.log(2)) / n_characters

    def surprisal(self, text: Any) -> npt.NDArray[np.float64]:
        """Return how surprising each token of a text is: minus the binary logarithm of its probability.

        Parameters
        ----------
        text : str or list of str
            The text, or its tokens.

        Returns
        -------
        ndarray (n_tokens_of_text,)
            In bits; of a text without tokens none.
        """
        check_is_fitted(self, "_model")
        prompt = self._prompt(text)
        shown = Text(prompt[:-1], prompt[1:].astype(np.intp))
        return -log_probabilities(self._model, [shown])[0] / np.log(2)

    # ---- what comes next

    def predict_next(self, text: Any = "", k: int = 5) -> list[tuple[str, float]]:
        """Return the most probable tokens after a text.

        Parameters
        ----------
        text : str or list of str, default=""
            What was before.
        k : int, default=5
            How many; of fewer tokens all.

        Returns
        -------
        list of (str, float)
            Tokens and their probabilities, the most probable first. The end of a text is "".
        """
        check_is_fitted(self, "_model")
        k = check_int(k, "k", 1)
        stream = Stream(self)
        prompt = self._prompt(text)
        read_on(stream, prompt[:-1])
        probabilities = stream.step(int(prompt[-1]))
        order = np.argsort(-probabilities, kind="stable")[:k]
        names = self._names()
        return [(str(names[token]), float(probabilities[token])) for token in order]

    def generate(
        self,
        prompt: Any = "",
        max_new_tokens: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> Any:
        """Write on after a text.

        Parameters
        ----------
        prompt : str or list of str, default=""
            What was before.
        max_new_tokens : int, default=200
            How many tokens at most: after a fit on a list of texts, the end of a text ends it.
        temperature : float, default=1.0
            Outputs are divided by it before the softmax: below 1 the text is safer, above it is wilder. 0 always takes
            the most probable token.
        top_k : int, default=None
            Only so many of the most probable tokens are drawn from; None is all.
        top_p : float in (0, 1], default=None
            Only the fewest of the most probable tokens that have such a probability together; None is all.
        random_state : int, RandomState instance or None, default=None
            The same int gives the same text, here and by an exported C file that is given it as its seed.

        Returns
        -------
        str or list of str
            What was written, without the prompt, as `TokenEncoder.decode` returns it.
        """
        drawn = list(self._written(prompt, max_new_tokens, temperature, top_k, top_p, random_state, BLOCK))
        return self.encoder_.decode(np.array(drawn, np.intp))

    def iter_tokens(
        self,
        prompt: Any = "",
        max_new_tokens: int = 200,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        random_state: Any = None,
    ) -> Iterator[str]:
        """Yield the tokens that `generate` would write, one after the other.

        Parameters
        ----------
        prompt, max_new_tokens, temperature, top_k, top_p, random_state
            As in `generate`.

        Yields
        ------
        str
            A token.
        """
        drawn = self._written(prompt, max_new_tokens, temperature, top_k, top_p, random_state, 1)
        names = self._names()  # of this vocabulary, whatever is learnt meanwhile
        return (str(names[token]) for token in drawn)

    def _written(
        self, prompt: Any, n: Any, temperature: Any, top_k: Any, top_p: Any, random_state: Any, block: int
    ) -> Iterator[int]:
        check_is_fitted(self, "_model")
        n = check_int(n, "max_new_tokens", 0)
        excluded = [token for token in (0, self.end_) if token not in self._drawn()]
        sampler = Sampler(seed_of(random_state), temperature, top_k, top_p, np.array(excluded, np.uint32))
        drawn = written(Stream(self), self._prompt(prompt), n, sampler, block)
        return takewhile(partial(int.__ne__, self.end_), drawn)

    def _prompt(self, text: Any) -> npt.NDArray[np.uint32]:
        """Return what is read before the first token that is drawn."""
        is_empty = isinstance(text, str) and not text  # which is no text to an encoder of lists of tokens
        return np.concatenate([[self.end_], [] if is_empty else self.encoder_.encode(text)]).astype(np.uint32)

    def _names(self) -> npt.NDArray[Any]:
        """Return the text of each token, the last the end of a text, ""."""
        return np.append(self.encoder_.tokens_, "")

    # ---- step by step, and look inside

    def stream(self, batch_size: int = 1) -> Stream:
        """Return a `pylstm.Stream` that takes one token after the other, and returns the probabilities of the next.

        Parameters
        ----------
        batch_size : int, default=1
            Independent texts side by side.

        Returns
        -------
        Stream
            It has read the end of a text; after its `reset` that is to be read first: ``step(end_)``. Its ``classes_``
            are the tokens that outputs are probabilities of, the last the end of a text, "". A step takes the number of
            a token, or the token.
        """
        stream = Stream(self, batch_size)
        stream.step(self.end_ if batch_size == 1 else np.full(batch_size, self.end_))
        return stream

    def trace(self, text: Any, *, hold: Any = None) -> Trace:
        """Return what happens inside the network while it reads a text: every gate and state of every step.

        Parameters
        ----------
        text : str or list of str
            The text, or its tokens.
        hold : mapping, default=None
            Gates held at values; see `pylstm.Sequence.trace`.

        Returns
        -------
        pylstm.Trace
            Of the layers; step k is after token k, the first one after the end of the text before.
        """
        check_is_fitted(self, "_model")
        return trace_steps(self._model, as_token_steps([self._prompt(text)], self._n_outputs()), None, hold)

    def _describe(self) -> Description:
        check_is_fitted(self, "_model")
        texts = self._names()
        return Description(self._model.spec, self._model, self, labels=texts, tokens=texts, drawn=self._drawn())

    def _drawn(self) -> range:
        """Return the tokens that may be written: those that were met."""
        return range(0 if self._met[0] else 1, self.end_ + self._has_ends)

    # ---- in files

    def _input_state(self) -> dict[str, Any]:
        encoder = self.encoder_
        if callable(encoder.analyzer):
            raise ValueError("analyzer must not be a callable to be saved: no file can keep it")
        values, _ = encoder._get_state()
        return {
            "analyzer": encoder.analyzer,
            "token_pattern": encoder.token_pattern,
            "lowercase": encoder.lowercase,
            "has_ends": self._has_ends,
            **values,
        }

    def _get_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        values, arrays = super()._get_state()
        return values, {**arrays, **self.encoder_._get_state()[1]}

    def _read_input_state(self, state: State) -> int:
        encoder = TokenEncoder(
            analyzer=state.choice("analyzer", ["char", "word"]),
            token_pattern=state.value("token_pattern", "a string", lambda value: type(value) is str),
            lowercase=state.boolean("lowercase"),
        )
        self._has_ends = state.boolean("has_ends")
        encoder._set_state(state)
        self.encoder_, self.end_ = encoder, len(encoder.tokens_)
        self._set_tokens(state, self.end_ + 1)
        return self.end_ + 1
