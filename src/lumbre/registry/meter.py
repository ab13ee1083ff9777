"""How fast weights come, so that a person can tell how long it will take."""

from collections import deque


class Meter:
    """How fast bytes come, over the last few seconds."""

    def __init__(self, window_s: float = 5.0) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, int]] = deque()

    def bytes_per_s(self, now_s: float, done_bytes: int) -> float | None:
        """The rate after one more reading; None while there is too little to tell."""
        if self._seen and done_bytes < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now_s, done_bytes))
        while len(self._seen) > 2 and now_s - self._seen[1][0] >= self._window_s:
            self._seen.popleft()
        first_s, first_bytes = self._seen[0]
        passed_s = now_s - first_s
        return (done_bytes - first_bytes) / passed_s if passed_s > 0.2 else None
