"""Write down what lumbre says of the reference households: files here, and docs/households.md.

`python -m tests.planner.golden_households` does it; look at what changed before keeping it.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "golden"
PAGE = ROOT / "docs" / "households.md"
HOUSEHOLDS = ("cpu-16gb", "cpu-16gb-remote", "rtx-4070-12gb", "5070ti-2060", "rtx-5090")
COMMANDS: Mapping[str, tuple[str, ...]] = {
    f"{verb}-{household}.txt": (verb, "--household", household)
    for verb in ("plan", "advise")
    for household in HOUSEHOLDS
}
"""File -> what is asked."""
SEEN: Mapping[str, str] = {"LANG": "en_US.UTF-8", "COLUMNS": "80"}
"""The terminal it is shown in."""
_BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
_PROMPT = "$ lumbre "


def main() -> None:
    """Every file, and every console block of the page."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        for name, words in COMMANDS.items():
            (FOLDER / name).write_text(_told(words, home), encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
        written = _BLOCK.sub(lambda block: _filled(block[0], home), page)
        PAGE.write_text(written, encoding="utf-8")


def _filled(block: str, home: str) -> str:
    """The commands of a block, each with what it says now."""
    told = []
    for line in block.splitlines():
        if line.startswith(_PROMPT):
            words = shlex.split(line.removeprefix(_PROMPT))
            told.append(f"{line}\n{_told(tuple(words), home)}")
    return "\n".join(told)


def _told(words: tuple[str, ...], home: str) -> str:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LUMBRE_", "LC_", "LANG"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "lumbre", *words],
        env={**kept, "LUMBRE_HOME": home, **SEEN},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout


if __name__ == "__main__":
    main()
