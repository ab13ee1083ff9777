"""Keep a figure with its date, commit and machine, and say whether it holds."""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


def about() -> dict[str, object]:
    """When, which commit, what machine, how busy it was."""
    date = datetime.now(UTC).isoformat("T", "seconds")
    return {"date": date, "commit": commit(), "machine": machine()}


def commit() -> str:
    asked = ["git", "-C", str(RESULTS.parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def machine() -> dict[str, object]:
    cpus = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*:\s*(.+)", cpus.read_text()) if cpus.exists() else None
    return {
        "cpu": named[1] if named else platform.processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_1min": round(psutil.getloadavg()[0], 2),
    }


def keep(name: str, facts: Mapping[str, object], result: Mapping[str, object]) -> Path:
    """Write a result under its name and day; a later one of the same day replaces it."""
    path = RESULTS / f"{name}-{str(facts['date'])[:10]}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**facts, **result}, indent=2) + "\n", encoding="utf-8")
    return path


def figure(name: str, measured: float, at_most: float, unit: str) -> dict[str, object]:
    """One figure beside its bound, printed and returned."""
    holds = measured <= at_most
    print(f"{name}: {measured:.3f} {unit} (at most {at_most} {unit}){'' if holds else '  MISSED'}")
    return {"figure": name, "measured": round(measured, 4), "at_most": at_most, "holds": holds}
