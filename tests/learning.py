"""What training on a device is compared with."""

import numpy as np

import pylstm
from pylstm._net.describe import describe


def net_of(model):
    return describe(model).net


def loss_of(loss, outputs, answers, parameter=0.0):
    """Return the mean loss of rows, and its gradient by the outputs."""
    n, n_outputs = outputs.shape
    if loss == "cross_entropy":
        p = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        onehot = np.eye(n_outputs)[np.atleast_1d(answers)]
        return -np.log((p * onehot).sum(axis=1)).mean(), (p - onehot) / n
    answers = np.reshape(answers, outputs.shape)
    r = outputs - answers
    if loss == "squared_error":
        values, slopes = r**2 / 2, r
    elif loss == "absolute_error":
        values, slopes = np.abs(r), np.sign(r)
    elif loss == "huber":
        slopes = np.clip(r, -parameter, parameter)
        values = slopes * (r - slopes / 2)
    elif loss == "quantile":
        slopes = np.where(r > 0, 1 - parameter, np.where(r < 0, -parameter, 0))
        values = slopes * r
    elif loss == "sigmoid":
        values = np.logaddexp(0, outputs) - answers * outputs
        slopes = 1 / (1 + np.exp(-outputs)) - answers
    return values.mean(), slopes / outputs.size


class Reference:
    """Training on windows in float64, by `Sequence.backward` and SGD with clipping.

    Parameters
    ----------
    weights : array
        All, in the order of C.
    sizes : tuple of int
        Of the inputs, or how many tokens there are; and of the layers.
    tied : bool
        Whether the output layer's weights are those of the embedding.
    """

    def __init__(self, weights, sizes, n_outputs, *, loss, per_step, carry_state, max_grad_norm, head_only=False,
                 scaling=None, parameter=0.0, pooling=None, targets=None, tied=False, **net):  # fmt: skip
        self.seq = pylstm.Sequence(sizes[0], tuple(sizes[1:]), dtype="float64", **net)
        self.parameters = {**self.seq.parameters()}
        rest = np.asarray(weights, np.float64)
        for values in self.parameters.values():
            values[...] = rest[: values.size].reshape(values.shape)
            rest = rest[values.size :]
        if tied:
            self.parameters["weight_out"] = self.parameters["embedding"].copy()
        else:
            self.parameters["weight_out"] = rest[: n_outputs * sizes[-1]].reshape(n_outputs, sizes[-1]).copy()
        self.parameters["bias_out"] = rest[-n_outputs:].copy()
        self.trained = ["weight_out", "bias_out"] if head_only else list(self.parameters)
        if net.get("freeze_embedding") and not head_only:
            self.trained.remove("embedding")
        self.reads_tokens, self.is_tied = "embedding_size" in net, tied and not head_only
        if self.is_tied:
            self.parameters["weight_out"] = self.parameters["embedding"]
            self.trained.remove("weight_out")
        self.loss, self.parameter, self.is_per_step, self.scaling = loss, parameter, per_step, scaling
        self.carry_state, self.max_grad_norm, self.state = carry_state, max_grad_norm, None
        self.pooling, self.seen, self.targets = pooling, np.zeros((0, sizes[-1])), targets

    @classmethod
    def of_model(cls, model, **options):
        described = describe(model)
        spec, sizes = described.spec, (described.spec.input_size, *described.spec.hidden_sizes)
        if spec.reads_tokens:
            options |= {"embedding_size": spec.embedding_size, "tied": spec.tie_weights}
        return cls(described.net.copy_weights(), sizes, spec.n_outputs, loss=spec.loss, scaling=described.inputs,
                   per_step=spec.pooling is None, pooling=spec.in_use().pooling, targets=described.targets,
                   parameter=spec.loss_parameter, cell=spec.cell, nonlinearity=spec.nonlinearity,
                   **options)  # fmt: skip

    def learn(self, x, y, rate):
        x = x if self.scaling is None else (x - self.scaling[0]) / self.scaling[1]
        y = y if self.targets is None else (y - self.targets[0]) / self.targets[1]
        x = x if self.reads_tokens else x.astype(np.float64)
        H, state = self.seq.forward(x[np.newaxis], self.state, training=True)
        self.state = state if self.carry_state else None
        features, back = self.pool(H[0]) if self.pooling else (H[0], None) if self.is_per_step else (H[0, -1:], None)
        outputs = features @ self.parameters["weight_out"].T + self.parameters["bias_out"]
        loss, doutputs = loss_of(self.loss, outputs, y, self.parameter)
        dH = np.zeros_like(H)
        dfeatures = doutputs @ self.parameters["weight_out"]
        if self.pooling:
            dH[0] = back * dfeatures
        else:
            dH[0, -len(features) :] = dfeatures
        gradients = {"weight_out": doutputs.T @ features, "bias_out": doutputs.sum(axis=0)}
        gradients |= self.seq.backward(dH).parameters
        if self.is_tied:
            gradients["embedding"] = gradients["embedding"] + gradients["weight_out"]
        norm = np.sqrt(sum((gradients[name] ** 2).sum() for name in self.trained))
        scale = self.max_grad_norm / norm if self.max_grad_norm and norm > self.max_grad_norm else 1
        for name in self.trained:
            self.parameters[name] -= rate * scale * gradients[name]
        return loss

    def pool(self, H):
        """Return what is pooled of all steps so far, and how much of each output of this window is in it."""
        n_seen = len(self.seen)
        seen = np.concatenate([self.seen, H])
        self.seen = seen if self.carry_state else self.seen
        if self.pooling == "mean":
            return seen.mean(axis=0, keepdims=True), np.full(H.shape, 1 / len(seen))
        return seen.max(axis=0, keepdims=True), np.arange(n_seen, len(seen))[:, np.newaxis] == seen.argmax(axis=0)

    def weights(self):
        return np.concatenate([self.parameters[name].ravel() for name in self.trained])
