"""What a PyTorch user would write to learn from sequences: the loop that `fit` is compared with."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence


class TorchNet(BaseEstimator):
    """An LSTM layer with a dense layer on its last output, trained by Adam.

    `padding` is "packed" (`pack_padded_sequence`) or "masked": padded, and the output taken at each sequence's end.
    `forget_bias` is what the forget gates' two biases add up to at first; None leaves what PyTorch draws.
    """

    def __init__(
        self, hidden_size, learning_rate, n_epochs, padding, seed, batch_size=16, max_norm=1.0, forget_bias=None
    ):
        self.hidden_size, self.learning_rate, self.n_epochs, self.padding = (
            hidden_size,
            learning_rate,
            n_epochs,
            padding,
        )
        self.seed, self.batch_size, self.max_norm, self.forget_bias = seed, batch_size, max_norm, forget_bias

    def _train(self, X, targets, n_outputs, loss):
        torch.manual_seed(self.seed)
        self.n_features_in_ = np.shape(X[0])[1]
        self.lstm = torch.nn.LSTM(self.n_features_in_, self.hidden_size, batch_first=True)
        self.dense = torch.nn.Linear(self.hidden_size, n_outputs)
        if self.forget_bias is not None:
            gate = slice(self.hidden_size, 2 * self.hidden_size)
            with torch.no_grad():
                self.lstm.bias_ih_l0[gate] = self.forget_bias
                self.lstm.bias_hh_l0[gate] = 0
        parameters = [*self.lstm.parameters(), *self.dense.parameters()]
        adam = torch.optim.Adam(parameters, self.learning_rate)
        sequences = self._tensors(X)
        for _ in range(self.n_epochs):
            for batch in torch.randperm(len(sequences)).split(self.batch_size):
                adam.zero_grad()
                loss(self._outputs([sequences[k] for k in batch]), targets[batch]).backward()
                torch.nn.utils.clip_grad_norm_(parameters, self.max_norm)
                adam.step()
        return self

    def _tensors(self, X):
        return [torch.as_tensor(np.asarray(x, np.float32)) for x in X]

    def _outputs(self, sequences):
        lengths = torch.tensor([len(x) for x in sequences])
        padded = pad_sequence(sequences, batch_first=True)
        if self.padding == "packed":
            packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
            last = self.lstm(packed)[1][0][0]
        else:
            last = self.lstm(padded)[0][torch.arange(len(sequences)), lengths - 1]
        return self.dense(last)


class TorchClassifier(ClassifierMixin, TorchNet):
    """With a softmax and cross-entropy."""

    def fit(self, X, y):
        self.classes_, labels = np.unique(y, return_inverse=True)
        return self._train(X, torch.as_tensor(labels), len(self.classes_), torch.nn.functional.cross_entropy)

    def predict(self, X):
        with torch.no_grad():
            return self.classes_[self._outputs(self._tensors(X)).argmax(1).numpy()]


class TorchRegressor(RegressorMixin, TorchNet):
    """With the squared error."""

    def fit(self, X, y):
        targets = torch.as_tensor(np.asarray(y, np.float32))[:, None]
        return self._train(X, targets, 1, torch.nn.functional.mse_loss)

    def predict(self, X):
        with torch.no_grad():
            return self._outputs(self._tensors(X))[:, 0].numpy()
