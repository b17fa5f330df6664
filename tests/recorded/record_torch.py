"""Record what torch.nn.RNN, LSTM and GRU give: ``python record_torch.py``.

Needs torch (recorded with 2.13). Both directions, two layers, packed sequences. Stored are outputs
and states in float64 and, per array, the largest error of torch's own float32 against them.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch_cases import FEATURES, LENGTHS, UNITS, Data, torch_cases

MODULES = {"RNN": torch.nn.RNN, "LSTM": torch.nn.LSTM, "GRU": torch.nn.GRU}


def recorded(number, case, dtype):
    data = Data(number, case)
    module = MODULES[case["module"]](
        FEATURES,
        UNITS,
        num_layers=case["layers"],
        bidirectional=case["bidirectional"],
        batch_first=True,
    ).to(dtype)
    with torch.no_grad():
        for name, value in data.weights.items():
            getattr(module, name).copy_(torch.tensor(value, dtype=dtype))
        x = torch.tensor(data.inputs, dtype=dtype)
        states = [torch.tensor(state, dtype=dtype) for state in data.states]
        states = tuple(states) if case["module"] == "LSTM" else states[0]
        if case["packed"]:
            lengths = torch.tensor(LENGTHS)
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            output, states = module(packed, states)
            output, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
        else:
            output, states = module(x, states)
    states = states if isinstance(states, tuple) else (states,)
    return [output.numpy(), *(state.numpy() for state in states)]


def main():
    stored, errors = {}, []
    for number, case in enumerate(torch_cases()):
        exact = recorded(number, case, torch.float64)
        single = recorded(number, case, torch.float32)
        errors.append([float(np.abs(a - b).max()) for a, b in zip(exact, single, strict=True)])
        for index, array in enumerate(exact):
            stored[f"{number}.{index}"] = array
    stored["about"] = np.array(json.dumps({"torch": torch.__version__, "errors": errors}))
    np.savez_compressed(Path(__file__).with_name("torch.npz"), **stored)


if __name__ == "__main__":
    main()
