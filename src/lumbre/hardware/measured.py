"""How fast this machine's memory and arithmetic are, measured in a moment.

For whoever wants a first guess of a model's speed before it ever ran here; keep the result,
for it is only worth as much as the machine was idle.
"""

import time
from collections.abc import Callable

_PIECE_BYTES = 32 * 2**20
"""Two of them are larger than most caches."""
_MATRIX = 512
_PATIENCE_S = 0.1
_TRIES = 16


def memory_bandwidth_bytes_per_s() -> float:
    """Bytes read and written by one thread that copies, at its best; takes about 0.1 s.

    Holds 64 MiB while it runs. Writing an answer only reads, so it is rather low.
    """
    import numpy as np

    source, target = np.ones(_PIECE_BYTES, np.uint8), np.ones(_PIECE_BYTES, np.uint8)
    return 2 * _PIECE_BYTES / _best_s(lambda: np.copyto(target, source))


def arithmetic_flops() -> float:
    """Of multiplying float32 matrices with all the threads numpy takes; about 0.1 s."""
    import numpy as np

    left = np.ones((_MATRIX, _MATRIX), np.float32)
    out = np.empty_like(left)
    return 2 * _MATRIX**3 / _best_s(lambda: np.matmul(left, left, out))


def _best_s(run: Callable[[], object]) -> float:
    best_s, until = float("inf"), time.perf_counter() + _PATIENCE_S
    for _ in range(_TRIES):
        begun = time.perf_counter()
        run()
        best_s = min(best_s, time.perf_counter() - begun)
        if time.perf_counter() > until:
            break
    return max(best_s, 1e-9)
