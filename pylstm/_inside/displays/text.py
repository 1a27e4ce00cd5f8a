"""Texts coloured token by token: by what a unit holds, and by how surprising they are."""

import html
from collections.abc import Sequence as AbstractSequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..._net.cells import GATES
from ..._net.inputs import Array, check_int
from .axes import BLUE, RED
from .traced import of_layer

if TYPE_CHECKING:
    from ..._estimators.language import LSTMLanguageModel

#: Of a terminal's 256 colours, from weak to strong.
BLUES, ORANGES = (17, 18, 24, 31, 38), (52, 94, 130, 172, 208)
#: Below this part of the scale nothing is coloured.
LEAST = 0.08


class ColouredText:
    """A text whose tokens are coloured by numbers: orange above 0, blue below; the stronger, the larger.

    Shown in a notebook as it is, in a terminal by `print`.

    Parameters
    ----------
    tokens : sequence of str
    rows : sequence of (str, array-like (n_tokens,))
        Titles and numbers: the text is shown once for each.
    joined_by : str, default=""
        What stands between tokens.
    scale : float, default=None
        What is coloured in full; None is the largest magnitude of each row.
    """

    def __init__(
        self,
        tokens: AbstractSequence[str],
        rows: AbstractSequence[tuple[str, npt.ArrayLike]],
        *,
        joined_by: str = "",
        scale: float | None = None,
    ) -> None:
        self.tokens = [str(token) for token in tokens]
        self.rows = [(str(title), np.asarray(values, np.float64)) for title, values in rows]
        self.joined_by = joined_by
        self.scale = scale
        for title, values in self.rows:
            if values.shape != (len(self.tokens),):
                raise ValueError(
                    f"values of {title!r} must have shape ({len(self.tokens)},), one for each token, got {values.shape}"
                )

    def _shares(self, values: Array) -> Array:
        """Return numbers as parts of the scale, within [-1, 1]."""
        scale = self.scale or float(np.abs(values).max(initial=0)) or 1.0
        return np.clip(values / scale, -1, 1)

    def to_html(self) -> str:
        """Return the text as a piece of HTML."""
        parts = []
        for title, values in self.rows:
            spans = []
            for token, share, value in zip(self.tokens, self._shares(values).tolist(), values.tolist(), strict=True):
                shown = html.escape(token).replace("\n", "\u21b5<br>")
                colour = f"{RED if share > 0 else BLUE}{int(255 * min(abs(share), 1) * 0.8):02x}"
                style = f' style="background:{colour}"' if abs(share) >= LEAST else ""
                spans.append(f'<span{style} title="{value:.3g}">{shown}</span>')
            text = html.escape(self.joined_by).join(spans)
            parts.append(
                f'<p style="font-family:monospace;white-space:pre-wrap"><b>{html.escape(title)}</b><br>{text}</p>'
            )
        return "\n".join(parts)

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_terminal(self, colour: bool = True) -> str:
        """Return the text for a terminal.

        Parameters
        ----------
        colour : bool, default=True
            Whether by colours; else a line below the text has digits, tenths of the scale, in the place of tokens.

        Returns
        -------
        str
        """
        lines = []
        for title, values in self.rows:
            lines.append(title)
            lines.append(self._coloured(values) if colour else self._digits(values))
        return "\n".join(lines)

    def _coloured(self, values: Array) -> str:
        parts = []
        for token, share in zip(self.tokens, self._shares(values).tolist(), strict=True):
            ramp = ORANGES if share > 0 else BLUES
            number = ramp[min(int(abs(share) * len(ramp)), len(ramp) - 1)]
            shown = token.replace("\n", "\u21b5\n")
            parts.append(f"\x1b[48;5;{number}m{shown}\x1b[0m" if abs(share) >= LEAST else shown)
        return self.joined_by.join(parts)

    def _digits(self, values: Array) -> str:
        """Return lines of the text, each above one with digits, those below 0 after a minus, where there is room."""
        above, below = [], []
        for token, share in zip(self.tokens, self._shares(values).tolist(), strict=True):
            shown = token.replace("\n", "\u21b5")
            digit = min(int(abs(share) * 10), 9)
            number = "" if digit == 0 else f"-{digit}" if share < 0 else str(digit)
            width = max(len(shown), len(number))
            above.append(shown.ljust(width) + self.joined_by)
            below.append(number.ljust(width) + " " * len(self.joined_by))
        return "".join(above).rstrip() + "\n" + "".join(below).rstrip()

    def __str__(self) -> str:
        return self.to_terminal()


def tokens_of(model: "LSTMLanguageModel", text: Any) -> tuple[list[str], str]:
    """Return the tokens of a text as a language model reads them, and what stands between them when they are shown."""
    by_character = model.encoder_.analyzer == "char"
    if by_character and isinstance(text, str):  # as it stands, what is unknown too
        names = list(text)
    else:
        names = [str(model.encoder_.tokens_[number]) for number in model.encoder_.encode(text)]
    if not names:
        raise ValueError("text must have a token at least, got none")
    return names, "" if by_character else " "


