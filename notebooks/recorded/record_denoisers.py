"""Train a small denoiser, record what it gives: ``record_denoisers.py torch``, or ``keras``.

For notebook 3. Needs torch and safetensors (recorded with 2.13), or Keras 3 and TensorFlow (recorded with
3.15 on TensorFlow). Each leaves its model's file, and what it gives for the wave of the notebook.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
STEPS = 300


def waves(rng, count, steps=120):
    """Waves of changing pitch, noisy and clean, shape (count, steps, 1) each."""
    pitch = 0.15 + 0.1 * np.cumsum(rng.normal(0, 0.08, (count, steps)), axis=1)
    phase = rng.uniform(0, 6.28, (count, 1)) + np.cumsum(np.clip(pitch, 0.05, 0.4), axis=1)
    clean = np.sin(phase)
    noisy = clean + rng.normal(0, 0.4, clean.shape)
    return noisy[..., None].astype(np.float32), clean[..., None].astype(np.float32)


def record_torch(noisy, clean, wave):
    """An LSTM and a linear layer, their state as safetensors."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)

    class Denoiser(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(1, 16, batch_first=True)
            self.head = torch.nn.Linear(16, 1)

        def forward(self, x):
            return self.head(self.lstm(x)[0])

    model, noisy, clean = Denoiser(), torch.tensor(noisy), torch.tensor(clean)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(STEPS):
        loss = ((model(noisy) - clean) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_file(model.state_dict(), HERE / "torch_denoiser.safetensors")
    with torch.no_grad():
        return model(torch.tensor(wave)).numpy(), float(loss)


def record_keras(noisy, clean, wave):
    """A GRU and a dense layer, as Keras saves them."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, 1)),
            keras.layers.GRU(16, return_sequences=True, name="gru"),
            keras.layers.Dense(1, name="head"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    told = model.fit(noisy, clean, batch_size=len(noisy), epochs=STEPS, verbose=0)
    model.save(HERE / "keras_denoiser.keras")
    return model.predict(wave, verbose=0), told.history["loss"][-1]


def main(which):
    """Train one of them and keep what it gives."""
    rng = np.random.default_rng(3)
    noisy, clean = waves(rng, 64)
    wave, truth = waves(rng, 1, 300)
    output, loss = {"torch": record_torch, "keras": record_keras}[which](noisy, clean, wave)
    np.savez_compressed(HERE / f"{which}_denoiser.npz", wave=wave, truth=truth, output=output)
    print(which, "loss", loss, "error", float(np.mean((output - truth) ** 2)))


if __name__ == "__main__":
    main(sys.argv[1])
