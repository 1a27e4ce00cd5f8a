"""Of the loop in PyTorch over texts: padding is read nowhere, and it learns."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from text_torch import Net, batches, run  # noqa: E402

OPTIONS = SimpleNamespace(
    embedding_size=6, units=8, pooling="last", bidirectional=False, forget_bias=1.0, min_frequency=1
)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("form", ["last", "mean", "per step"])
def test_a_sequence_alone_and_beside_longer_ones(form, bidirectional):
    options = SimpleNamespace(**vars(OPTIONS) | {"bidirectional": bidirectional, "pooling": form})
    net = Net(9, 3, form == "per step", options)
    X = [torch.tensor(numbers) for numbers in ([1, 2], [3, 4, 5, 6, 7], [8])]
    together = net(X)
    apart = torch.cat([net([x]) for x in X])
    np.testing.assert_allclose(together.detach(), apart.detach(), atol=1e-6)


def test_batches_have_each_sequence_once():
    lengths = torch.tensor([k % 7 for k in range(40)])
    found = batches(lengths)
    assert sorted(torch.cat(found).tolist()) == list(range(40))
    assert all(lengths[batch].max() - lengths[batch].min() <= 4 for batch in found)


def test_it_learns_who_says_hello():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    X = [
        f"{'hello' if label else 'no'} " + "word " * int(n) for label, n in zip(y, rng.integers(1, 5, 60), strict=True)
    ]
    score, seconds = run("SMS", (X, y, X, y), 0, OPTIONS)
    assert score == 1
    assert seconds > 0
    words = [text.split() for text in X]
    score, _ = run(
        "ATIS", (words, [[w[0] for w in each] for each in words], [["unheard", "no"]], [["h", "n"]]), 0, OPTIONS
    )
    assert score in (0.5, 1)
