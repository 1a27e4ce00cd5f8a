"""An LSTM written from the equations alone: one sequence, one step at a time, in float64."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def run_direction(x, weight_ih, weight_hh, bias, h, c):
    """Outputs (n_steps, H) and the final h, c of one sequence x (n_steps, I)."""
    outputs = []
    for x_t in x:
        z_i, z_f, z_g, z_o = np.split(weight_ih @ x_t + weight_hh @ h + bias, 4)
        c = sigmoid(z_f) * c + sigmoid(z_i) * np.tanh(z_g)
        h = sigmoid(z_o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs), h, c


def run(parameters, n_layers, bidirectional, sequences, state=None):
    """Outputs and final state of `Sequence.forward`, for a list of sequences."""
    parameters = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
    outputs = [np.asarray(x, np.float64) for x in sequences]
    final = []
    for layer in range(n_layers):
        directions = ["", "_reverse"] if bidirectional else [""]
        hidden = parameters[f"weight_hh_l{layer}"].shape[1]
        h_out = np.zeros((len(directions), len(outputs), hidden))
        c_out = np.zeros_like(h_out)
        for b, x in enumerate(outputs):
            sides = []
            for d, suffix in enumerate(directions):
                h0 = np.zeros(hidden) if state is None else np.asarray(state[layer][0], np.float64)[d, b]
                c0 = np.zeros(hidden) if state is None else np.asarray(state[layer][1], np.float64)[d, b]
                weights = [parameters[f"{name}_l{layer}{suffix}"] for name in ("weight_ih", "weight_hh", "bias")]
                order = slice(None, None, -1 if suffix else 1)
                y, h_out[d, b], c_out[d, b] = run_direction(x[order], *weights, h0, c0)
                sides.append(y[order])
            outputs[b] = np.concatenate(sides, axis=1)
        final.append((h_out, c_out))
    return outputs, final


def pool(outputs, pooling, hidden):
    """What the dense layer reads: a row per sequence, or without pooling per step."""
    if pooling is None:
        return np.concatenate(outputs)
    if pooling == "mean":
        return np.array([y.mean(axis=0) for y in outputs])
    if pooling == "max":
        return np.array([y.max(axis=0) for y in outputs])
    return np.array([np.concatenate([y[-1, :hidden], y[0, hidden:]]) for y in outputs])


def predictions(parameters, n_layers, bidirectional, pooling, loss, sequences, state=None):
    """Outputs of `Model.predict`, and the final state."""
    outputs, final = run(parameters, n_layers, bidirectional, sequences, state)
    features = pool(outputs, pooling, parameters[f"weight_hh_l{n_layers - 1}"].shape[1])
    values = features @ parameters["weight_out"].T + parameters["bias_out"]
    if loss == "cross-entropy":
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    return values, final


def mean_loss(values, targets, weights, loss):
    """The weighted mean loss of predictions."""
    if loss == "cross-entropy":
        losses = -np.log(values[np.arange(len(targets)), targets])
    else:
        losses = ((values - targets) ** 2).mean(axis=1) / 2
    return (weights * losses).sum() / weights.sum()


def penalty(parameters, alpha, weights):
    """The L2 penalty, on everything but biases."""
    squares = sum((values**2).sum() for name, values in parameters.items() if name.startswith("weight"))
    return alpha / 2 * squares / weights.sum()


def numeric_gradient(function, parameters, step=1e-5):
    """Central differences of `function()` by each of the parameters, which it reads."""
    gradient = {}
    for name, values in parameters.items():
        gradient[name] = np.empty_like(values)
        for index in np.ndindex(values.shape):
            kept = values[index]
            values[index] = kept + step
            up = function()
            values[index] = kept - step
            gradient[name][index] = (up - function()) / (2 * step)
            values[index] = kept
    return gradient
