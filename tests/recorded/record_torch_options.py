"""Record what torch gives for the cases of torch_options.py: ``python record_torch_options.py``.

Needs torch (recorded with 2.13). Outputs are float64's, each with the largest error of torch's own float32.
"""

from pathlib import Path

import numpy as np
import torch
import torch_options


def outputs(name, dtype):
    kind, options = torch_options.CASES[name]
    module, _, further = torch_options.KINDS[kind]
    net = getattr(torch.nn, module)(torch_options.F, torch_options.U, **options, **further)
    state = {key: torch.from_numpy(array) for key, array in torch_options.state_of(name).items()}
    assert list(state) == list(net.state_dict())
    net.load_state_dict(state)
    with torch.no_grad():
        found, _ = net.to(dtype)(torch.from_numpy(torch_options.events(name)).to(dtype))
    return found.double().numpy()


def main():
    stored = {}
    for name in torch_options.CASES:
        stored[name] = outputs(name, torch.float64)
        stored[f"{name}.error"] = np.abs(stored[name] - outputs(name, torch.float32)).max()
    np.savez_compressed(Path(__file__).with_name("torch_options.npz"), **stored)


if __name__ == "__main__":
    main()
