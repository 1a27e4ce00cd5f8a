"""What an embedding and an LSTM in PyTorch reach on texts, by the defaults of pylstm's estimators. One thread.

    taskset -c 0 python bench/text_torch.py [--data FOLDER] [--tasks SMS names ATIS] [--seeds 0 1 2]

SMS by words, one label a message; ATIS by words, one label a word; names by characters, one label a name. What is
copied of the defaults: 64 units, the output after the last step (or every one), mini-batches of 16 of similar length,
Adam with 0.003, clipped to 1, 1,000 updates or 30 epochs if that is more; of labels of whole sequences the rate goes
down to 0 over the last fifth of the updates. The unknown token has the mean of the rows that were learnt. Prints a
table: accuracy, of ATIS over all words.
"""

import argparse
import time

import numpy as np
import torch
from text_baselines import accuracy
from text_data import SPLITS, add_argument, print_head, print_row
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from pylstm.preprocessing import TokenEncoder

BATCH_SIZE, LEARNING_RATE, MAX_NORM = 16, 0.003, 1.0
UPDATES, LEAST_EPOCHS, SETTLING = 1000, 30, 0.2
ANALYZERS = {"SMS": "word", "ATIS": "word", "names": "char"}


class Net(torch.nn.Module):
    """Embedding, LSTM, and a dense layer on the last output of each sequence, or on each output."""

    def __init__(self, n_tokens, n_classes, per_step, options):
        super().__init__()
        self.embedding = torch.nn.Embedding(n_tokens, options.embedding_size)
        self.lstm = torch.nn.LSTM(
            options.embedding_size, options.units, batch_first=True, bidirectional=options.bidirectional
        )
        self.dense = torch.nn.Linear(options.units * (1 + options.bidirectional), n_classes)
        self.per_step, self.pooling = per_step, options.pooling
        if options.forget_bias is not None:
            gate = slice(options.units, 2 * options.units)
            with torch.no_grad():
                for name, bias in self.lstm.named_parameters():
                    if name.startswith("bias"):
                        bias[gate] = options.forget_bias if name.startswith("bias_ih") else 0

    def forward(self, sequences):
        """Return the logits of sequences, or of the steps of all, one sequence after the other."""
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        padded = self.embedding(pad_sequence(sequences, batch_first=True))
        if self.lstm.bidirectional:
            packed = torch.nn.utils.rnn.pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
            Y = torch.nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]
        else:
            Y = self.lstm(padded)[0]
        alive = torch.arange(Y.shape[1]) < lengths[:, None]
        if self.per_step:
            return self.dense(Y[alive])
        if self.pooling == "mean":
            return self.dense((Y * alive[..., None]).sum(1) / lengths[:, None])
        return self.dense(Y[torch.arange(len(Y)), lengths - 1])


def batches(lengths):
    """Return the sequences of each mini-batch, those of similar length together, in random order."""
    order = torch.argsort(lengths + torch.rand(len(lengths)))
    split = order.split(BATCH_SIZE)
    return [split[k] for k in torch.randperm(len(split))]


def train(net, X, labels, settles):
    """Fit a net by the recipe; `labels` are a tensor for each sequence."""
    lengths = torch.tensor([len(x) for x in X])
    n_batches = -(-len(X) // BATCH_SIZE)
    n_epochs = max(LEAST_EPOCHS, -(-UPDATES // n_batches))
    adam = torch.optim.Adam(net.parameters(), LEARNING_RATE)
    n_updates = n_epochs * n_batches
    course = torch.optim.lr_scheduler.LambdaLR(
        adam, lambda k: min(1, (n_updates - k) / (SETTLING * n_updates)) if settles else 1
    )
    for _ in range(n_epochs):
        for batch in batches(lengths):
            adam.zero_grad()
            cross_entropy(net([X[k] for k in batch]), torch.cat([labels[k] for k in batch])).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), MAX_NORM)
            adam.step()
            course.step()
    with torch.no_grad():
        met = torch.cat(X).unique()
        if met[0] > 0:
            net.embedding.weight[0] = net.embedding.weight[met].mean(0)


def predict(net, X):
    """Return the classes of X, in one row."""
    with torch.no_grad():
        return torch.cat([net(X[k : k + 64]).argmax(1) for k in range(0, len(X), 64)]).numpy()


def run(task, data, seed, options):
    """Return the accuracy on what is held out, and seconds."""
    X, y, X_test, y_test = data
    start = time.perf_counter()
    torch.manual_seed(seed)
    per_step = task == "ATIS"
    encoder = TokenEncoder(analyzer=ANALYZERS[task], min_frequency=options.min_frequency).fit(X)
    tokens, tokens_test = (
        [torch.as_tensor(x.astype(np.int64)) for x in encoder.transform(each)] for each in (X, X_test)
    )
    classes = np.unique(np.concatenate(y) if per_step else y)
    labels = [torch.as_tensor(np.searchsorted(classes, np.atleast_1d(each))) for each in y]
    net = Net(len(encoder.tokens_), len(classes), per_step, options)
    train(net, tokens, labels, settles=not per_step)
    predicted = classes[predict(net, tokens_test)]
    y_test = [np.concatenate(y_test)] if per_step else y_test
    return accuracy(y_test, [predicted] if per_step else predicted), time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(SPLITS), default=list(SPLITS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--splits", type=int, default=5, help="how many of the folds, the first ones")
    parser.add_argument("--embedding-size", type=int, default=64)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--pooling", choices=["last", "mean"], default="last")
    parser.add_argument("--min-frequency", type=int, default=1)
    parser.add_argument("--bidirectional", action="store_true")
    parser.add_argument("--forget-bias", type=float, default=None)
    add_argument(parser)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print_head()
    for task in options.tasks:
        for seed in options.seeds:
            results = [run(task, data, seed, options) for data in list(SPLITS[task](options.data))[: options.splits]]
            print_row(task, f"PyTorch, seed {seed}", *zip(*results, strict=True))


if __name__ == "__main__":
    main()
