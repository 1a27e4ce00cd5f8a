"""`Cell.explain`: the digits add up, and are the cell's own."""

from decimal import Decimal

import numpy as np
import pytest
from nets import CELLS
from reference import sigmoid

import pylstm
from pylstm._inside.explain import add_up, decimal_of, units


def random_cell(rng, scale=1.0, dtype=None, **options):
    """Return a cell of random size with random weights, x and a state for one step, and one of its units."""
    input_size, hidden_size = rng.integers(1, 15, size=2)
    dtype = dtype or rng.choice(["float32", "float64"])
    cell = pylstm.Cell(input_size, hidden_size, dtype=str(dtype), random_state=rng, **options)
    for weights in (cell.weight_ih, cell.weight_hh, cell.bias):
        weights[...] = scale * rng.normal(size=weights.shape)
    x, h, c = rng.normal(size=input_size), *rng.normal(size=(2, hidden_size))
    return cell, x, (h, c) if cell.cell == "lstm" else h, int(rng.integers(hidden_size))


def printed_blocks(step):
    """Return for each heading its rows: label, and the value as printed."""
    blocks = {}
    for block in str(step).split("\n\n")[1:-1]:
        title, *lines = block.splitlines()
        rows = [line.removesuffix(" ~") for line in lines]
        blocks[title.partition(",")[0]] = [(row[2:].partition("  ")[0], Decimal(row.split()[-1])) for row in rows]
    return blocks


@pytest.mark.parametrize("which", CELLS)
@pytest.mark.parametrize("scale", [1.0, 0.01, 300.0])
def test_digits_add_up(which, scale):
    rng = np.random.default_rng(0)
    for _ in range(100):
        cell, x, state, unit = random_cell(rng, scale, **CELLS[which])
        step = cell.explain(x, state if rng.random() < 0.8 else None, unit=unit)
        blocks = printed_blocks(step)
        assert set(step.sums) <= set(blocks)
        for name, (terms, total) in step.sums.items():
            labels, values = zip(*blocks[name], strict=True)
            end = labels.index("sum") if "sum" in labels else labels.index(name)
            assert sum(values[:end]) == values[end], step
            assert values[end] == Decimal(f"{total:.4f}"), step
            assert terms


@pytest.mark.parametrize("which", CELLS)
def test_results_are_the_cells_own(which):
    rng = np.random.default_rng(1)
    for _ in range(50):
        cell, x, state, unit = random_cell(rng, **CELLS[which])
        step = cell.explain(x, state, unit=unit)
        rows = tuple(values[np.newaxis] for values in state) if which == "lstm" else state[np.newaxis]
        gates = cell.gates(x[np.newaxis], rows)
        assert type(step.gates) is type(gates)
        values = {label: value for block in printed_blocks(step).values() for label, value in block}
        for name, all_units in gates._asdict().items():
            assert getattr(step.gates, name) == all_units[0, unit]
            [printed] = [value for label, value in values.items() if label == name or label.startswith(f"{name} = ")]
            assert printed == Decimal(f"{all_units[0, unit]:.4f}")
        assert (step.cell, step.unit) == (cell.cell, unit)
        if cell.dtype == np.float64:
            assert "worked out in float64" not in str(step)


def test_terms_of_an_lstm():
    rng = np.random.default_rng(2)
    cell, x, (h, c), unit = random_cell(rng, dtype="float64")
    step = cell.explain(x[np.newaxis], (h[np.newaxis], c), unit=unit)
    for gate, name in enumerate("ifgo"):
        row = gate * cell.hidden_size + unit
        terms, total = step.sums[name]
        assert terms[0] == ("bias", (), cell.bias[row])
        expected = [*(x * cell.weight_ih[row]), *(h * cell.weight_hh[row])]
        np.testing.assert_array_equal([term.value for term in terms[1:]], expected)
        np.testing.assert_allclose([np.prod(term.factors) for term in terms[1:]], expected, rtol=1e-15)
        names = [*(f"x[{j}]" for j in range(len(x))), *(f"h[{j}]" for j in range(len(h)))]
        assert [term.name for term in terms[1:]] == names
        gate_value = np.tanh(total) if name == "g" else sigmoid(total)
        np.testing.assert_allclose(gate_value, getattr(step.gates, name), atol=1e-14)
    kept, written = step.sums["c"].terms
    np.testing.assert_allclose(kept.value, step.gates.f * c[unit], rtol=1e-15)
    np.testing.assert_allclose(kept.value + written.value, step.gates.c, atol=1e-15)


