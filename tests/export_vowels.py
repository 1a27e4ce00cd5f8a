"""Write the Japanese-vowels model as C files, and what it makes of the test utterances: export_vowels.py FOLDER."""

import sys
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
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
