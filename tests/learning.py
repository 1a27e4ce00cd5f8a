"""What training on a device is compared with."""

import numpy as np

import pylstm
from pylstm._estimators.models import parts


def net_of(model):
    return parts(model)[1]._model


class Reference:
    """Training on windows in float64, by `Sequence.backward` and SGD with clipping."""

    def __init__(self, model, *, head_only, carry_state, max_grad_norm):
        net, made_with = net_of(model), net_of(model).configuration
        per_step, _ = parts(model)
        self.scaler = None if per_step is None else per_step.transformer_
        cell = {"cell": net.cell, "nonlinearity": net.nonlinearity}
        self.seq = pylstm.Sequence(made_with["input_size"], net.hidden_sizes, dtype="float64", **cell)
        self.parameters = {**self.seq.parameters()}
        given = net.parameters()
        for name, values in self.parameters.items():
            values[...] = given[name]
        self.parameters |= {name: given[name].astype(np.float64) for name in ("weight_out", "bias_out")}
        self.trained = ["weight_out", "bias_out"] if head_only else list(self.parameters)
        self.classifies, self.is_per_step = made_with["loss"] == "cross-entropy", made_with["pooling"] is None
        self.carry_state, self.max_grad_norm, self.state = carry_state, max_grad_norm, None

    def learn(self, x, y, rate):
        x = x if self.scaler is None else self.scaler.transform(x)
        H, state = self.seq.forward(x[np.newaxis].astype(np.float64), self.state, training=True)
        self.state = state if self.carry_state else None
        features = H[0] if self.is_per_step else H[0, -1:]
        out = features @ self.parameters["weight_out"].T + self.parameters["bias_out"]
        if self.classifies:
            out = np.exp(out - out.max(axis=1, keepdims=True))
            out /= out.sum(axis=1, keepdims=True)
            onehot = np.eye(out.shape[1])[np.atleast_1d(y)]
            loss, dout = -np.log((out * onehot).sum(axis=1)).mean(), (out - onehot) / len(out)
        else:
            dout = (out - np.atleast_2d(y)) / out.size
            loss = (dout**2).sum() * out.size / 2
        dH = np.zeros_like(H)
        dH[0, -len(features) :] = dout @ self.parameters["weight_out"]
        gradients = {"weight_out": dout.T @ features, "bias_out": dout.sum(axis=0)}
        gradients |= self.seq.backward(dH).parameters
        norm = np.sqrt(sum((gradients[name] ** 2).sum() for name in self.trained))
        scale = self.max_grad_norm / norm if self.max_grad_norm and norm > self.max_grad_norm else 1
        for name in self.trained:
            self.parameters[name] -= rate * scale * gradients[name]
        return loss

    def weights(self):
        return np.concatenate([self.parameters[name].ravel() for name in self.trained])
