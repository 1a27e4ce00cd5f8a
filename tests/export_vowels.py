"""Write the Japanese-vowels model as C files, and what it makes of the test utterances: export_vowels.py FOLDER."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from nets import quantised
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
from pylstm.datasets import load_japanese_vowels
from pylstm.preprocessing import PerStep


def array(kind, name, values):
    """Return the definition of an array in C."""
    return f"static const {kind} {name}[] = {{{', '.join(map(repr, np.ravel(values).tolist()))}}};\n"


def rounding(pipeline, X):
    """Return how far an export may be from Python: 2e-6, or what a net makes of rounding.

    That is twice what the library's own scalars, which do not fuse multiplications and additions, differ by.
    """
    with tempfile.TemporaryDirectory() as folder:
        pylstm.save(pipeline, f"{folder}/model.safetensors")
        code = (
            "import sys, numpy as np, pylstm; from pylstm.datasets import load_japanese_vowels as load; "
            "np.save(sys.argv[1] + '/p.npy', pylstm.load(sys.argv[1] + '/model.safetensors').predict_proba("
            "load(split='test')[0]))"
        )
        environment = {**os.environ, "PYLSTM_ISA": "scalar"}
        subprocess.run([sys.executable, "-c", code, folder], check=True, env=environment)
        return max(2e-6, 2 * float(np.abs(np.load(f"{folder}/p.npy") - pipeline.predict_proba(X)).max()))


def main(folder):
    X, y = load_japanese_vowels(split="test")
    pipeline = make_pipeline(PerStep(StandardScaler()), pylstm.LSTMClassifier((100,), max_iter=25, random_state=0))
    pipeline.fit(*load_japanese_vowels(split="train"))
    for weights in ("float32", "int8"):
        data = (X, y) if weights == "int8" else None
        export = pylstm.export_c(pipeline, folder / f"{weights}.c", name="vowels", weights=weights, data=data)
        print(f"{weights}: {export.flash_bytes} bytes of constants, {export.ram_bytes} bytes of state")
        if weights == "int8":
            print(f"accuracy {export.score:.4f}, with int8 weights {export.quantised_score:.4f}")
            net = pipeline[-1]._model
            net.set_weights(quantised(net))
        (folder / f"{weights}_cases.h").write_text(
            array("int", "lengths", [len(x) for x in X])
            + array("float", "inputs", np.concatenate(X).astype(np.float32))
            + array("float", "expected", pipeline.predict_proba(X))
            + f"static const float bound = {rounding(pipeline, X)!r}f;\n"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
