"""What language models reach, beside PyTorch with the same net and recipe; `language.py quality` calls it."""

import gzip
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import text_data

from pylstm import LSTMLanguageModel
from pylstm._estimators.language.corpus import read, streams
from pylstm.datasets import load_shakespeare


class Recipe(NamedTuple):
    """How a net is trained: Adam with a rate that goes down by a cosine, clipped to 1."""

    epochs: int
    rate: float
    n_streams: int
    window: int
    dropout: float = 0.0


#: By text and units. Those of Shakespeare were chosen with a tenth of what is learnt from held out.
RECIPES = {
    ("shakespeare", 128): Recipe(10, 0.008, 50, 50, 0.1),
    ("shakespeare", 256): Recipe(20, 0.006, 50, 50, 0.4),
    ("kjv", 128): Recipe(3, 0.006, 50, 35),
}


def texts_of(arguments):
    """Return training and test text, and what the model is told."""
    if arguments.text == "shakespeare":
        text = load_shakespeare()
        n = len(text) * 9 // 10
        return text[:n], text[n:], {"analyzer": "char", "embedding_size": "one-hot"}
    path = Path(arguments.data or text_data.FOLDER) / "kjv.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        verses = [line.strip() for line in file if line.strip()]
    test = verses[::20]
    train = [verse for k, verse in enumerate(verses) if k % 20]
    from pylstm.preprocessing import TokenEncoder

    return train, test, {"analyzer": TokenEncoder(min_frequency=3), "tie_weights": True}


def train_torch(model, train, arguments, recipe, seed):
    """Return the same net after the same recipe, and its mean loss by a function of texts."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    epochs, rate, n_streams, window, dropout = recipe
    n, units, tied = len(model.encoder_.tokens_) + 1, arguments.units, model.tie_weights
    table = torch.nn.Embedding(n, units) if tied else None
    lstm = torch.nn.LSTM(units if tied else n, units, batch_first=True)
    dense = torch.nn.Linear(units, n)
    if tied:
        dense.weight = table.weight
        torch.nn.init.uniform_(table.weight, -(units**-0.5), units**-0.5)
    parameters = list({id(p): p for of in (table, lstm, dense) if of for p in of.parameters()}.values())
    optimiser, eye = torch.optim.Adam(parameters, rate), None if tied else torch.eye(n)
    data = streams(read(model.encoder_, train, has_ends=model._has_ends), n_streams, window)
    ends = np.cumsum(data.steps.lengths)
    pieces = [
        (data.steps.rows[end - size : end, 0].astype(np.int64), data.targets.values[end - size : end])
        for end, size in zip(ends, data.steps.lengths, strict=True)
    ]
    order = np.random.default_rng(seed)

    def outputs_of(x, state, dropout=0.0):
        x = torch.from_numpy(x)
        y, state = lstm(table(x) if tied else eye[x], state)
        return dense(torch.nn.functional.dropout(y, dropout)), state

    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = rate * (1 + np.cos(np.pi * epoch / epochs)) / 2
        for batch in batches_of(pieces, n_streams, order):
            state = None
            longest = max(len(x) for x, _ in batch)
            x, y = np.zeros((2, len(batch), longest), np.int64)
            y -= 1
            for row, (tokens, targets) in enumerate(batch):
                x[row, : len(tokens)], y[row, : len(tokens)] = tokens, targets
            for start in range(0, longest, window):
                outputs, state = outputs_of(x[:, start : start + window], state, dropout)
                state = tuple(part.detach() for part in state)
                targets = torch.from_numpy(y[:, start : start + window].reshape(-1))
                loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), targets, ignore_index=-1)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimiser.step()

    def score(texts):
        total = count = 0
        with torch.no_grad():
            for tokens, targets in read(model.encoder_, texts, has_ends=model._has_ends):
                state = None
                for start in range(0, len(targets), 1000):
                    x = tokens[None, start : start + 1000].astype(np.int64)
                    outputs, state = outputs_of(x, state)
                    y = torch.from_numpy(targets[start : start + 1000])
                    total += float(torch.nn.functional.cross_entropy(outputs[0], y, reduction="sum"))
                    count += len(y)
        return -total / count

    return score


def batches_of(pieces, n_streams, order):
    """Yield mini-batches, those of like length together, as pylstm makes them."""
    numbers = order.permutation(len(pieces))
    for start in range(0, len(numbers), 8 * n_streams):
        bucket = numbers[start : start + 8 * n_streams]
        bucket = bucket[np.argsort([-len(pieces[k][0]) for k in bucket], kind="stable")]
        for first in range(0, len(bucket), n_streams):
            yield [pieces[k] for k in bucket[first : first + n_streams]]


def compare(arguments):
    """Print the mean of what was held out, in nats and as perplexity, and CPU seconds of the fit."""
    train, test, told = texts_of(arguments)
    recipe = RECIPES[arguments.text, arguments.units]
    given = {"epochs": arguments.epochs, "rate": arguments.learning_rate}
    recipe = recipe._replace(**{name: value for name, value in given.items() if value is not None})
    print(f"{arguments.text}, {arguments.units} units, {recipe}")
    found = {library: [] for library in arguments.libraries}
    for seed in arguments.seeds:
        model = LSTMLanguageModel(
            (arguments.units,),
            max_iter=recipe.epochs,
            learning_rate_init=recipe.rate,
            batch_size=recipe.n_streams,
            window=recipe.window,
            dropout=recipe.dropout,
            random_state=seed,
            **told,
        )
        for library in arguments.libraries:
            if library == "torch" and not hasattr(model, "encoder_"):
                model.set_params(max_iter=1).fit(train)  # for its vocabulary
            start = time.process_time()
            if library == "pylstm":
                score = model.fit(train).score
            else:
                score = train_torch(model, train, arguments, recipe, seed)
            seconds = time.process_time() - start
            nats = -score(test)
            found[library].append((nats, seconds))
            print(
                f"{library:7} seed {seed}: {nats:.4f} nats, perplexity {np.exp(nats):.2f}, {seconds:.0f} s", flush=True
            )
    for library, results in found.items():
        nats, seconds = np.mean(results, axis=0)
        print(f"{library:7} mean: {nats:.4f} nats, perplexity {np.exp(nats):.2f}, {seconds:.0f} s")
