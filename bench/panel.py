"""A fit to a panel of many short series of different lengths: CPU seconds and memory, beside a loop in PyTorch.

    taskset -c 1 python bench/panel.py                  # 10,000 series of 50 to 150 months
    taskset -c 1 python bench/panel.py --series 1000

`LSTMForecaster(horizon=12)` with its defaults, intervals included, in a process of its own. The loop in PyTorch is what
one would write by hand for the same net: windows of the same length drawn at random, as many mini-batches of as many
windows, the absolute error, Adam and a cosine, intervals not included; it is told the season. MASE is of the next 12
months, of all series. The peak of memory is above the imports and the data, which are float64.
"""

import argparse
import json
import resource
import time

import numpy as np
import pinning

HORIZON, SEASON = 12, 12


def panel_of(n_series):
    """Return series with a trend, a season of their own size and noise, and the 12 months after each."""
    rng = np.random.default_rng(0)
    pattern = np.sin(2 * np.pi * (np.arange(SEASON) + 3) / SEASON) + rng.normal(0, 0.3, SEASON)
    series = []
    for n in rng.integers(50, 151, n_series) + HORIZON:
        steps = np.arange(n)
        level = rng.uniform(3, 8) + rng.normal(0, 0.01) * steps + np.cumsum(rng.normal(0, 0.02, n))
        season = rng.uniform(0.05, 0.4) * pattern[(steps + rng.integers(SEASON)) % SEASON]
        series.append(np.exp(level + season + rng.normal(0, 0.05, n)))
    return [y[:-HORIZON] for y in series], np.array([y[-HORIZON:] for y in series])


def by_pylstm(series):
    from pylstm import LSTMForecaster

    model = LSTMForecaster(horizon=HORIZON, random_state=0).fit(series)
    return lambda: np.array(model.predict(HORIZON)), model


def by_torch(series, window, units, n_updates, batch_size, rate):
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    scales = np.array([np.abs(np.diff(np.log(y))).mean() for y in series])
    values = [np.log(y) / scale for y, scale in zip(series, scales, strict=True)]
    first = np.concatenate([[0], np.cumsum([len(y) for y in values])])[:-1]
    flat = np.concatenate(values).astype(np.float32)
    starts = np.concatenate(
        [at + np.arange(len(y) - window - HORIZON + 1) for at, y in zip(first, values, strict=True)]
    )
    lstm, dense = torch.nn.LSTM(2, units, batch_first=True), torch.nn.Linear(units, 1)
    parameters = [*lstm.parameters(), *dense.parameters()]
    optimiser = torch.optim.Adam(parameters, rate)
    course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, n_updates)

    def outputs_of(past):
        """Read the window less its last value, with the change over a season, and a horizon of zeros."""
        last = past[:, -1:]
        x = np.zeros((len(past), window + HORIZON, 2), np.float32)
        x[:, :window, 0] = past - last
        x[:, SEASON:window, 1] = past[:, SEASON:] - past[:, :-SEASON]
        return dense(lstm(torch.from_numpy(x))[0][:, window:])[..., 0], last

    for _ in range(n_updates):
        at = rng.choice(starts, batch_size)[:, np.newaxis] + np.arange(window + HORIZON)
        outputs, last = outputs_of(flat[at[:, :window]])
        loss = (outputs - torch.from_numpy(flat[at[:, window:]] - last)).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        course.step()

    def predict():
        with torch.no_grad():
            outputs, last = outputs_of(np.stack([y[-window:] for y in values]).astype(np.float32))
        return np.exp((outputs.numpy() + last) * scales[:, np.newaxis])

    return predict


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_one(library, n_series, net):
    if library == "torch":
        import torch  # noqa: F401
    else:
        from pylstm import LSTMForecaster  # noqa: F401
    series, future = panel_of(n_series)
    before, start, said = peak(), time.process_time(), {}
    if library == "torch":
        predict = by_torch(series, **net)
    else:
        predict, model = by_pylstm(series)
        of = model.get_params() | model._stands_for
        said["net"] = {
            "window": model._direct.window,
            "units": of["hidden_layer_sizes"][0],
            "n_updates": model.n_updates_,
            "batch_size": of["batch_size"],
            "rate": of["learning_rate_init"],
        }
    said["seconds"], said["MiB"] = time.process_time() - start, peak() - before
    scales = [np.abs(y[SEASON:] - y[:-SEASON]).mean() for y in series]
    said["MASE"] = float(np.mean(np.abs(predict() - future).mean(axis=1) / scales))
    naive = [np.abs(y[-SEASON:] - f).mean() / scale for y, f, scale in zip(series, future, scales, strict=True)]
    said["naive"] = float(np.mean(naive))
    said["data MiB"] = sum(y.nbytes for y in series) / 2**20
    print(json.dumps(said))


def measure_apart(library, arguments, net):
    options = ["--one", library, "--series", str(arguments.series), "--net", json.dumps(net)]
    return pinning.child("panel.py", 1, *options)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--net", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        measure_one(arguments.one, arguments.series, arguments.net)
        return
    ours = measure_apart("pylstm", arguments, None)
    net = ours.pop("net")
    print(f"{arguments.series:,} series, {ours['data MiB']:.1f} MiB; {net}; seasonal naive {ours['naive']:.3f}")
    for library, found in (("pylstm", ours), ("torch", measure_apart("torch", arguments, net))):
        print(f"{library:7} {found['seconds']:6.1f} s of CPU, {found['MiB']:6.1f} MiB, MASE {found['MASE']:.3f}")


if __name__ == "__main__":
    main()
