"""What a kept state depends on, and how much of it the next prompt has to find again.

Weights without a checksum are known by their file: its size and time.
"""

import hashlib
import json
from collections.abc import Sequence

from lumbre.core.messages import Message
from lumbre.engines.find import build_of
from lumbre.pool.lease import Prepared
from lumbre.pool.talks.seats import shared
from lumbre.pool.talks.states import Kept

TAIL_TOKENS = 16
"""The end of a prompt may be written otherwise once an answer follows it."""


def marks(messages: Sequence[Message]) -> tuple[str, ...]:
    """A short mark for each message: the same words of the same speaker have the same."""
    return tuple(
        hashlib.sha256(f"{said.role}\0{said.text}".encode()).hexdigest()[:24] for said in messages
    )


def expected_tokens(kept: Kept, said: Sequence[str]) -> int:
    """The least an engine must have of a prompt after this state was restored.

    A prompt that goes on from the last one has all of it. Of one that differs earlier, as
    where passages of documents stood in it, nothing can be said: it depends on the engine.
    """
    if not kept.said or shared(kept.said, said) < len(kept.said):
        return 0
    return max(0, min(kept.prompt_tokens, kept.tokens) - TAIL_TOKENS)


def fingerprint_of(prepared: Prepared) -> str:
    """Names all that a state depends on: weights and adapter, build, context, kind of cache."""
    manifest, settings = prepared.manifest, prepared.settings
    named = {file.part: file.sha256 for file in manifest.weights}
    weights = {}
    for part, path in prepared.files.items():
        status = path.stat()
        weights[part] = named.get(part) or [str(path), status.st_size, status.st_mtime_ns]  # type: ignore[call-overload]
    backend = prepared.engine or manifest.engine
    facts = [
        sorted(weights.items()),
        [backend, build_of(backend, settings.engine_path)],
        settings.context_tokens,
        settings.kv_type,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:24]
