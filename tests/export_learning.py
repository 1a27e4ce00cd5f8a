"""Write a model of the Japanese vowels that learns, and what it learns: export_learning.py FOLDER."""

import sys
from pathlib import Path

import numpy as np
from export_vowels import array
from learning import Reference
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import pylstm
from pylstm.datasets import load_japanese_vowels
from pylstm.preprocessing import PerStep

WINDOW, N_WINDOWS, LEARNING_RATE = 16, 50, 0.1

folder = Path(sys.argv[1])
pipeline = make_pipeline(PerStep(StandardScaler()), pylstm.LSTMClassifier((16,), max_iter=3, random_state=0))
pipeline.fit(*load_japanese_vowels(split="train"))
X, y = load_japanese_vowels(split="test")
windows = [(x[:WINDOW].astype(np.float32), int(label)) for x, label in zip(X, y, strict=True) if len(x) >= WINDOW]
order = np.random.default_rng(0).permutation(len(windows))[:N_WINDOWS]
cases = [windows[k] for k in order]
cases[-1] = cases[0]  # which is known by then
classes = pipeline.classes_.tolist()
for kind, trainable in (("all", True), ("head", "head")):
    export = pylstm.export_c(
        pipeline, folder / f"learn_{kind}.c", name="vowels", trainable=trainable, window=WINDOW, carry_state=False
    )
    print(f"trainable={trainable!r}: {export.flash_bytes} bytes of constants, {export.ram_bytes} bytes of RAM")
    reference = Reference.of_model(pipeline, head_only=kind == "head", carry_state=False, max_grad_norm=1.0)
    labels = [classes.index(label) for _, label in cases]
    losses = [reference.learn(x, label, np.float32(LEARNING_RATE)) for (x, _), label in zip(cases, labels, strict=True)]
    (folder / f"learn_{kind}_cases.h").write_text(
        f"static const float learning_rate = {LEARNING_RATE};\n"
        + array("int", "labels", labels)
        + array("float", "inputs", np.concatenate([x for x, _ in cases]))
        + array("float", "expected_losses", losses)
        + array("float", "expected_weights", reference.weights())
    )
