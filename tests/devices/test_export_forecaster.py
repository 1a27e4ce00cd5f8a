"""`export_c` of a forecaster: the C file against `stream()`, both ways; compilers, sanitizers, errors."""

import copy
import ctypes
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from compilers import C99, SANITIZERS, WARNINGS, compile_all, gcc, run
from nets import CELLS, quantised
from sklearn.exceptions import NotFittedError

import pylstm
from pylstm import LSTMForecaster
from pylstm._net.describe import describe
from pylstm.datasets import load_airline, load_sunspots

pytestmark = pytest.mark.skipif(gcc is None, reason="no gcc")
PATHS = {"vectors": [], "scalar": ["-DPYLSTM_SCALAR"]}
QUANTILES = [0.05, 0.5, 0.9]


def waves(n_steps=120, seed=0, periods=(6,), level=20.0):
    """Return a series with seasons and noise."""
    rng, t = np.random.default_rng(seed), np.arange(n_steps)
    seasons = sum(np.sin(2 * np.pi * t / period + k) for k, period in enumerate(periods))
    return level + 3 * seasons + rng.normal(0, 0.2, n_steps)


def fitted(y, **options):
    options = {"hidden_layer_sizes": (9,), "max_iter": 2, "random_state": 0, "cv": 2, "n_paths": 2} | options
    return LSTMForecaster(**options).fit(y)


def with_known(**options):
    options = {"hidden_layer_sizes": (9,), "max_iter": 2, "random_state": 0, "cv": 2, "n_paths": 2} | options
    return LSTMForecaster(**options).fit(waves(), beside(120))


def of_a_panel(y, **options):
    """Return the stream of a series of which a forecaster of others has learnt nothing."""
    return fitted([waves(seed=k, level=20.0 + 5 * k) for k in range(5)], **options).stream([y])


#: What is exported, and how the series goes on. Where nothing is said, the way is the direct one.
CASES = {
    "airline": lambda: (fitted(load_airline()[:-20], horizon=24), load_airline()[-20:]),
    "airline_recursive": lambda: (fitted(load_airline()[:-20], horizon=None), load_airline()[-20:]),
    "sunspots_recursive": lambda: (fitted(load_sunspots()[:-30]), load_sunspots()[-30:]),
    "sunspots": lambda: (fitted(load_sunspots()[:-30], horizon=12, season_length=11), load_sunspots()[-30:]),
    "learnt_well": lambda: (fitted(load_airline()[:-20], horizon=12, max_iter=30), load_airline()[-20:]),
    "differences": lambda: (fitted(load_airline()[:100], differences=(12, 1)), load_airline()[100:120]),
    "two_seasons": lambda: (fitted(waves(900, periods=(24, 168)), season_length=(24, 168)), waves(30, 1, (24, 168))),
    "season_after_seasons": lambda: (fitted(waves(60, periods=(4, 6)), season_length=(4, 6), horizon=3), waves(30, 2)),
    "no_transform": lambda: (fitted(waves() - 20, horizon=5), waves(20, 1) - 20),
    "no_transform_recursive": lambda: (fitted(waves() - 20, horizon=None), waves(20, 1) - 20),
    "log": lambda: (fitted(waves(), horizon=6, transform="log"), waves(20, 1)),
    "far_from_zero": lambda: (fitted(101_325 + waves(), horizon=6), 101_325 + waves(20, 1)),
    "tiny": lambda: (fitted(1e-9 * waves(), horizon=6), 1e-9 * waves(20, 1)),
    "brief": lambda: (fitted(np.array([1.0, 3, 2, 5, 4, 6]), horizon=3), waves(30, 1)),
    "constant": lambda: (fitted(np.full(40, 5.0)), np.full(3, 5.0)),
    "constant_recursive": lambda: (fitted(np.full(40, 5.0), horizon=None), np.full(3, 5.0)),
    "other_series": lambda: (of_a_panel(waves(90, 9, level=100.0)), waves(20, 8, level=100.0)),
    "other_brief_series": lambda: (of_a_panel(waves(3)), waves(30, 8)),
    "other_series_recursive": lambda: (of_a_panel(waves(90, 9), horizon=None), waves(20, 8)),
    "known": lambda: (with_known(horizon=6), waves(20, 1)),
    "known_recursive": lambda: (with_known(horizon=None), waves(20, 1)),
    "known_of_a_brief_series": lambda: (with_known(horizon=6).stream(waves(4), beside(4)), waves(30, 1)),
    "gru": lambda: (fitted(waves(), horizon=6, hidden_layer_sizes=(9, 5), **CELLS["gru"]), waves(20, 1)),
    "gru_recursive": lambda: (fitted(waves(), horizon=None, hidden_layer_sizes=(9, 5), **CELLS["gru"]), waves(20, 1)),
    "rnn_recursive": lambda: (fitted(waves(), horizon=None, **CELLS["rnn"]), waves(20, 1)),
    "relu": lambda: (fitted(waves(), horizon=6, hidden_layer_sizes=(8, 8), **CELLS["relu"]), waves(20, 1)),
}


