"""`lumbre doctor` tells people and scripts what is wrong; it starts nothing and makes nothing."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from lumbre.checks import names
from lumbre.words import LANGUAGES, Language, sentences
from tests.conftest import Run


def told(done: "subprocess.CompletedProcess[str]") -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(done.stdout):
        assert set(row) == {"check", "status", "message", "mend", "facts"}
        found.setdefault(row["check"], []).append(row)
    return found


def test_in_an_empty_home_only_weights_are_wrong_and_nothing_is_made(
    lumbre: Run, home: Path
) -> None:
    done = lumbre("doctor", "--json")
    found = told(done)
    failed = {name for name, rows in found.items() if any(r["status"] == "fail" for r in rows)}
    assert failed <= {"weights"}
    assert done.returncode == len(failed), done.stdout
    assert tuple(found) == names()
    assert not home.exists()
    assert found["home"][0]["facts"] == {"path": str(home)}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_person_reads_a_list_in_their_language(
    lumbre: Run, home: Path, language: Language
) -> None:
    done = lumbre("doctor", "--lang", language, PYTHONIOENCODING="utf-8")
    lines = done.stdout.splitlines()
    for name in names():
        said = sentences("doctor")[f"name.{name}"][language]
        assert any(line[2:].startswith(f"{said} ") for line in lines)
    assert {line[0] for line in lines if line.strip()} <= {"✓", "!", "✗", " ", *lines[-1][:1]}


def test_without_utf_8_the_marks_are_words(lumbre: Run) -> None:
    done = lumbre("doctor", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.stdout.isascii()
    assert any(line.startswith("ok   Python") for line in done.stdout.splitlines())
    assert "export LANG=C.UTF-8" in done.stdout


def test_what_is_wrong_is_named_with_what_mends_it(lumbre: Run, home: Path) -> None:
    (home / "registry").mkdir(parents=True)
    (home / "registry" / "bad.yaml").write_text("id: [")
    (home / "config.toml").write_text("[memory]\nmax_ram_gb = -3\n")
    (home / "lumbre.db").write_bytes(b"nonsense" * 1000)
    done = lumbre("doctor", "--json", "--lang", "es")
    assert done.returncode == 1
    found = told(done)
    failed = {name for name, rows in found.items() if any(r["status"] == "fail" for r in rows)}
    assert failed - {"weights"} == {"config", "store", "manifests"}
    for name in failed:
        assert found[name][0]["mend"]
    assert "max_ram_gb no puede ser -3" in found["config"][0]["message"]
    plain = lumbre("doctor", PYTHONIOENCODING="utf-8")
    assert plain.returncode == 1
    assert "→ correct the file" in plain.stdout
    (home / "config.toml").unlink()


def test_other_commands_still_refuse_settings_that_cannot_be_used(lumbre: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[memory\n")
    assert lumbre("config").returncode == 2
    (home / "config.toml").unlink()


def test_a_household_is_told_while_it_runs_and_after_it_crashed(lumbre: Run, home: Path) -> None:
    assert lumbre("docs", "list").returncode == 0
    running = told(lumbre("doctor", "--json"))
    pid = running["household"][0]["facts"]["pid"]
    assert running["household"][0]["status"] == running["socket"][0]["status"] == "ok"
    assert running["store"][0]["status"] == "ok"
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    process.wait(10)
    crashed = told(lumbre("doctor", "--json"))
    assert crashed["household"][0]["status"] == "warn"
    assert str(home / "logs") in crashed["household"][0]["mend"]
    assert (home / "household.json").exists()


def test_a_note_without_a_lock_is_only_looked_at(lumbre: Run, home: Path) -> None:
    home.mkdir()
    note = {"pid": 1, "started": 1.0, "fingerprint": "", "version": "0", "stays": False}
    (home / "household.json").write_text(json.dumps(note | {"socket": str(home / "s.sock")}))
    assert told(lumbre("doctor", "--json"))["household"][0]["status"] == "warn"
    assert [path.name for path in home.iterdir()] == ["household.json"]
