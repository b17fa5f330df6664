"""These tests run in a process of their own, in which the device is simulated."""

import os

if os.environ.get("NUMBA_ENABLE_CUDASIM") != "1":
    collect_ignore_glob = ["test_*.py"]
else:
    from numbarnn.cuda import plan

    # Every thread is one of Python: units are not rounded up to a whole warp.
    plan.WARP = 1
