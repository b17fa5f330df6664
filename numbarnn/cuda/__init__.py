"""The loops on a CUDA device; imported when an array arrives that lies on one."""
