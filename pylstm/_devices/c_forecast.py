"""The text of an exported forecaster: what it does to a series before its net reads it, and where it goes on from."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .. import __version__
from .._net.describe import DirectForecasts, RecursiveForecasts, Scaling
from .._net.inputs import Array
from .c_comment import WITH_VECTORS, comment, features, layers_of, memory_lines
from .c_file import (
    CARRIED,
    DOUBLES,
    VECTORS,
    arrays,
    body,
    interface,
    run_dense,
    run_layers,
    sources,
    types,
    weights,
    whole,
)
from .c_net import LANES, Net, flash_bytes, state_of
from .cortex_m4 import taken

#: As series.h calls them.
TRANSFORMS = {None: 0, "log": 1, "sqrt": 2}
#: Bytes of a number in the struct of a series.
SIZES = {"double": 8, "int": 4, "float": 4}
#: And of the tables in series.h, by which logarithms and their inverse are computed.
SERIES_OF_LOG = 8 * (10 + 13)


class Member(NamedTuple):
    """What a series has in its struct: numbers, or with None for a size a single one; those at the end are left 0."""

    kind: str
    name: str
    size: int | None
    values: Array


class Way(NamedTuple):
    """How forecasts are made: what the headers of src_c/exported/ are told."""

    kind: str
    """As cortex_m4_table.py calls it."""
    files: list[str]
    sizes: dict[str, int]
    tables: list[tuple[str, Array]]
    members: list[Member]
    """But for what the net goes on from."""
    nets: dict[str, list[tuple[str, Array]]]
    """Of each of the nets in the struct, what its state is other than zeros."""
    transforms: tuple[str | None, ...]
    x: Scaling | None
    n_quantiles: int = 0

    @property
    def n_features(self) -> int:
        return 0 if self.x is None else len(self.x.mean)

    @property
    def constants(self) -> Iterator[tuple[str, Array]]:
        """Tables that a series begins with."""
        for member in self.members:
            if member.size is not None and member.values.any():
                yield f"first_{member.name}", member.values
        for of_net in self.nets.values():
            yield from ((f"first_{name}", values) for name, values in of_net)


def way_of(forecasts: DirectForecasts | RecursiveForecasts, probabilities: Array) -> Way:
    """Return how the first series is forecast, with quantiles at some probabilities (n,)."""
    if isinstance(forecasts, RecursiveForecasts):
        return _recursive(forecasts)
    return _direct(forecasts, probabilities)


def _direct(of: DirectForecasts, probabilities: Array) -> Way:
    reach = of.window + max(of.lags)
    tail = of.tails[0][-reach:, 0]
    seasons, indices = of.seasons or (1,), [each[0, :, 0] for each in of.indices] or [np.zeros(1)]
    sizes = {
        "WINDOW": of.window,
        "HORIZON": of.horizon,
        "REACH": reach,
        "VIEWS": len(of.lags),
        "SEASONS": len(seasons),
    }
    tables = [
        *_of_x(of.x),
        ("view_lags", _integers(of.lags)),
        ("view_transforms", _integers([TRANSFORMS[transform] for transform in of.transforms])),
        ("seasons", _integers(seasons)),
    ]
    files = ["exported/direct.h"]
    if len(probabilities):
        files.append("exported/quantiles.h")
        sizes |= {"ERRORS": len(of.errors.sizes), "QUANTILES": len(probabilities)}
        tables += [("error_sizes", of.errors.sizes), ("error_factors", of.errors.factors(probabilities))]
    members = [
        Member("double", "past", reach, tail),
        Member("double", "scales", len(of.lags), of.scales[:, 0, 0]),
        Member("double", "indices", sum(seasons), np.concatenate(indices)),
        Member("double", "spread", None, of.spread[0, 0]),
        Member("int", "places", len(seasons), _integers([0] * len(seasons))),
        Member("int", "newest", None, _integers(len(tail) - 1)),
        Member("int", "n_past", None, _integers(len(tail))),
        Member("int", "varies", None, _integers(of.varies[0, 0])),
        _row(3 + len(of.lags), of.x),
    ]
    if of.x is not None:
        known = of.known[0][-reach:].astype(np.float32)
        members.append(Member("float", "known", reach * known.shape[1], known.ravel()))
    return Way("direct", files, sizes, tables, members, {"net": []}, of.transforms, of.x, len(probabilities))


def _recursive(of: RecursiveForecasts) -> Way:
    lags = of.lags or (1,)
    n_kept = sum(of.lags) or 1
    tails = np.concatenate([tail[:, 0] for tail in of.tails[0]] or [np.zeros(1)])
    sizes = {"TRANSFORM": TRANSFORMS[of.transform], "LAGS": len(of.lags)}
    members = [
        Member("double", "tails", n_kept, tails),
        Member("double", "tails_ahead", n_kept, np.zeros(n_kept)),
        Member("double", "mean", None, of.mean[0, 0]),
        Member("double", "scale", None, of.scale[0, 0]),
        Member("int", "places", len(lags), _integers([0] * len(lags))),
        Member("float", "last", None, of.last[0, 0].astype(np.float32)),
        _row(1, of.x),
    ]
    state = [
        (f"{letter}_{layer}", values[0, 0].astype(np.float32))
        for layer, of_layer in enumerate(of.state)
        for letter, values in zip("hc", of_layer, strict=False)
    ]
    nets: dict[str, list[tuple[str, Array]]] = {"net": state, "ahead": []}
    tables = [*_of_x(of.x), ("lags", _integers(lags))]
    return Way("recursive", ["exported/recursive.h"], sizes, tables, members, nets, (of.transform,), of.x)


def _of_x(scaling: Scaling | None) -> list[tuple[str, Array]]:
    return [] if scaling is None else [("x_mean", scaling.mean), ("x_scale", scaling.scale)]


def _row(n: int, scaling: Scaling | None) -> Member:
    """Return what the net reads of a step, X aside n numbers."""
    size = n + (0 if scaling is None else len(scaling.mean))
    return Member("float", "row", size, np.zeros(size))


def _integers(values: object) -> Array:
    return np.asarray(values, np.int32)


# ---- memory


def memory_of(net: Net, way: Way, lanes: int = 1) -> tuple[int, int]:
    """Return the bytes of all constants, and of the struct of a series."""
    tables = sum(values.nbytes for _, values in (*way.tables, *way.constants))
    tables += SERIES_OF_LOG if "log" in way.transforms else 0
    members = sum(SIZES[member.kind] * (member.size or 1) for member in way.members)
    size = members + 4 * len(way.nets) * sum(size for _, size in state_of(net))
    return flash_bytes(net, lanes) + tables, -(-size // 8) * 8


# ---- how it is written


def text(name: str, net: Net, way: Way) -> str:
    """Return the C file of a forecaster of which all names begin with `name`."""
    code = [
        VECTORS,
        types(net),
        DOUBLES,
        _told(name, way),
        sources([*CARRIED, "kernels/dense.h", *way.files]),
        weights(net),
        arrays(way.constants),
        _functions(name, net, way),
    ]
    return whole(name, _comment(name, net, way), _interface(name, net, way), code)


def _told(name: str, way: Way) -> str:
    """Return what the headers are told."""
    has = {of.upper(): int(of in way.transforms) for of in ("log", "sqrt")}
    sizes = has | way.sizes | {"X": way.n_features}
    macros = "".join(f"#define EXPORTED_{key} {value}\n" for key, value in sizes.items())
    kinds = "".join(f"typedef {name}_{kind} exported_{of};\n" for kind, of in (("state", "series"), ("net", "net")))
    return f"{macros}\n{kinds}{arrays(way.tables)}"


def _interface(name: str, net: Net, way: Way) -> str:
    """Return what other files include."""
    of_net = "\n".join(f"    float {member}[{size}];" for member, size in state_of(net))
    of_series = "\n".join(
        f"    {kind} {member}{'' if size is None else f'[{size}]'};" for kind, member, size, _ in way.members
    )
    nets = "\n".join(f"    {name}_net {of};" for of in way.nets)
    structs = f"""\
