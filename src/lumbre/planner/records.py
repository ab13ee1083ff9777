"""What the planner remembers between runs: headers read, the engine's answers, measured sizes."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lumbre.core.errors import LumbreError
from lumbre.core.model import Facts, LayerCache, Tensor
from lumbre.store import Schema, Store
from lumbre.version import VERSION

SCHEMA = Schema(
    "planner",
    (
        """
        CREATE TABLE headers (
            file TEXT PRIMARY KEY, reader TEXT NOT NULL, facts TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE dry_runs (
            file TEXT NOT NULL, build TEXT NOT NULL, shape TEXT NOT NULL, answer TEXT NOT NULL,
            PRIMARY KEY (file, build, shape)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE calibrations (
            worker TEXT PRIMARY KEY, model TEXT NOT NULL, constant_bytes INTEGER NOT NULL,
            is_full INTEGER NOT NULL, planned_bytes INTEGER NOT NULL,
            measured_bytes INTEGER NOT NULL, loads INTEGER NOT NULL, at_s INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE uses (
            model TEXT PRIMARY KEY, requests INTEGER NOT NULL, open_s REAL NOT NULL
        ) STRICT, WITHOUT ROWID;
        """,
    ),
)
_LEAST_OPEN_S = 10 * 3600.0
"""A household that was open for less has not shown how it is used."""
_READER = f"{VERSION}/1"
"""Another where headers are read differently: what was remembered is then read anew."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What one worker was seen to hold, and what follows for the next of its kind."""

    constant_bytes: int
    """Beside weights, copies, cache, compute buffers and slots."""
    is_full: bool
    """Seen with a full context; else only after its load."""
    planned_bytes: int
    measured_bytes: int
    loads: int = 1
    """How often it was measured."""


class Records:
    """The planner's tables; without a store nothing is kept and nothing is known."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        if store is not None:
            store.bring(SCHEMA)

    def facts(self, path: Path) -> Facts | None:
        """Of a file that has not changed since; its chat template is left out.

        Raises:
            OSError: it is not there.
        """
        row = self._one("SELECT facts, reader FROM headers WHERE file = ?", file_key(path))
        return _facts(json.loads(row[0])) if row and row[1] == _READER else None

    def keep_facts(self, path: Path, facts: Facts) -> None:
        text = json.dumps(asdict(replace(facts, chat_template=None)), separators=(",", ":"))
        self._write(
            "INSERT OR REPLACE INTO headers VALUES (?, ?, ?)", file_key(path), _READER, text
        )

    def dry_run(self, file: str, build: str, shape: str) -> Any | None:
        """The engine's answer to the same question."""
        row = self._one(
            "SELECT answer FROM dry_runs WHERE file = ? AND build = ? AND shape = ?",
            file, build, shape,
        )  # fmt: skip
        return json.loads(row[0]) if row else None

    def keep_dry_run(self, file: str, build: str, shape: str, answer: object) -> None:
        self._write(
            "INSERT OR REPLACE INTO dry_runs VALUES (?, ?, ?, ?)",
            file, build, shape, json.dumps(answer),
        )  # fmt: skip

    def calibration(self, worker: str) -> Calibration | None:
        """Of workers of this key: model, quant, engine build, load mode and device."""
        row = self._one(
            "SELECT constant_bytes, is_full, planned_bytes, measured_bytes, loads"
            " FROM calibrations WHERE worker = ?",
            worker,
        )
        return Calibration(row[0], bool(row[1]), row[2], row[3], row[4]) if row else None

    def keep_calibration(self, worker: str, model: str, found: Calibration) -> None:
        self._write(
            "INSERT OR REPLACE INTO calibrations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            worker, model, found.constant_bytes, int(found.is_full), found.planned_bytes,
            found.measured_bytes, found.loads, int(time.time()),
        )  # fmt: skip

    def count_use(self, requests: Mapping[str, int], open_s: float) -> None:
        """Add what each model was asked while a household was open."""
        for model, count in requests.items():
            self._write(
                "INSERT INTO uses VALUES (?1, ?2, ?3) ON CONFLICT (model) DO UPDATE"
                " SET requests = requests + ?2, open_s = open_s + ?3",
                model, count, open_s,
            )  # fmt: skip

    def requests_per_hour(self, model: str) -> float | None:
        """As measured; None until its household has been open for ten hours."""
        row = self._one("SELECT requests, open_s FROM uses WHERE model = ?", model)
        if row is None or row[1] < _LEAST_OPEN_S:
            return None
        return float(row[0]) * 3600 / float(row[1])

    def errors(self) -> dict[str, int]:
        """Planned less measured bytes of each model, as last seen."""
        if self._store is None:
            return {}
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT model, planned_bytes - measured_bytes FROM calibrations ORDER BY at_s"
            )
            return {str(model): int(error) for model, error in rows}

    def _one(self, sql: str, *values: object) -> Any | None:
        if self._store is None:
            return None
        with self._store.reading() as connection:
            return next(iter(connection.execute(sql, values)), None)

    def _write(self, sql: str, *values: object) -> None:
        if self._store is None:
            return
        # a full disk too: it only saves work next time
        with suppress(LumbreError), self._store.writing() as connection:
            connection.execute(sql, values)


def file_key(path: Path) -> str:
    """Names a file's bytes as long as nobody writes to it."""
    seen = path.stat()
    return f"{seen.st_size}:{seen.st_mtime_ns}:{path}"


def _facts(said: dict[str, Any]) -> Facts:
    tensors = tuple(Tensor(**{**t, "shape": tuple(t["shape"])}) for t in said.pop("tensors"))
    caches = tuple(LayerCache(**cache) for cache in said.pop("caches"))
    heads = tuple(said.pop("kv_heads_by_layer", ()))
    return Facts(**said, tensors=tensors, caches=caches, kv_heads_by_layer=heads)
