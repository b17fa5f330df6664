"""Our kernels on a device against torch's cuDNN, an eager loop of torch, JAX's scan; the table comes last.

Run by ``make bench-gpu`` on a machine with a device. Times are those of events on the device around a call,
after five calls to warm up: the median of thirty, ours and theirs in turn. "ours" is what the plan chooses;
what other kernels of ours take is measured beside it, under their names. ``on_gpu.json`` keeps those times;
``choose_on_gpu.py`` makes of it what the plan chooses from then on.
"""

import json
import os
import random
import statistics
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path[:0] = [
    str(Path(__file__).parents[1] / "tests"),
    str(Path(__file__).parents[1] / "tests" / "gpu"),
]

from gpu.device_cases import Case, in_kernel, kernel_of, over  # noqa: E402

import numbarnn as nr  # noqa: E402

SEQUENCES = {"return_sequences": True}
LSTMS = [
    (1, 1000, 64, 64),
    (4096, 100, 32, 32),
    (32, 100, 64, 64),
    (256, 100, 32, 32),
    (8, 200, 32, 48),
    (256, 100, 64, 96),
]
#: Too large for the registers of a block: run step by step.
LARGE = [
    (1, 200, 128, 256),
    (32, 100, 128, 256),
    (256, 100, 128, 256),
    (256, 100, 256, 512),
    (64, 200, 512, 1024),
]
KINDS = {
    "LSTM": (nr.LSTMCell, LSTMS + LARGE),
    "GRU": (nr.GRUCell, LSTMS + LARGE),
    "MGU": (nr.MGUCell, LSTMS[:3] + LARGE[1:2] + LARGE[3:4]),
}
CASES = [
    Case(f"{name} {shape}", over(cell, shape[3]), shape[:3], "float32", SEQUENCES)
    for name, (cell, shapes) in KINDS.items()
    for shape in shapes
]
#: Of running step by step, beside the plain way: what the environment asks for.
WAYS = {
    "K3, no graph": {"NUMBARNN_GPU_GRAPH": "0"},
    "K3, cuBLAS": {"NUMBARNN_GPU_GEMM": "cublas"},
}
WARM, TIMES = 5, 30


def interleaved(calls, torch):
    """The median milliseconds of every call, taken in turn."""
    taken, drawn = {name: [] for name in calls}, random.Random(0)
    for turn in range(WARM + TIMES):
        # What a call comes after may cost it or help it.
        for name, call in drawn.sample(list(calls.items()), len(calls)):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            call()
            end.record()
            end.synchronize()
            if turn >= WARM:
                taken[name].append(begin.elapsed_time(end))
    return {name: statistics.median(times) for name, times in taken.items()}


#: Of ours.
KERNELS = ("K1", "K2c", "K3")


def by_other_kernels(case, layer, x, capability):
    """Calls of the same layer by every kernel of ours that takes it and that the plan does not choose."""
    found, chosen = {}, kernel_of(layer, capability)
    for kernel in KERNELS:
        other = case.layer()
        with in_kernel(replace(case, kernel=kernel)):
            if kernel == chosen or kernel_of(other, capability) != kernel:
                continue
            other(x)  # which kernel is known from now on
        found[kernel] = lambda other=other: other(x)
    return found


@contextmanager
def environment(names):
    """With other variables in it."""
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def in_other_ways(case, x):
    """Calls of the same layer run step by step, by graphs and with cuBLAS."""
    found = {}
    for way, names in WAYS.items():
        other = case.layer()
        with in_kernel(replace(case, kernel="K3")), environment(names):
            other(x)

        def call(other=other, names=names):
            with environment(names):
                return other(x)

        found[way] = call
    return found


def recorded(case, layer, times, capability):
    """What ``choose_on_gpu.py`` reads of a case: its size, and milliseconds by kernel."""
    kernels = {kernel_of(layer, capability): times["ours"]}
    kernels |= {name: times[name] for name in KERNELS if name in times}
    weights = layer.weights["recurrent_kernel"].nbytes / 1024
    return {"name": case.name, "weights": weights, "kernels": kernels}