def beside(n_steps, first=0):
    """Return three numbers for each step, of which one never varies."""
    t = np.arange(first, first + n_steps)
    return np.stack([t % 4, np.full(n_steps, 2.5), 1e6 + (t % 7) * 1e3], axis=1).astype(float)


def has_x(model):
    return describe(model).estimator.n_features_in_ > 0


def is_direct(model):
    return describe(model).estimator.horizon_ is not None


def live_of(model):
    """Return what `stream` says of one series: functions to take a value in, and to forecast."""
    stream = model if hasattr(model, "_forecaster") else model.stream()
    as_list = describe(model).estimator._given_as_list

    def predict(n, X, quantiles=None):
        said = stream.predict(n, X, quantiles=quantiles)
        return said if not as_list else said[0] if quantiles is None else (said[0][0], said[1][0])

    return lambda value, x: stream.update([value] if as_list else value, x), predict


class Compiled:
    """An exported forecaster, and a series of it."""

    def __init__(self, library, export):
        self.library, self.export = library, export
        self.state = np.full(export.ram_bytes + 64, 0xA5, np.uint8)
        self.call("reset")

    def call(self, name, *arguments):
        function = getattr(self.library, f"{self.export.name}_{name}")
        function.restype = ctypes.c_int
        given = [ctypes.c_void_p(of.ctypes.data) if isinstance(of, np.ndarray) else of for of in arguments]
        said = function(ctypes.c_void_p(self.state.ctypes.data), *given)
        assert (self.state[self.export.ram_bytes :] == 0xA5).all()  # nothing behind it
        return said

    def update(self, value, x=None):
        return self.call("update", ctypes.c_double(value), *([] if x is None else [x]))

    def predict(self, n, X=None):
        y = np.full(n + 2, 0.25)
        self.call("predict", n, *([] if X is None else [X]), y)
        assert (y[n:] == 0.25).all()
        return y[:n].copy()

    def quantiles(self, y):
        bounds = np.full(len(QUANTILES) * len(y) + 2, 0.25)
        self.call("quantiles", len(y), y, bounds)
        assert (bounds[-2:] == 0.25).all()
        return bounds[:-2].reshape(len(QUANTILES), len(y))


def compiled(models, directory, flags, **options):
    """Export models, each by its name, and return them in one library."""
    exports = []
    for name, model in models.items():
        quantiles = {"quantiles": QUANTILES} if is_direct(model) else {}
        exports.append(pylstm.export_c(model, directory / f"{name}.c", **quantiles, **options))
    objects = [directory / f"{export.name}.o" for export in exports]
    compile_all(
        [gcc, *C99, "-O1", "-fPIC", *flags, "-c", export.path, "-o", target]
        for export, target in zip(exports, objects, strict=True)
    )
    run(gcc, "-shared", *objects, "-o", directory / "models.so")
    library = ctypes.CDLL(str(directory / "models.so"))
    return {export.name: Compiled(library, export) for export in exports}