typedef struct {name}_net {{
{of_net}
}} {name}_net;

typedef struct {name}_state {{
{of_series}
{nets}
}} {name}_state;
"""
    sizes = {"horizon": way.sizes.get("HORIZON", 1), "n_features": way.n_features, "n_quantiles": way.n_quantiles}
    x = ", const double *x" if way.n_features else ""
    functions = [
        f"void {name}_reset({name}_state *state);",
        f"int {name}_update({name}_state *state, double value{x});",
        f"void {name}_predict({name}_state *state, int n{x}, double *y);",
    ]
    if way.n_quantiles:
        functions.append(f"void {name}_quantiles(const {name}_state *state, int n, const double *y, double *bounds);")
    return interface(name, sizes, structs, functions)


def _functions(name: str, net: Net, way: Way) -> str:
    calls, h = run_layers(net, "row", state="net")
    said = ["real outputs[1];", run_dense(net, h, "outputs"), "return outputs[0];"]
    reset, x, to_x = [], "NULL", ""
    if way.n_features:
        x, to_x = "x", ", const double *x"
    tables = dict(way.constants)
    for member in way.members:
        if f"first_{member.name}" in tables and member.size is not None:
            reset.append(_copied(f"state->{member.name}", member.name))
        elif member.size is None and member.values != 0:
            reset.append(f"state->{member.name} = {member.values}{'f' if member.kind == 'float' else ''};")
    for of, arrays_of in way.nets.items():
        reset += [_copied(f"state->{of}.{member}", member) for member, _ in arrays_of]
    functions = f"""\