class CellTextDisplay(ColouredText):
    """A text coloured by what units of a language model hold after each token (Karpathy, Johnson & Fei-Fei 2015).

    Parameters
    ----------
    tokens, rows, joined_by, scale
        As in ``from_estimator``: a row for each unit.

    See Also
    --------
    SurprisalDisplay : Coloured by how surprising each token is.

    Examples
    --------
    >>> from pylstm import CellTextDisplay, LSTMLanguageModel
    >>> model = LSTMLanguageModel((8,), max_iter=2, batch_size=2, random_state=0).fit("to be (or not) to be. " * 20)
    >>> display = CellTextDisplay.from_estimator(model, "be (or not)", units=[3, 5])
    >>> [title for title, _ in display.rows]
    ['unit 3', 'unit 5']
    >>> display.to_html().count("<span")
    22
    """

    @classmethod
    def from_estimator(
        cls,
        estimator: "LSTMLanguageModel",
        text: Any,
        *,
        units: Any = None,
        layer: int = 0,
        of: str | None = None,
        tells: npt.ArrayLike | None = None,
        n_units: int = 3,
    ) -> Self:
        """Colour a text by what units hold while the model reads it.

        Parameters
        ----------
        estimator : LSTMLanguageModel
        text : str or list of str
        units : sequence of int, default=None
            Which; None takes the `n_units` that tell most.
        layer : int, default=0
        of : str, default=None
            A letter of the trace: "c" for the cell state, "h", or a gate. None is "c", or "h" where there is none.
        tells : array-like (n_tokens,), default=None
            What the units are to tell, such as whether a token is within brackets: those are taken whose values go
            with it best, by the magnitude of the correlation. None takes the units that vary most.
        n_units : int, default=3
            How many, where `units` is None.

        Returns
        -------
        CellTextDisplay
        """
        tokens, joined_by = tokens_of(estimator, text)
        traced = of_layer(estimator.trace(text), 0, layer, "forward")
        letters = [*GATES[estimator.cell]._fields]
        letter = ("c" if "c" in letters else "h") if of is None else of
        if letter not in letters:
            raise ValueError(f"of must be one of {letters}, got {of!r}")
        values = traced[letter][1:]  # step 0 is the end of the text before
        titles = {}
        if units is None:
            told = _correlations(values, tells) if tells is not None else values.std(axis=0)
            units = np.argsort(-np.abs(told), kind="stable")[: check_int(n_units, "n_units", 1)].tolist()
            titles = {unit: f", correlation {told[unit]:+.2f}" for unit in units if tells is not None}
        for unit in units:
            if check_int(unit, "units", 0) >= values.shape[1]:
                raise ValueError(f"units must be of the layer's {values.shape[1]}, counted from 0, got {unit}")
        rows = [(f"unit {unit}{titles.get(unit, '')}", values[:, unit]) for unit in units]
        return cls(tokens, rows, joined_by=joined_by, scale=None if letter == "c" else 1.0)


def _correlations(values: Array, tells: npt.ArrayLike) -> Array:
    """Return how each unit goes with what is to be told; 0 of one that does not vary."""
    wanted = np.asarray(tells, np.float64)
    if wanted.shape != (len(values),):
        raise ValueError(f"tells must have shape ({len(values)},), one for each token, got {wanted.shape}")
    if not np.isfinite(wanted).all() or wanted.std() == 0:
        raise ValueError("tells must be finite and differ from token to token")
    centred = values - values.mean(axis=0, dtype=np.float64)
    deviations = centred.std(axis=0)
    covariances = (wanted - wanted.mean()) @ centred / len(values)
    return np.divide(covariances, deviations * wanted.std(), out=np.zeros_like(covariances), where=deviations > 0)


class SurprisalDisplay(ColouredText):
    """A text coloured by how surprising each token is to a language model, in bits.

    Parameters
    ----------
    tokens, rows, joined_by, scale
        As in ``from_estimator``: one row.

    See Also
    --------
    LSTMLanguageModel.surprisal : The numbers.

    Examples
    --------
    >>> from pylstm import LSTMLanguageModel, SurprisalDisplay
    >>> model = LSTMLanguageModel((8,), max_iter=2, batch_size=2, random_state=0).fit("to be or not to be. " * 20)
    >>> display = SurprisalDisplay.from_estimator(model, "to bee")
    >>> len(display.rows[0][1])
    6
    """

    @classmethod
    def from_estimator(cls, estimator: "LSTMLanguageModel", text: Any) -> Self:
        """Colour a text by how surprising it is.

        Parameters
        ----------
        estimator : LSTMLanguageModel
        text : str or list of str

        Returns
        -------
        SurprisalDisplay
            Full colour is as many bits as a token would have if all were equally probable.
        """
        tokens, joined_by = tokens_of(estimator, text)
        values = estimator.surprisal(text)
        title = f"surprisal, {values.mean():.2f} bits a token"
        return cls(
            tokens, [(title, values)], joined_by=joined_by, scale=float(np.log2(len(estimator.encoder_.tokens_)))
        )
