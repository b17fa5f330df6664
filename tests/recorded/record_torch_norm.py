"""Record what torch.nn.LayerNorm gives for `norm_cases`: ``python record_torch_norm.py``.

Needs torch (recorded with 2.13). Stored are the outputs in float64.
"""

import norm_cases
import numpy as np
import torch


def main():
    stored = {}
    for columns in norm_cases.COLUMNS:
        for name, (rows, gamma, beta) in norm_cases.cases(columns).items():
            layer = torch.nn.LayerNorm(columns, eps=norm_cases.EPSILON, dtype=torch.float64)
            with torch.no_grad():
                layer.weight[:] = torch.from_numpy(gamma)
                layer.bias[:] = torch.from_numpy(beta)
                stored[f"{name}.{columns}"] = layer(torch.from_numpy(rows).double()).numpy()
    np.savez_compressed(norm_cases._FILE, **stored)


if __name__ == "__main__":
    main()
