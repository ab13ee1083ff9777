"""Settings that several commands change at once are all kept, and so is the rest of the file."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lumbre.cli.settings_file import changed_setting, write_setting
from lumbre.core.errors import BadConfigFile

ADDS = """
import sys
from pathlib import Path
from lumbre.cli.settings_file import changed_setting
path, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.read()
for number in range(20):
    with changed_setting(path, "pool.pinned", lambda now: [*(now or ()), f"{name}{number}"]):
        pass
"""


def test_two_processes_that_add_to_one_list_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("# mine\n[pool]\nidle_s = 7 # as I like it\n")
    adding = [
        subprocess.Popen(
            [sys.executable, "-c", ADDS, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for one in adding:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    for one in adding:
        assert one.stdin
        one.stdin.close()
    for one in adding:
        with one:
            assert one.wait(60) == 0
    text = path.read_text()
    assert text.startswith("# mine\n[pool]\nidle_s = 7 # as I like it\n")
    written = tomllib.loads(text)["pool"]["pinned"]
    assert sorted(written) == sorted(f"{name}{number}" for name in "ab" for number in range(20))
    assert [name for name in written if name[0] == "a"] == [f"a{number}" for number in range(20)]
    assert not list(tmp_path.glob("*partial*")) + list(tmp_path.glob(".*partial*"))


def test_what_is_no_toml_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[pool\n")
    with pytest.raises(BadConfigFile):
        write_setting(path, "pool.pinned", ["one"])
    assert path.read_text() == "[pool\n"


def test_a_change_is_told_what_the_file_says_now_and_a_new_file_says_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    said: list[object] = []
    for value in ("one", "two"):

        def change(now: object, value: str = value) -> str:
            said.append(now)
            return value

        with changed_setting(path, "llm.primary.id", change) as now:
            assert now == value
            assert tomllib.loads(path.read_text()) == {"llm": {"primary": {"id": value}}}
    assert said == [None, "one"]
