"""Feeds damaged headers to one of our parsers until it answers with anything but BadWeights.

`python -m tests.fuzz.headers PARSER SECONDS`; `make fuzz` runs them all. What libFuzzer finds
it writes beside the working folder as crash-..., and ends with an error.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import atheris

with atheris.instrument_imports():
    from lumbre.core.errors import BadWeights
    from lumbre.formats import gguf, safetensors, safetensors_facts
    from lumbre.formats.gguf_architectures import ARCHITECTURES
    from lumbre.planner.caches import cache_bytes

from tests.formats.architectures import header_of
from tests.formats.test_safetensors import CONFIG, GOOD, LIES
from tests.formats.writing import gguf as written

_MOST_MIB = 1024
_MOST_S = 10
"""For one input: no parser may think longer."""
_MOST_INPUT_BYTES = 1 << 15


class Bytes:
    """A file in memory."""

    def __init__(self, data: bytes) -> None:
        self.size_bytes = len(data)
        self._data = data

    def read(self, at_bytes: int, count_bytes: int, /) -> bytes:
        return self._data[at_bytes : at_bytes + count_bytes]


def of_gguf(data: bytes) -> None:
    facts = gguf.facts_of(gguf.header_from(Bytes(data), "fuzzed"), "fuzzed")
    found = cache_bytes(facts.caches, context_tokens=4096, slots=2, batch_tokens=64, kv_type="q8_0")
    assert found >= 0
    assert len(facts.caches) == facts.layers


def of_safetensors(data: bytes) -> None:
    header = safetensors.header_from(Bytes(data), "fuzzed")
    held = sum(tensor.size_bytes for tensor in header.tensors)
    assert header.data_start_bytes + held == header.file_bytes == len(data)


def beside(name: str) -> Callable[[bytes], None]:
    """Files that are read whole: the configuration, the index."""
    folder = Path(tempfile.mkdtemp())
    (folder / "model.safetensors").write_bytes(GOOD)
    start = folder / ("model.safetensors" if name == "config.json" else name)

    def of_file(data: bytes) -> None:
        (folder / name).write_bytes(data)
        safetensors_facts.read_facts(start)

    return of_file


def seeds(parser: str) -> Iterable[bytes]:
    """Where to begin: good files, and the lies of our tests."""
    match parser:
        case "gguf":
            return [written(), *(header_of(name) for name in ARCHITECTURES)]
        case "safetensors":
            return [GOOD, *(data for data, _ in LIES.values() if len(data) < _MOST_INPUT_BYTES)]
        case "config":
            return [json.dumps(CONFIG).encode(), b'{"text_config": {"n_layer": 2}}']
        case _:
            return [b'{"metadata": {}, "weight_map": {"embed": "model.safetensors"}}']


def main() -> None:
    parser, seconds = sys.argv[1:]
    parse = {
        "gguf": of_gguf,
        "safetensors": of_safetensors,
        "config": beside("config.json"),
        "index": beside("model.safetensors.index.json"),
    }[parser]

    def once(data: bytes) -> None:
        with contextlib.suppress(BadWeights):
            parse(data)

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(parser)):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.Setup(
            [
                sys.argv[0], corpus, f"-max_total_time={seconds}", f"-timeout={_MOST_S}",
                f"-rss_limit_mb={_MOST_MIB}", f"-max_len={_MOST_INPUT_BYTES}",
                "-print_final_stats=1",
            ],
            once,
        )  # fmt: skip
        atheris.Fuzz()


if __name__ == "__main__":
    main()
