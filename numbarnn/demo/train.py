"""Train the demo's model: characters of a name in, general category out.

Needs torch (``pip install torch``) and a few minutes on two cores; the same seed, torch and
Unicode version give the same model. Run it from the repository with::

    python -m numbarnn.demo.train
"""

import numpy as np

from .names import ALPHABET, CATEGORIES, ids_of, is_held_out, named_characters

EMBEDDING, UNITS, EPOCHS, BATCH, SEED = 24, 112, 14, 128, 20261124


def trained_arrays(seed=SEED):
    """Train and return the weights, in Keras's order and layout, layer by layer."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    names, categories = named_characters()
    rows = [
        (ids_of(name), CATEGORIES.index(category))
        for name, category in zip(names, categories, strict=True)
        if not is_held_out(name)
    ]
    embedding = nn.Embedding(len(ALPHABET) + 1, EMBEDDING)
    gru = nn.GRU(EMBEDDING, UNITS, batch_first=True)
    dense = nn.Linear(UNITS, len(CATEGORIES))
    modules = nn.ModuleList([embedding, gru, dense])
    optimiser = torch.optim.Adam(modules.parameters(), lr=3e-3)
    batches = -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=EPOCHS * batches)
    for epoch in range(EPOCHS):
        # Names of like length share a batch, so that little padding is computed.
        order = np.argsort([len(ids) + rng.uniform(0, 3) for ids, _ in rows])
        total = 0.0
        for batch in rng.permutation(batches):
            picked = [rows[i] for i in order[batch * BATCH : (batch + 1) * BATCH]]
            lengths = torch.tensor([len(ids) for ids, _ in picked])
            ids = nn.utils.rnn.pad_sequence([torch.tensor(ids) for ids, _ in picked], True)
            labels = torch.tensor([label for _, label in picked])
            output, _ = gru(embedding(ids))
            logits = dense(output)
            steps = torch.arange(ids.shape[1])
            # Every prefix is asked for the category, the whole name most of all: the model
            # then has an answer at each character.
            weight = torch.where(steps[None] == lengths[:, None] - 1, 1.0, 0.02)
            weight = weight * (steps[None] < lengths[:, None])
            loss = nn.functional.cross_entropy(
                logits.transpose(1, 2), labels[:, None].expand(ids.shape), reduction="none"
            )
            loss = (loss * weight).sum() / len(picked)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {total / batches:.4f}", flush=True)

    def keras_gates(weight):
        """Gates r, z, n along the rows of torch's layout -> z, r, n along Keras's columns."""
        r, z, n = np.split(weight.detach().numpy(), 3)
        return np.concatenate([z, r, n]).T

    return [
        [embedding.weight.detach().numpy()],
        [
            keras_gates(gru.weight_ih_l0),
            keras_gates(gru.weight_hh_l0),
            np.stack([keras_gates(gru.bias_ih_l0), keras_gates(gru.bias_hh_l0)]),
        ],
        [dense.weight.detach().numpy().T, dense.bias.detach().numpy()],
    ]


def model_of(arrays):
    """The model with the given weights."""
    import numbarnn as nr

    model = nr.Sequential(
        [
            nr.Embedding(len(ALPHABET) + 1, EMBEDDING),
            nr.GRU(UNITS),
            nr.Dense(len(CATEGORIES), activation="softmax"),
        ],
        name="names",
    )
    model.build((None, None))
    for layer, weights in zip(model.layers, arrays, strict=True):
        layer.set_weights(weights)
    return model


if __name__ == "__main__":
    from . import MODEL

    model_of(trained_arrays()).save(MODEL)
    print(f"wrote {MODEL.name}: {MODEL.stat().st_size:,} bytes")