static void run_net(exported_net *net, const real *row)
{{
{body(calls)}
}}

static real said_by_net(const exported_net *net)
{{
{body(said)}
}}

void {name}_reset({name}_state *state)
{{
    memset(state, 0, sizeof *state);
{body(reset)}
}}

int {name}_update({name}_state *state, double value{to_x})
{{
    return take_in(state, value, {x});
}}

void {name}_predict({name}_state *state, int n{to_x}, double *y)
{{
    forecast(state, n, {x}, y);
}}
"""
    if way.n_quantiles:
        functions += f"""
void {name}_quantiles(const {name}_state *state, int n, const double *y, double *bounds)
{{
    bound(state, n, y, bounds);
}}
"""
    return functions


def _copied(to: str, name: str) -> str:
    return f"memcpy({to}, first_{name}, sizeof first_{name});"


# ---- what it says of itself

#: Of values that are not taken in.
REFUSED = (
    "A value that is NaN or infinite{beyond} is not taken in: update then returns 0, and the state stays as it was. "
    "Else it returns 1."
)
#: Of the arithmetic around the net.
IN_DOUBLE = (
    "What is done to values before the net reads them, and to what it says, is in double, the net in float. Where a "
    "processor has no doubles, functions of its compiler compute with them, which are not counted here: about 3,100 "
    "bytes on a Cortex-M4."
)
#: Of long forecasts.
LONGER = {
    "direct": "A forecast of {horizon} steps is said at once; longer ones go on from those before, and so say the same "
    "of the first steps.",
    "recursive": "A forecast is said step by step, each read as the next value: predict takes as long as so many "
    "updates.",
}


def _comment(name: str, net: Net, way: Way) -> str:
    x = of_value = ahead = ""
    if way.n_features:
        x, of_value = ", x", f", and what is known beside it, double x[{way.n_features}]"
        ahead = f", of what is known beside them, double x[n][{way.n_features}]"
    calls = [
        (f"{name}_state state;", "all that changes; any number of them, each for one thread at a time"),
        (f"{name}_reset(&state);", "as it was when exported: after the last value that the forecaster knew then"),
        (f"{name}_update(&state, value{x});", f"takes in the next value{of_value}"),
        (f"{name}_predict(&state, n{x}, y);", f"writes the n values to come, double y[n]{ahead}; the state stays"),
    ]
    if way.n_quantiles:
        quantiles = f"of forecasts y[n], writes their quantiles, double bounds[{way.n_quantiles}][n]"
        calls.append((f"{name}_quantiles(&state, n, y, bounds);", quantiles))
    flash, ram = memory_of(net, way)
    with_vectors = f"{memory_of(net, way, LANES)[0]:,} where vectors are used"
    has_log, has_root, has_quantiles = "log" in way.transforms, "sqrt" in way.transforms, way.n_quantiles > 0
    of_net = " of layers" if len(net.layers) > 1 else "" if net.weight_out.scale is None else " of int8"
    of_code = features(net) | {
        f"log{of_net}": has_log,
        f"sqrt{of_net}": has_root and not has_log,
        "sqrt beside log": has_root and has_log,
        "quantiles": has_quantiles and not has_root,
        "quantiles of sqrt": has_quantiles and has_root,
        f"X{of_net}": way.n_features > 0,
    }
    code = taken(way.kind, net.c_name, of_code)
    memory = memory_lines(code, (flash, with_vectors), (ram, f"{name}_state, wherever it is placed"))
    beyond = ", or below 0" * ("sqrt" in way.transforms)
    beyond = ", or not above 0" if "log" in way.transforms else beyond
    beyond += ", or beside which such a number stands," * (way.n_features > 0)
    notes = [
        LONGER[way.kind].format(horizon=way.sizes.get("HORIZON")),
        REFUSED.format(beyond=beyond),
        IN_DOUBLE,
        WITH_VECTORS,
    ]
    title = f"{name}: a forecaster, written by pylstm {__version__}. C99 and C++; no other file, no heap, no libm."
    return comment(title, name, _steps(net, way), None, calls, memory, notes)


def _steps(net: Net, way: Way) -> list[str]:
    tables = dict(way.tables)
    beside = f" and {way.n_features} beside each" if way.n_features else ""
    if way.kind == "direct":
        views = [
            f"{'change over ' + str(lag) if lag else 'level'} ({transform or 'as it is'})"
            for lag, transform in zip(tables["view_lags"], way.transforms, strict=True)
        ]
        steps = [f"{way.sizes['WINDOW']} values{beside}", ", ".join(views)]
    else:
        lags = [f"difference over {lag}" for lag in tables["lags"][: way.sizes["LAGS"]]]
        steps = [f"a value{beside}", *([] if way.transforms[0] is None else [way.transforms[0]]), *lags]
    return [*steps, *layers_of(net), f"{way.sizes.get('HORIZON', 1)} values"]
