# Part of core.pyx: one cell, a step at a time.

cdef class Cell(_Net):
    """One cell, a step at a time.

    Parameters
    ----------
    input_size : int
        Features per step.
    hidden_size : int
        Units of the cell, H.
    dtype : {"float32", "float64"}, default="float32"
        Of the weights and all arithmetic.
    forget_bias : float, "chrono", "mixed" or "uniform", default=1.0
        Initial bias of an LSTM's forget gate. "chrono" draws it, and the input gate's, so that the units remember for
        spans spread up to `t_max` steps (Tallec & Ollivier 2018); "mixed" does so for half of them, the others have 1.
        "uniform", of any cell, draws the biases of all gates in +-1/sqrt(8).
    random_state : int, numpy Generator or RandomState, default=None
        Seed of the initial weights.
    t_max : int, default=None
        The longest span to remember, at least 3; goes with ``forget_bias="chrono"`` and "mixed".
    cell : {"lstm", "gru", "rnn"}, default="lstm"
        What the units are: LSTM, GRU (with the reset gate after the recurrent product, as PyTorch's), or plain RNN.
    nonlinearity : {"tanh", "relu"}, default="tanh"
        Of the plain RNN; other cells do not read it.

    Attributes
    ----------
    weight_ih : ndarray (4 * hidden_size, input_size)
        Input weights, gates stacked i, f, g, o. Like the next two a writable view: the cell uses what is written there.
    weight_hh : ndarray (4 * hidden_size, hidden_size)
        Recurrent weights.
    bias : ndarray (4 * hidden_size,)
        A GRU has gates r, z, n: (3 * hidden_size, ...) weights, and a bias (4 * hidden_size,) that ends with the one of
        n's recurrent part. An RNN has (hidden_size, ...) of each.
    input_size, hidden_size : int
    dtype : numpy dtype

    Examples
    --------
    >>> import numpy as np, pylstm
    >>> cell = pylstm.Cell(3, 5, random_state=0)
    >>> h, c = cell.step(np.ones((2, 3)))
    >>> h, c = cell.step(np.ones((2, 3)), (h, c))
    >>> h.shape
    (2, 5)
    """

    def __init__(self, input_size, hidden_size, dtype="float32", forget_bias=1.0, random_state=None, *, t_max=None,
                 cell="lstm", nonlinearity="tanh"):
        spec = ModelSpec(input_size, (hidden_size,), dtype=dtype, cell=cell, nonlinearity=nonlinearity,
                         forget_bias=forget_bias, t_max=t_max)
        self.setup(spec, random_state, 1)

    def __repr__(self):
        return f"Cell({self.input_size}, {self.hidden_size}, dtype={self.dtype.name!r}{self.kind()})"

    @property
    def hidden_size(self):
        """Units of the cell."""
        return self.hidden_sizes[0]

    @property
    def weight_ih(self):
        """(G * hidden_size, input_size), a writable view."""
        return self.hand_out()["weight_ih_l0"]

    @property
    def weight_hh(self):
        """(G * hidden_size, hidden_size), a writable view."""
        return self.hand_out()["weight_hh_l0"]

    @property
    def bias(self):
        """(G * hidden_size,), of a GRU (4 * hidden_size,), a writable view."""
        return self.hand_out()["bias_l0"]

    cdef tuple check_step(self, x, state):
        """Return the steps and flat state of one step."""
        x = as_numbers(x, "x", 2, "(n_sequences, input_size)", self.dtype)
        steps = as_steps(x[:, np.newaxis], self.c.input_size, self.dtype, "x")
        if state is None:
            return steps, None
        flat = self.new_state(len(x))
        views, = self.state_views(flat, len(x))
        if self.cell != "lstm":
            fill(views[0][0], state, "state, h alone,")
            return steps, flat
        if not isinstance(state, (list, tuple)) or len(state) != 2:
            raise ValueError(f"state must be a pair (h, c), got {type(state).__name__!r}")
        fill(views[0][0], state[0], "h of state")
        fill(views[1][0], state[1], "c of state")
        return steps, flat

    def step(self, x, state=None):
        """Take one step.

        Parameters
        ----------
        x : array-like (n_sequences, input_size)
        state : pair (h, c), each array-like (n_sequences, hidden_size), default=None
            Of a GRU or an RNN h alone. None starts at zero.

        Returns
        -------
        h, c : ndarray (n_sequences, hidden_size)
            The new state; h is also the output. Of a GRU or an RNN h alone.

        Raises
        ------
        ValueError, TypeError
            If `x` or `state` have another shape or hold no numbers.
        """
        self.n_calls += 1
        try:
            steps, state_in = self.check_step(x, state)
            _, state_out = self.run_forward(steps, state_in, None)
            views, = self.state_views(state_out, len(steps.lengths))
            return (views[0][0], views[1][0]) if self.cell == "lstm" else views[0][0]
        finally:
            self.n_calls -= 1

    def gates(self, x, state=None):
        """Take one step and show what happened in it.

        Parameters
        ----------
        x, state
            As in `step`.

        Returns
        -------
        Gates
            A named tuple i, f, g, o, c, h of arrays (n_sequences, hidden_size): the gates after their activation, the
            new cell state, the new output. Of a GRU r, z, n, h; of an RNN h.

        Examples
        --------
        >>> import numpy as np, pylstm
        >>> cell = pylstm.Cell(1, 4, forget_bias=5.0, random_state=0)
        >>> bool((cell.gates(np.zeros((1, 1))).f > 0.99).all())
        True
        """
        self.n_calls += 1
        try:
            steps, flat = self.check_step(x, state)
            state_in = None if flat is None else self.state_views(flat, len(steps.lengths))
            _, _, _, values = self.run_traced(steps, state_in, None)
            return GATES[self.cell](*values[0])
        finally:
            self.n_calls -= 1

    def explain(self, x, state=None, unit=0):
        """Take one step and show the arithmetic of one unit, with digits that add up.

        Parameters
        ----------
        x : array-like (input_size,) or (1, input_size)
        state : pair (h, c), each array-like (hidden_size,) or (1, hidden_size), default=None
            Of a GRU or an RNN h alone. None starts at zero.
        unit : int, default=0

        Returns
        -------
        Explanation
            Print it. Its numbers are in ``sums`` and ``gates``.

        Raises
        ------
        ValueError, TypeError
            If `x` or `state` have another shape, hold no numbers or are not finite, or there is no such unit.

        Examples
        --------
        >>> import pylstm
        >>> cell = pylstm.Cell(1, 1, dtype="float64", cell="rnn", random_state=0)
        >>> cell.weight_ih[...], cell.weight_hh[...], cell.bias[...] = 0.3, -0.5, 0.1
        >>> step = cell.explain([2.0], state=[0.4])
        >>> print(step)
        RNN, one step of unit 0 (of 1, from 0 on)
        <BLANKLINE>
        h, the output
          bias                           0.1000
          x[0]         2.0000 *  0.3000  0.6000
          h[0]         0.4000 * -0.5000 -0.2000
          sum                            0.5000
          h = tanh(sum)                  0.4621
        <BLANKLINE>
        Rounded for print only, after the arithmetic.
        >>> round(step.sums["h"].total, 9)
        0.5
        """
        return above["explain"]()(self, x, state, unit)
