"""Mutated model files, and `save` killed half-way: the short forms of what tests/slow has. A disk that is full."""

import os
import pickle
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from saved_files import rewrite
from toys import toy

import pylstm

SLOW = Path(__file__).parents[1] / "slow"
posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="signals and limits of POSIX")


#: Called with each event of Python's audit, whose hooks stay for good.
watchers = []
sys.addaudithook(lambda event, _: [watch(event) for watch in watchers])


@contextmanager
def watched(watch):
    watchers.append(watch)
    try:
        yield
    finally:
        watchers.remove(watch)


class Hostile:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def run(program, *arguments):
    """Run a program of tests/slow and return what it says; a crash is a failure, not the end of pytest."""
    command = [sys.executable, "-P", SLOW / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"return code {done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    return done.stdout


@posix
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited by Linux's /proc")
@pytest.mark.long
def test_mutated_files():
    assert "10000 cases: " in run("fuzz_load.py", "--cases", "10000", "--seed", "0")


@posix
@pytest.mark.long
def test_killed_while_it_saves():
    assert run("kill_save.py", "--kills", "20").startswith("20 kills, ")


@posix
def test_full_disk(tmp_path):
    # A limit on the size of files stands for the disk: the write fails half-way, as it does there.
    path = tmp_path / "model"
    program = f"""
import resource, signal
import numpy as np, pylstm
model = pylstm.LSTMRegressor((40,), max_iter=1, random_state=0).fit(np.ones((4, 3, 2)), np.ones(4))
small = pylstm.LSTMRegressor((2,), max_iter=1, random_state=0).fit(np.ones((4, 3, 2)), np.ones(4))
small.save({str(path)!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for write in (lambda: model.save({str(path)!r}), lambda: pylstm.export_c(model, {str(path)!r} + ".c")):
    try:
        write()
    except OSError:
        print("refused")
assert (pylstm.load({str(path)!r}).predict(np.ones((1, 3, 2))) == small.predict(np.ones((1, 3, 2)))).all()
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", "refused"], done.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_executed(tmp_path):
    # What Python's own audit sees of loading files whose every word is an expression, or a pickle.
    path = tmp_path / "model"
    model = pylstm.LSTMClassifier((2,), max_iter=1, random_state=0, class_weight={"up": 2.0})
    model.fit(*toy(pylstm.LSTMClassifier)).save(path)
    saved = path.read_bytes()
    pylstm.load(path)  # whose modules are loaded now
    expression = f"__import__('os').system('touch {tmp_path}/executed')"
    kinds = ("compile", "exec", "import", "marshal.loads", "os.", "pickle.find_class", "subprocess.Popen")
    seen = []
    with watched(lambda event: seen.append(event) if event.startswith(kinds) else None):
        for edit in (
            lambda document, arrays: document.update({"class": expression}),
            lambda document, arrays: document.update(pylstm_version=expression),
            lambda document, arrays: document["parameters"].update(forget_bias=expression),
            lambda document, arrays: document["parameters"].update(class_weight={"pairs": [[expression, 1.0]]}),
            lambda document, arrays: document["parameters"].update(cell="\x80\x04c__builtin__\neval\n."),
            lambda document, arrays: document["state"].update(feature_names_in_=[expression]),
        ):
            path.write_bytes(saved)
            rewrite(path, edit)
            with suppress(ValueError):
                pylstm.load(path)
            path.write_bytes(pickle.dumps(Hostile(f"touch {tmp_path}/executed")))
            with pytest.raises(ValueError, match=r"pylstm\.save wrote"):
                pylstm.load(path)
    assert seen == []
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
