"""Record what onnxruntime and torch give for the real models: ``python record_real_models.py``.

Needs torch and onnxruntime (recorded with 2.13 and 1.32), and NUMBARNN_MODELS. Of the long outputs, every
seventh block is stored. What torch gives is in float64, with the error of its float32 against it.
"""

from pathlib import Path

import numpy as np
import onnxruntime
import real_models
import torch


def dtln(number, blocks):
    session = onnxruntime.InferenceSession(str(real_models.path_of(f"dtln/model_{number}.onnx")))
    values, states = [put.name for put in session.get_inputs()]
    state, found = np.zeros((1, 2, 128, 2), "float32"), []
    for t in range(blocks.shape[1]):
        output, state = session.run(None, {values: blocks[:, t : t + 1], states: state})
        found.append(output[0, 0])
    return np.array(found)[::7], state


def g2p(dtype):
    arrays = np.load(real_models.path_of("g2p/checkpoint20.npz"))
    w = {name: torch.tensor(arrays[name]).to(dtype) for name in arrays}
    nets = {}
    for side in ("enc", "dec"):
        nets[side] = torch.nn.GRU(256, 256, batch_first=True, dtype=dtype)
        nets[side].load_state_dict(
            {f"{kind}_l0": w[f"{side}_{kind.replace('weight', 'w').replace('bias', 'b')}"]
             for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        )  # fmt: skip
    states, sounds = [], []
    with torch.no_grad():
        for word in real_models.WORDS:
            _, h = nets["enc"](w["enc_emb"][real_models.ids_of(word)][None])
            states.append(h[0, 0].numpy())
            found, at = [], real_models.START
            for _ in range(real_models.MOST):
                _, h = nets["dec"](w["dec_emb"][[at]][None], h)
                at = int((h[0, 0] @ w["fc_w"].T + w["fc_b"]).argmax())
                if at == real_models.END:
                    break
                found.append(at)
            sounds.append(found + [0] * (real_models.MOST - len(found)))
    return np.array(states), np.array(sounds, "int32")


def main():
    stored = {}
    for number, blocks in ((1, real_models.spectra()), (2, real_models.frames())):
        stored[f"dtln{number}"], stored[f"dtln{number}_state"] = dtln(number, blocks)
    stored["g2p_states"], stored["g2p_sounds"] = g2p(torch.float64)
    single, sounds = g2p(torch.float32)
    assert np.array_equal(sounds, stored["g2p_sounds"])
    stored["g2p_error"] = np.abs(single - stored["g2p_states"]).max()
    np.savez_compressed(Path(__file__).with_name("real_models.npz"), **stored)


if __name__ == "__main__":
    main()