@pytest.fixture(scope="module")
def cases():
    return {name: case() for name, case in CASES.items()}


# ---- what it forecasts


def bound_of(model):
    """Return 2e-6 of what the series changes by: in the net's units that is 1, about."""
    return 2e-6 * float(describe(model).estimator._naive_error.max())


@pytest.mark.parametrize(
    ("path", "every"),
    [("vectors", 8), *(pytest.param(*case, marks=pytest.mark.long) for case in (("vectors", 1), ("scalar", 4)))],
)
def test_it_says_what_the_stream_does(cases, path, every, tmp_path):
    some = dict([*cases.items()][::every])
    in_c = compiled({name: model for name, (model, _) in some.items()}, tmp_path, PATHS[path])
    for name, (model, later) in some.items():
        follows(in_c[name], model, later, bound_of(model))


def follows(in_c, model, later, bound):
    """Compare at the start, and after each of the values that come."""
    update, predict = live_of(copy.deepcopy(model))
    horizon = describe(model).estimator.horizon_ or 12
    for t, value in enumerate((None, *later)):
        if value is not None:
            x = beside(1, t)[0] if has_x(model) else None
            update(value, x)
            assert in_c.update(value, x) == 1
        for n in (1, horizon - 1, horizon, 3 * horizon + 1):
            X = beside(n, t + 1) if has_x(model) else None
            got = in_c.predict(n, X)
            if is_direct(model):
                expected, bounds = predict(n, X, QUANTILES)
                np.testing.assert_allclose(in_c.quantiles(got), bounds, rtol=0, atol=bound)
            else:
                expected = predict(n, X)
            np.testing.assert_allclose(got, expected, rtol=0, atol=bound)


def test_bytes_for_weights(cases, tmp_path):
    some = {name: cases[name] for name in ("airline", "gru_recursive")}
    in_c = compiled({name: model for name, (model, _) in some.items()}, tmp_path, [], weights="int8")
    for name, (model, later) in some.items():
        rounded = copy.deepcopy(model)
        net = describe(rounded).net
        net.set_weights(quantised(net))
        follows(in_c[name], rounded, later, bound_of(model))


@pytest.mark.parametrize("name", ["airline", "differences"])
def test_it_goes_on_from_where_it_is(cases, name, tmp_path):
    """An export after an update is where an update of the export is; states are copied by their bytes."""
    model, later = cases[name]
    moved = copy.deepcopy(model).update(later)
    in_c = compiled({"before": model, "after": moved}, tmp_path, [])
    for value in later:
        in_c["before"].update(value)
    expected = in_c["after"].predict(30)
    np.testing.assert_allclose(in_c["before"].predict(30), expected, rtol=0, atol=bound_of(model))
    np.testing.assert_array_equal(in_c["after"].predict(30), expected)  # which predict has not changed
    kept = in_c["after"].state.copy()
    in_c["after"].update(500.0)
    assert (in_c["after"].predict(30) != expected).any()
    in_c["after"].state[:] = kept
    np.testing.assert_array_equal(in_c["after"].predict(30), expected)
    in_c["after"].call("reset")
    np.testing.assert_array_equal(in_c["after"].predict(30), expected)


@pytest.mark.parametrize("name", ["airline", "airline_recursive"])
def test_shorter_forecasts_are_the_beginning_of_longer_ones(cases, name, tmp_path):
    in_c = compiled({name: cases[name][0]}, tmp_path, [])[name]
    longest = in_c.predict(60)
    for n in (1, 23, 24, 25, 59):
        np.testing.assert_array_equal(in_c.predict(n), longest[:n])


