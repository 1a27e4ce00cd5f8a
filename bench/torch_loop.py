"""What a PyTorch user would write to classify sequences: the loop that `fit` is compared with."""

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence


class TorchClassifier:
    """An LSTM layer with a dense layer on its last output, trained by Adam with cross-entropy.

    `padding` is "packed" (`pack_padded_sequence`) or "masked": padded, and the output taken at each sequence's end.
    """

    def __init__(self, hidden_size, learning_rate, n_epochs, padding, seed, batch_size=16, max_norm=1.0):
        self.hidden_size, self.learning_rate, self.n_epochs, self.padding = (
            hidden_size,
            learning_rate,
            n_epochs,
            padding,
        )
        self.seed, self.batch_size, self.max_norm = seed, batch_size, max_norm

    def fit(self, X, y):
        torch.manual_seed(self.seed)
        self.classes_, labels = np.unique(y, return_inverse=True)
        self.lstm = torch.nn.LSTM(np.shape(X[0])[1], self.hidden_size, batch_first=True)
        self.dense = torch.nn.Linear(self.hidden_size, len(self.classes_))
        parameters = [*self.lstm.parameters(), *self.dense.parameters()]
        adam = torch.optim.Adam(parameters, self.learning_rate)
        sequences, labels = self._tensors(X), torch.as_tensor(labels)
        for _ in range(self.n_epochs):
            for batch in torch.randperm(len(sequences)).split(self.batch_size):
                adam.zero_grad()
                logits = self._logits([sequences[k] for k in batch])
                torch.nn.functional.cross_entropy(logits, labels[batch]).backward()
                torch.nn.utils.clip_grad_norm_(parameters, self.max_norm)
                adam.step()
        return self

    def score(self, X, y):
        with torch.no_grad():
            predicted = self._logits(self._tensors(X)).argmax(1).numpy()
        return float(np.mean(self.classes_[predicted] == y))

    def _tensors(self, X):
        return [torch.as_tensor(np.asarray(x, np.float32)) for x in X]

    def _logits(self, sequences):
        lengths = torch.tensor([len(x) for x in sequences])
        padded = pad_sequence(sequences, batch_first=True)
        if self.padding == "packed":
            packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
            last = self.lstm(packed)[1][0][0]
        else:
            last = self.lstm(padded)[0][torch.arange(len(sequences)), lengths - 1]
        return self.dense(last)
