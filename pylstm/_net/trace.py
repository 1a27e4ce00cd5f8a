"""What happened inside a net: every gate and state of every step, by name; and gates held at values."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .above import above
from .cells import GATES, STATES
from .inputs import Array, Steps, as_array, as_floats, as_given, as_numbers, is_ragged
from .pickles import plain_spec, reduced, spec_of

if TYPE_CHECKING:
    from .core import ModelSpec, Sequence, _Net

State = list[tuple[Array, ...]]


class Trace(Mapping[str, "Array | list[Array]"]):
    """The gates, states and outputs of every step of every layer, by name, from `Sequence.trace` or an estimator's.

    Names are those of `Sequence.parameters`: ``trace["f_l0"]`` is the forget gate of the first layer, an array
    (n_sequences, n_steps, hidden_size), or a list of (n_steps_i, hidden_size) where the sequences came as one;
    ``"f_l0_reverse"`` that of the reverse direction, in the order of the sequence's steps too. An LSTM has i, f, g, o,
    c, h, a GRU r, z, n, h, an RNN h.

    Attributes
    ----------
    spec : ModelSpec
        What the net is.
    cell : {"lstm", "gru", "rnn"}
    hidden_sizes : tuple of int
        Units of each layer.
    n_directions : int
    lengths : ndarray (n_sequences,)
        Steps of each sequence.
    output : ndarray (n_sequences, n_steps, n_directions * hidden_size), or list of (n_steps_i, ...)
        The last layer's output, as `Sequence.forward` returns it.
    initial_state, final_state : list
        As `Sequence.forward` takes and returns them.

    Examples
    --------
    >>> import numpy as np, pylstm
    >>> seq = pylstm.Sequence(3, (8, 5), random_state=0)
    >>> trace = seq.trace(np.ones((2, 4, 3)))
    >>> list(trace)[:6], trace["f_l1"].shape
    (['i_l0', 'f_l0', 'g_l0', 'o_l0', 'c_l0', 'h_l0'], (2, 4, 5))
    >>> kept = seq.trace(np.ones((2, 4, 3)), hold={"f_l1": 1.0})
    >>> bool((kept["f_l1"] == 1).all())
    True
    """

    def __init__(
        self,
        *,
        spec: "ModelSpec",
        steps: Steps,
        rows: dict[str, Array],
        output: Array,
        initial_state: State,
        final_state: State,
    ) -> None:
        self.spec = spec
        self.cell = spec.cell
        self.hidden_sizes = spec.hidden_sizes
        self.n_directions = spec.n_directions
        self.lengths = steps.lengths
        self.output = as_given(output, steps)
        self.initial_state = initial_state
        self.final_state = final_state
        self._rows = rows
        self._values = {name: as_given(values, steps) for name, values in rows.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.__getstate__())

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "spec": plain_spec(self.spec)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, spec=spec_of(state["spec"]))

    def __getitem__(self, name: str) -> "Array | list[Array]":
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return (
            f"Trace(cell={self.cell!r}, hidden_sizes={self.hidden_sizes}, n_directions={self.n_directions}, "
            f"n_sequences={len(self.lengths)})"
        )

    def _repr_html_(self) -> str | None:
        """Return the page of the first sequence for a notebook, or None, for `repr`, where it would be large."""
        return above["embed_page"]()(self)

    def sequence(self, index: int) -> dict[str, Array]:
        """Return what happened in one sequence: by name, arrays (n_steps, hidden_size)."""
        return {name: values[index] for name, values in self._values.items()}

    def to_html(
        self, path: Any, sequence: int = 0, labels: Iterable[Any] | None = None, title: str = "A trace of pylstm"
    ) -> None:
        """Write what happened in one sequence as an interactive HTML page, which needs no other file and no network.

        Parameters
        ----------
        path : str or path-like
            The page, which is written whole or not at all.
        sequence : int, default=0
        labels : iterable, default=None
            What to call the steps: words, times, ...; None numbers them.
        title : str, default="A trace of pylstm"

        Raises
        ------
        ValueError, TypeError
            If there is no such sequence, `labels` are more or fewer than its steps, or the trace is not finite.

        Examples
        --------
        >>> import numpy as np, pylstm, tempfile
        >>> trace = pylstm.Sequence(3, 5, random_state=0).trace(np.ones((1, 3, 3)))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trace.to_html(f"{folder}/trace.html", labels=["we", "like", "tea"])
        """
        above["write_page"]()(self, path, sequence, labels, title)

    def to_frame(self) -> Any:
        """Return everything as a tidy pandas DataFrame.

        Returns
        -------
        DataFrame
            A row for each sequence, step, layer, direction ("forward" or "reverse") and unit, a column for each gate
            and state; of an LSTM also ``half_life``, see `half_life`.

        Examples
        --------
        >>> import numpy as np, pylstm
        >>> pylstm.Sequence(1, 2, random_state=0).trace(np.zeros((1, 3, 1))).to_frame().columns.tolist()
        ['sequence', 'step', 'layer', 'direction', 'unit', 'i', 'f', 'g', 'o', 'c', 'h', 'half_life']
        """
        try:
            import pandas as pd
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "Trace.to_frame needs pandas, which is not installed: pip install pandas", name="pandas"
            ) from error
        sequence = np.repeat(np.arange(len(self.lengths)), self.lengths)
        step = np.arange(len(sequence)) - np.repeat(np.cumsum(self.lengths) - self.lengths, self.lengths)
        frames = []
        for layer, direction, suffix in self.spec.places:
            n_units = self.hidden_sizes[layer]
            columns = {
                "sequence": np.repeat(sequence, n_units),
                "step": np.repeat(step, n_units),
                "layer": layer,
                "direction": ("forward", "reverse")[direction],
                "unit": np.tile(np.arange(n_units), len(step)),
            }
            columns |= {letter: self._rows[letter + suffix].reshape(-1) for letter in GATES[self.cell]._fields}
            frames.append(pd.DataFrame(columns))
        frame = pd.concat(frames, ignore_index=True)
        if self.cell == "lstm":
            frame["half_life"] = half_life(frame["f"].to_numpy())
        return frame


def half_life(f: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return after how many steps a forget gate that stays at `f` has left half of a memory: ln 2 / -ln f.

    Parameters
    ----------
    f : array-like
        Of an LSTM's forget gate, or a GRU's update gate; within [0, 1].

    Returns
    -------
    ndarray of float64
        In steps; 0 where f is 0, infinite where it is 1.

    Examples
    --------
    >>> import pylstm
    >>> pylstm.half_life([0.0, 0.5, 0.99, 1.0]).round(1)
    array([ 0.,  1., 69., inf])
    """
    with as_floats("f"):
        f = np.asarray(f, np.float64)
    if ((f < 0) | (f > 1)).any():
        raise ValueError(f"f must be within [0, 1], got values from {np.nanmin(f)} to {np.nanmax(f)}")
    with np.errstate(divide="ignore"):
        return np.log(2) / np.abs(np.log(f))  # -log(1) is -0