@pytest.mark.parametrize(
    ("name", "refused"),
    [("airline", [0.0, -1.0]), ("airline_recursive", [0.0, -1.0]), ("sunspots_recursive", [-1.0]),
     ("no_transform", []), ("no_transform_recursive", [])],
)  # fmt: skip
def test_values_that_are_not_taken_in(cases, name, refused, tmp_path):
    in_c = compiled({name: cases[name][0]}, tmp_path, ["-ffast-math"])[name]
    before = in_c.state.copy()
    for value in (np.nan, np.inf, -np.inf, *refused):
        assert in_c.update(value) == 0
        np.testing.assert_array_equal(in_c.state, before)
    assert in_c.update(0.0 if 0.0 not in refused else 1e-300) == 1
    assert np.isfinite(in_c.predict(30)).all()


def test_what_is_known_has_to_be_finite(cases, tmp_path):
    in_c = compiled({"known": cases["known"][0]}, tmp_path, ["-ffast-math"])["known"]
    before = in_c.state.copy()
    for bad in (np.nan, np.inf):
        assert in_c.update(20.0, np.array([1.0, 2.5, bad])) == 0
        np.testing.assert_array_equal(in_c.state, before)
    assert in_c.update(20.0, beside(1)[0]) == 1


# ---- compilers, linking, sanitizers


SOME = [
    "airline",
    "airline_recursive",
    "two_seasons",
    "no_transform",
    "differences",
    "gru",
    "relu",
    "constant_recursive",
    "known",
    "known_recursive",
]


@pytest.fixture(scope="module")
def exports(cases, tmp_path_factory):
    directory = tmp_path_factory.mktemp("exports")
    return [
        pylstm.export_c(
            cases[name][0],
            directory / f"{name}.c",
            quantiles=QUANTILES if is_direct(cases[name][0]) and name != "gru" else None,
            weights="int8" if name == "relu" else "float32",
        )
        for name in SOME
    ]


@pytest.mark.long
@pytest.mark.parametrize("compiler", ["clang", "g++", "clang++"])
def test_compilers(compiler, exports):
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler}")
    language = ["-x", "c++"] if compiler.endswith("++") else ["-x", "c", "-std=c99", "-Wconversion"]
    compile_all(
        [compiler, *language, *WARNINGS, *flags, "-fsyntax-only", export.path]
        for export in exports
        for flags in PATHS.values()
    )


@pytest.mark.long
def test_names(exports, tmp_path):
    for export in exports:
        run(gcc, *C99, "-O2", "-c", export.path, "-o", tmp_path / "file.o")
        functions = ["reset", "update", "predict"]
        if "_quantiles(" in Path(export.path).read_text():
            functions.append("quantiles")
        defined = run("nm", "--defined-only", "--extern-only", tmp_path / "file.o").splitlines()
        assert {line.split()[-1] for line in defined} == {f"{export.name}_{function}" for function in functions}
        needed = {line.split()[-1] for line in run("nm", "--undefined-only", tmp_path / "file.o").splitlines()}
        assert needed <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
        kinds = [line.split()[-2] for line in run("nm", tmp_path / "file.o").splitlines()]
        assert not set(kinds) & set("bBdDcC")  # nothing to write


@pytest.mark.long
@pytest.mark.parametrize("flags", PATHS.values(), ids=PATHS)
def test_one_file_of_all_under_sanitizers(exports, cases, flags, tmp_path):
    lines = ["#include <stdio.h>", *(f'#include "{export.path}"' for export in exports), "int main(void)", "{"]
    rows = ", ".join(f"{{{', '.join(map(repr, row))}}}" for row in beside(200).tolist())
    lines.append(f"    static double y[200];\n    static const double x[200][3] = {{{rows}}};")
    for export in exports:
        name, later = export.name, cases[export.name][1][:3]
        x_of_step, x_of_all = (", x[t]", ", x[0]") if has_x(cases[name][0]) else ("", "")
        values = ", ".join(map(repr, later.tolist()))
        lines += [
            f"    static {name}_state {name};\n    static const double later_{name}[] = {{{values}}};",
            f"    {name}_reset(&{name});\n    for (int t = 0; t < {len(later)}; t++)",
            f"        {name}_update(&{name}, later_{name}[t]{x_of_step});",
            f"    {name}_predict(&{name}, 200{x_of_all}, y);",
        ]
        lines += [f'    printf("%d %.17g ", (int)sizeof {name}, y[29]);']
    (tmp_path / "main.c").write_text("\n".join([*lines, "    return 0;", "}", ""]))
    run(gcc, *C99, *SANITIZERS, *flags, tmp_path / "main.c", "-o", tmp_path / "main")
    words = run(tmp_path / "main").split()
    for export, size, last in zip(exports, words[::2], words[1::2], strict=True):
        model, later = cases[export.name]
        assert int(size) == export.ram_bytes
        if export.name != "relu":  # of bytes
            update, predict = live_of(copy.deepcopy(model))
            for t, value in enumerate(later[:3]):
                update(value, beside(1, t)[0] if has_x(model) else None)
            assert abs(float(last) - predict(30, beside(30) if has_x(model) else None)[-1]) <= bound_of(model)