def cudnn(case, layer, x, torch):
    """torch's own layer with our weights; None where it has none."""
    kind = {"LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}.get(case.name.split()[0])
    if kind is None:
        return None
    kernel, recurrent, bias = (torch.from_numpy(w.copy()).cuda() for w in layer.get_weights())
    units = recurrent.shape[0]
    made = kind(x.shape[2], units, batch_first=True).cuda().eval()
    # Keras: i, f, g, o and z, r, n; torch: i, f, g, o and r, z, n.
    order = [0, 1, 2, 3] if kind is torch.nn.LSTM else [1, 0, 2]

    def ordered(weight):
        return torch.cat([weight[..., g * units : (g + 1) * units] for g in order], -1)

    biases = bias if bias.ndim == 2 else torch.stack([bias, torch.zeros_like(bias)])
    with torch.no_grad():
        made.weight_ih_l0.copy_(ordered(kernel).T)
        made.weight_hh_l0.copy_(ordered(recurrent).T)
        made.bias_ih_l0.copy_(ordered(biases[0]))
        made.bias_hh_l0.copy_(ordered(biases[1]))
    return lambda: made(x)[0]


def eager(case, layer, x, torch):
    """The same cell as a loop of torch's operations; of the minimal gated unit."""
    if not case.name.startswith("MGU"):
        return None
    weights = [torch.from_numpy(w.copy()).cuda() for w in layer.get_weights()]
    units = layer.cell.units

    def run():
        kernel, recurrent, bias = weights
        h = torch.zeros(x.shape[0], units, device="cuda")
        given, out = x @ kernel + bias[0], []
        for t in range(x.shape[1]):
            r = h @ recurrent + bias[1]
            f = torch.sigmoid(given[:, t, :units] + r[:, :units])
            n = torch.tanh(given[:, t, units:] + f * r[:, units:])
            h = (1 - f) * n + f * h
            out.append(h)
        return torch.stack(out, 1)

    return run


def jax_scan(case, layer, x, torch):
    """The minimal gated unit in JAX's scan, where JAX has a device; its arrays lie with JAX."""
    if not case.name.startswith("MGU"):
        return None
    try:
        import jax

        if jax.default_backend() != "gpu":
            return None
    except ImportError:
        return None
    kernel, recurrent, bias = (jax.numpy.asarray(w) for w in layer.get_weights())
    units = layer.cell.units
    given = jax.numpy.asarray(x.cpu().numpy())
    exact = partial(jax.numpy.matmul, precision="highest")  # JAX multiplies in TF32 by itself

    @jax.jit
    def run(given):
        def step(h, x):
            r = exact(h, recurrent) + bias[1]
            f = jax.nn.sigmoid(x[:, :units] + r[:, :units])
            n = jax.numpy.tanh(x[:, units:] + f * r[:, units:])
            h = (1 - f) * n + f * h
            return h, h

        first = jax.numpy.zeros((given.shape[0], units), given.dtype)
        values = (exact(given, kernel) + bias[0]).transpose(1, 0, 2)
        return jax.lax.scan(step, first, values)[1].transpose(1, 0, 2)

    return lambda: torch.from_dlpack(run(given).block_until_ready())


def constants(torch):
    """What one launch costs, and one barrier."""
    tiny = Case("LSTM", over(nr.LSTMCell, 8), (1, 1, 8), "float32", {})
    layer, x = tiny.layer(), torch.zeros(1, 1, 8, device="cuda")
    long = torch.zeros(1, 2001, 8, device="cuda")
    found = interleaved({"call": lambda: layer(x), "2001 steps": lambda: layer(long)}, torch)
    step = (found["2001 steps"] - found["call"]) / 2000
    return {
        "one call of one step, us": 1e3 * found["call"],
        "a step of LSTM(8), one barrier, us": 1e3 * step,
    }


def agreeing(case, layer, x, calls, tolerances):
    """The calls that give what the layer gives; what does not is told, and not timed."""
    wanted, found = layer(x), {}
    for name, call in calls.items():
        off = float((call() - wanted).abs().max())
        if off <= tolerances.get(name, 1e-4):
            found[name] = call
        else:
            print(f"\n{case.name}: {name} differs by {off:.2g}", flush=True)
    return found


def peers(case, layer, x, torch):
    """Calls of all others that can run a case."""
    found = {}
    for name, tf32, make in (
        ("cuDNN, TF32 off", False, cudnn),
        ("cuDNN, TF32 on", True, cudnn),
        ("eager torch", False, eager),
        ("JAX scan", False, jax_scan),
    ):
        theirs = make(case, layer, x, torch)
        if theirs is None:
            continue

        def call(theirs=theirs, tf32=tf32):
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
            with torch.no_grad():
                return theirs()

        found[name] = call
    return found


#: TF32 has ten bits of significand.
TOLERANCES = {"cuDNN, TF32 on": 2e-2}


def main():
    """Measure, then print."""
    import torch

    if not torch.cuda.is_available():
        sys.exit("No CUDA device is here.")
    rows, records, capability = [], [], torch.cuda.get_device_capability()
    for case in CASES:
        layer, x = case.layer(), torch.from_numpy(case.inputs()).cuda()
        calls = {"ours": lambda layer=layer, x=x: layer(x)}
        calls |= by_other_kernels(case, layer, x, capability)
        if case.shape[1] <= 200:  # a graph has a node for every step
            calls |= in_other_ways(case, x)
        calls |= peers(case, layer, x, torch)
        calls = agreeing(case, layer, x, calls, TOLERANCES)
        rows.append((case.name, interleaved(calls, torch)))
        records.append(recorded(case, layer, rows[-1][1], capability))
        print(".", end="", flush=True)
    found = {
        "device": torch.cuda.get_device_name(), "capability": "{}.{}".format(*capability),
        "torch": torch.__version__, "numbarnn": nr.__version__, "constants": constants(torch),
        "cases": records, "milliseconds": dict(rows),
    }  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    print(f"\n{found['device']}, torch {torch.__version__}, numbarnn {nr.__version__}")
    print("milliseconds of a call; in brackets theirs / ours")
    for name, times in rows:
        ours = times["ours"]
        others = [f"{peer} {ms:.3f} ({ms / ours:.2f})" for peer, ms in times.items()][1:]
        print(f"{name:28} ours {ours:.3f}   {'   '.join(others)}")
    for name, value in found["constants"].items():
        print(f"{name:40} {value:.2f}")


if __name__ == "__main__":
    main()
