"""The processor: how much of it is ours, and whether the engine that comes along runs on it."""

from collections.abc import Iterator

from lumbre.checks import Finding, Scope, command, found
from lumbre.hardware.cores import usable_cores
from lumbre.hardware.processor import read_processor

PLACE = 40
_X86 = ("x86_64", "AMD64", "amd64")
_NEEDED = ("avx", "avx2", "f16c", "fma")
"""Source: llama.cpp ggml/CMakeLists.txt, what is on in a build for any x86-64 processor, which
xllamacpp's wheels are by their README."""


def check(scope: Scope) -> Iterator[Finding]:
    processor, cores = read_processor(scope.root), usable_cores(scope.root)
    facts: dict[str, object] = {
        "name": processor.name,
        "cores": cores,
        "architecture": processor.architecture,
        "sets": processor.instruction_sets or "-",
    }
    missing = [name for name in _NEEDED if name not in processor.instruction_sets]
    if processor.architecture in _X86 and missing:
        mend = command("lumbre engines install")
        yield found("warn", "processor.lacks", mend, missing=missing, **facts)
    else:
        yield found("ok", "processor.ok", **facts)