# ---- what the file says of itself


def test_what_a_file_says(cases, tmp_path):
    model, _ = cases["airline"]
    export = pylstm.export_c(model, tmp_path / "air.c", quantiles=QUANTILES)
    assert (export.reads, export.writes, export.name) == ("double", "double", "air")
    text = Path(export.path).read_text()
    assert text.startswith("/* air: a forecaster, written by pylstm")
    assert "36 values -> level (sqrt), change over 12 (log) -> LSTM of 9 units -> 24 values\n" in text
    assert re.search(rf"RAM +{export.ram_bytes}  air_state", text)
    assert re.search(rf"constants +{export.flash_bytes:,}  ", text)
    assert "double bounds[3][n]" in text
    assert "NaN or infinite, or not above 0 is not taken in" in text
    assert "air_quantiles" not in Path(pylstm.export_c(model, tmp_path / "air.c").path).read_text()
    recursive = pylstm.export_c(cases["differences"][0], tmp_path / "steps.c")
    assert (
        "a value -> log -> difference over 12 -> difference over 1 -> LSTM of 9 units"
        in Path(recursive.path).read_text()
    )


def test_models_that_are_refused(cases, tmp_path):
    path, y = tmp_path / "model.c", waves(40)

    def refused(model, message, **options):
        with pytest.raises(ValueError, match=message):
            pylstm.export_c(model, path, **options)

    def quick(y, X_past=None, **options):
        return LSTMForecaster((3,), max_iter=1, cv=None, random_state=0, **options).fit(y, X_past=X_past)

    refused(
        quick(y, y % 3),
        "must forecast from its series and X to be exported, .* fitted with X_past, static or a calendar",
    )
    refused(
        quick([y, y]), r"must have one series to be exported, .* got 2: export the stream of one of them, forecaste"
    )
    refused(quick(np.stack([y, y], axis=1)), "must have a series of one column to be exported, got 2: update takes a s")
    refused(quick(y, dtype="float64"), "must be of float32 to be exported, got float64")
    refused(
        quick(y, horizon=None), "quantiles of the recursive way are those of sample paths, hundreds", quantiles=[0.5]
    )
    refused(quick(y), "quantiles need a fit with cv that was not interrupted, got cv=None", quantiles=[0.5])
    refused(cases["airline"][0], r"quantiles must be in \(0, 1\), got \[1.5\]", quantiles=[1.5])
    refused(
        quick(y), "trainable must not be given with a forecaster, got True: its file only forecasts", trainable=True
    )
    refused(quick(y), "weights_blob must not be given with a forecaster", weights_blob=tmp_path / "model.blob")
    refused(quick(y), "data must not be given with a forecaster", data=(y, y), weights="int8")
    refused(pylstm.Sequence(2, 3), r"quantiles go with an LSTMForecaster only, got \[0.5\]", quantiles=[0.5])
    with pytest.raises(NotFittedError, match="not fitted"):
        pylstm.export_c(LSTMForecaster(), path)
    assert not list(tmp_path.iterdir())
