"""The cells, written from the equations alone: one sequence, one step at a time, in float64."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_step(w, r, bias, h, c):
    """h and c after a step; w and r: W x_t and R h."""
    z_i, z_f, z_g, z_o = np.split(w + r + bias, 4)
    c = sigmoid(z_f) * c + sigmoid(z_i) * np.tanh(z_g)
    return sigmoid(z_o) * np.tanh(c), c


def gru_step(w, r, bias, h):
    w_r, w_z, w_n = np.split(w, 3)
    r_r, r_z, r_n = np.split(r, 3)
    b_r, b_z, b_n, b_hn = np.split(bias, 4)
    reset, update = sigmoid(w_r + r_r + b_r), sigmoid(w_z + r_z + b_z)
    new = np.tanh(w_n + b_n + reset * (r_n + b_hn))
    return ((1 - update) * new + update * h,)


def tanh_step(w, r, bias, h):
    return (np.tanh(w + r + bias),)


def relu_step(w, r, bias, h):
    return (np.maximum(w + r + bias, 0),)


STEPS = {"lstm": lstm_step, "gru": gru_step, "rnn": tanh_step, "relu": relu_step}


def run_direction(step, x, weight_ih, weight_hh, bias, state):
    """Outputs (n_steps, H) and the final state, a tuple, of one sequence x (n_steps, I)."""
    outputs = []
    for x_t in x:
        state = step(weight_ih @ x_t, weight_hh @ state[0], bias, *state)
        outputs.append(state[0])
    return np.array(outputs), state


def run(parameters, n_layers, bidirectional, sequences, state=None, cell="lstm"):
    """Outputs and final state of `Sequence.forward`, for a list of sequences; cell "relu" is the RNN with relu."""
    parameters = {name: np.asarray(value, np.float64) for name, value in parameters.items()}
    outputs = [np.asarray(x, np.float64) for x in sequences]
    final = []
    for layer in range(n_layers):
        directions = ["", "_reverse"] if bidirectional else [""]
        hidden = parameters[f"weight_hh_l{layer}"].shape[1]
        shape = (2 if cell == "lstm" else 1, len(directions), len(outputs), hidden)
        start = np.zeros(shape) if state is None else np.asarray(state[layer], np.float64)
        end = np.zeros(shape)
        for b, x in enumerate(outputs):
            sides = []
            for d, suffix in enumerate(directions):
                weights = [parameters[f"{name}_l{layer}{suffix}"] for name in ("weight_ih", "weight_hh", "bias")]
                order = slice(None, None, -1 if suffix else 1)
                y, end[:, d, b] = run_direction(STEPS[cell], x[order], *weights, tuple(start[:, d, b]))
                sides.append(y[order])
            outputs[b] = np.concatenate(sides, axis=1)
        final.append(tuple(end))
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
    if loss == "cross_entropy":
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    return values, final


def mean_loss(values, targets, weights, loss):
    """The weighted mean loss of predictions."""
    if loss == "cross_entropy":
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


def numeric_gradient_of_vector(function, values, step=1e-5):
    """Central differences (values.shape, n) of the n numbers of `function()` by `values`, which it reads."""
    rows = []
    for index in np.ndindex(values.shape):
        kept = values[index]
        values[index] = kept + step
        up = function()
        values[index] = kept - step
        rows.append((up - function()) / (2 * step))
        values[index] = kept
    return np.array(rows)