def trace(net: "Sequence", X: Any, state: Any, hold: Any) -> Trace:
    """Return the trace of a `Sequence` over X; see `Sequence.trace`."""
    return trace_steps(net, net.steps_of(X), state, hold)


def trace_steps(net: "_Net", steps: Steps, state: Any, hold: Any) -> Trace:
    """Return the trace of a `Sequence`, or of the layers of a `Model`, over steps that are checked already."""
    output, initial, final, values = net.run_traced(steps, state, held_values(net, steps, hold))
    rows: dict[str, Array] = {}
    for (_, _, suffix), of_layer in zip(net.spec.places, values, strict=True):
        rows |= {letter + suffix: array for letter, array in zip(GATES[net.cell]._fields, of_layer, strict=True)}
    return Trace(spec=net.spec, steps=steps, rows=rows, output=output, initial_state=initial, final_state=final)


def held_values(net: "_Net", steps: Steps, hold: Any) -> Array | None:
    """Return what `pylstm_trace` takes as `held`.

    Parameters
    ----------
    net : Sequence or Model
    steps : Steps
    hold : mapping of str to array-like, or None
        As in `Sequence.trace`.

    Returns
    -------
    ndarray or None
        For each layer and direction (n_gates, n_rows, hidden_size), NaN where a gate is free, all in one flat array;
        None where none is held.
    """
    if hold is None:
        return None
    if not isinstance(hold, Mapping):
        raise TypeError(f"hold must be a mapping of gates to values, got {type(hold).__name__!r}")
    letters = [letter for letter in GATES[net.cell]._fields if letter not in STATES[net.cell]]
    names = [letter + suffix for _, _, suffix in net.spec.places for letter in letters]
    if unknown := [name for name in hold if name not in names and name not in letters]:
        gates = f"{', '.join(letters)}, and by layer {', '.join(names)}" if letters else "none: an RNN has no gates"
        raise ValueError(f"hold must name gates of the net, got {unknown[0]!r}; it has {gates}")
    arrays = []
    for layer, _, suffix in net.spec.places:
        for letter in letters:
            array = np.full((len(steps.rows), net.hidden_sizes[layer]), np.nan, net.dtype)
            name = letter + suffix if letter + suffix in hold else letter
            if name in hold:
                array[...] = _held(hold[name], f"hold[{name!r}]", letter, steps, array.shape[1], net.dtype)
            arrays.append(array.reshape(-1))
    return np.concatenate(arrays) if arrays else None


def _held(values: Any, name: str, letter: str, steps: Steps, n_units: int, dtype: npt.DTypeLike) -> Array:
    """Return what one gate is held at, (n_rows, n_units) or of a shape that broadcasts to it."""
    if steps.is_dense:
        shape = (len(steps.lengths), int(steps.lengths[0]), n_units)
        array = _broadcast(values, name, "(n_sequences, n_steps, hidden_size)", shape, dtype).reshape(-1, n_units)
    elif not isinstance(values, list | tuple) and not is_ragged(values):
        array = _broadcast(values, name, "(hidden_size,), or be a list of arrays, one for each,", (n_units,), dtype)
    elif len(values) != len(steps.lengths):
        raise ValueError(f"{name} must have an array for each of the {len(steps.lengths)} sequences, got {len(values)}")
    else:
        shape_text = "(n_steps, hidden_size)"
        array = np.concatenate(
            [
                _broadcast(value, f"{name}[{index}]", shape_text, (int(length), n_units), dtype)
                for index, (value, length) in enumerate(zip(values, steps.lengths, strict=True))
            ]
        )
    low = -1 if letter in "gn" else 0
    if not ((array >= low) & (array <= 1) | np.isnan(array)).all():
        raise ValueError(f"{name} must be within [{low}, 1], or NaN where the gate is free")
    return array


def _broadcast(values: Any, name: str, shape_text: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    array = as_array(values, name)
    array = as_numbers(array, name, array.ndim, shape_text, dtype)
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(f"{name} must broadcast to {shape_text} here {shape}, got {array.shape}") from None