def test_terms_of_a_gru():
    rng = np.random.default_rng(3)
    cell, x, h, unit = random_cell(rng, dtype="float64", cell="gru")
    step = cell.explain(x, h, unit=unit)
    at = np.arange(4) * cell.hidden_size + unit
    np.testing.assert_allclose(step.sums["q"].total, h @ cell.weight_hh[at[2]] + cell.bias[at[3]], atol=1e-14)
    new = x @ cell.weight_ih[at[2]] + cell.bias[at[2]] + step.gates.r * step.sums["q"].total
    np.testing.assert_allclose(step.sums["n"].total, new, atol=1e-14)
    np.testing.assert_allclose(np.tanh(new), step.gates.n, atol=1e-14)
    assert step.sums["h"].terms[1].factors == (step.gates.z, h[unit])
    for gate, name in enumerate("rz"):
        z = x @ cell.weight_ih[at[gate]] + h @ cell.weight_hh[at[gate]] + cell.bias[at[gate]]
        np.testing.assert_allclose(step.sums[name].total, z, atol=1e-14)
    new_part, kept = step.sums["h"].terms
    np.testing.assert_allclose(new_part.value, (1 - step.gates.z) * step.gates.n, atol=1e-15)
    np.testing.assert_allclose(new_part.value + kept.value, step.gates.h, atol=1e-14)


def test_many_terms_are_folded():
    cell = pylstm.Cell(20, 30, random_state=0)
    x = np.zeros(20)
    x[[3, 7]] = [1, -1]
    text = str(cell.explain(x, (np.linspace(-1, 1, 30), np.zeros(30)), unit=29))
    first = text.split("\n\n")[1]
    labels = [line[2:].partition("  ")[0] for line in first.splitlines()[1:]]
    assert {"x[3]", "x[7]", "x, 18 others", "h, 25 others"} < set(labels)
    assert len(labels) == 1 + 3 + 6 + 2
    assert "h, all 30" in str(cell.explain(x, unit=29))
    assert max(map(len, text.splitlines())) < 80
    assert repr(cell.explain(x)) == str(cell.explain(x))


def test_what_was_rounded_the_other_way_is_marked():
    assert add_up([0.00004, 0.00004, 0.00004], 0.00012) == [1, 0, 0]
    assert add_up([0.00006, 0.00006, -0.5], -0.49988) == [1, 0, -5000]
    assert add_up([-0.00004, -0.00004, 0.1], 0.1) == [0, 0, 1000]
    assert add_up([1.0, 2.0], 3.0007) == [10004, 20003]  # a total with rounding of its own
    assert [decimal_of(units(v)) for v in (-0.00004, -0.00006, 12.5, -3e9)] == [
        "0.0000", "-0.0001", "12.5000", "-3000000000.0000"]  # fmt: skip
    cell = pylstm.Cell(3, 1, dtype="float64", cell="rnn", random_state=0)
    cell.weight_ih[...] = 0.00004
    text = str(cell.explain([1, 1, 1]))
    assert [line.endswith(" ~") for line in text.splitlines() if "x[" in line] == [True, False, False]
    assert "~ rounded the other way" in text
    cell.weight_ih[...] = 0.5
    assert "~" not in str(cell.explain([1, 1, 1]))


def test_where_float32_shows():
    cell = pylstm.Cell(1, 1, cell="rnn", nonlinearity="relu", random_state=0)
    cell.weight_ih[...] = 4097
    step = cell.explain([4097])
    assert float(step.gates.h) == 16785408  # 4097 ** 2 is odd, and above 2 ** 24
    assert "The cell computes in float32; worked out in float64: h 16785409.0000." in str(step)
    assert "float32" not in str(cell.explain([2]))


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        ([1.0, 2.0], {"unit": 4}, ValueError, "unit must be one of 0 to 3, got 4"),
        ([1.0, 2.0], {"unit": -1}, ValueError, "unit must be an integer >= 0, got -1"),
        ([1.0, 2.0], {"unit": "f"}, TypeError, "unit must be an integer >= 0, got 'f'"),
        (np.ones((2, 2)), {}, ValueError, r"x must be one step, .* got shape \(2, 2\)"),
        ([1.0, 2.0, 3.0], {}, ValueError, "x must have 2 features per step, got 3"),
        ([[1.0], [2.0, 3.0]], {}, ValueError, "x must be an array"),
        ([1.0, np.nan], {}, ValueError, "must be finite"),
        ([1.0, 2.0], {"state": np.ones(4)}, ValueError, r"state must be a pair \(h, c\)"),
        ([1.0, 2.0], {"state": (np.ones(3), np.ones(4))}, ValueError, r"h of state must have shape \(1, 4\), got"),
        ([1.0, 2.0], {"state": (np.ones(4), np.full(4, np.inf))}, ValueError, "must be finite"),
    ],
)
def test_errors(x, options, error, message):
    with pytest.raises(error, match=message):
        pylstm.Cell(2, 4, random_state=0).explain(x, **options)
