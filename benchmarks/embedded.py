"""A step of a model inside a function under `@njit`, and two threads that run models without the GIL.

Run by ``PYTHONPATH=. python benchmarks/embedded.py``. Others may use the machine too, so the least time of
many turns is what counts; the target is 0.2 us and 1.3 times the bound: what the multiply-adds alone would
take at the speed that a register tile reaches here, or what reading the weights takes, if that is more.
"""

import threading
from time import perf_counter

import numba
import numpy as np

import numbarnn as nr
from numbarnn.loop.peak import bound
from numbarnn.loop.prepare import host_width

TURNS, STEPS = 60, 5000
#: Name, layer, numbers of an input, multiply-adds of a step.
CASES = [
    ("SimpleRNN 4", lambda: nr.SimpleRNN(4), 4, 4 * 8),
    ("GRU 4", lambda: nr.GRU(4), 4, 3 * 4 * 8),
    ("GRU 16", lambda: nr.GRU(16), 16, 3 * 16 * 32),
    ("LSTM 16", lambda: nr.LSTM(16), 16, 4 * 16 * 32),
    ("LSTM 32", lambda: nr.LSTM(32), 32, 4 * 32 * 64),
    ("LSTM 64", lambda: nr.LSTM(64), 64, 4 * 64 * 128),
    ("GRU 16, Dense 1", lambda: nr.Sequential([nr.GRU(16), nr.Dense(1)]), 2, 3 * 16 * 18 + 16),
    ("Dense 4", lambda: nr.Dense(4), 4, 16),
]


@numba.njit(nogil=True)
def many_steps(model, x, states, out, count):
    for _ in range(count):
        model.step(x, states, out)


def arrays_of(model):
    sizes = model.features, model.state_size, model.units
    return [np.zeros(size, np.float32) for size in sizes]


def least(call):
    """The least time of many turns, after one that does not count."""
    call()
    times = []
    for _ in range(TURNS):
        began = perf_counter()
        call()
        times.append(perf_counter() - began)
    return min(times)


def scaling(model):
    """How much longer two threads take for twice the steps than one for its own: 1 is best."""
    own = [arrays_of(model) for _ in range(2)]

    def both():
        workers = [
            threading.Thread(target=many_steps, args=(model, *arrays, 20 * STEPS)) for arrays in own
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return least(both) / least(lambda: many_steps(model, *own[0], 20 * STEPS))


def main():
    """Print the table."""
    width = host_width("float32")
    print(f"{'model':<18}{'ns a step':>10}{'target':>8}")
    for name, make, features, products in CASES:
        layer = make()
        layer.build((None, None, features))
        model = layer.compiled()
        arrays = arrays_of(model)
        taken = least(lambda model=model, arrays=arrays: many_steps(model, *arrays, STEPS)) / STEPS
        # Every weight is multiplied once.
        target = 200 + 1.3e9 * max(bound(products, 4 * products, 1, "float32", width))
        print(f"{name:<18}{taken * 1e9:>10.0f}{target:>8.0f}")
    layer = nr.GRU(16)
    layer.build((None, None, 16))
    print(f"two threads, twice the steps: {scaling(layer.compiled()):.2f} times the time of one")


if __name__ == "__main__":
    main()
