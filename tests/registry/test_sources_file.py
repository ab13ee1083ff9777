"""A file on this machine is copied whole, from where a first copy stopped."""

import os
from pathlib import Path

import pytest

from lumbre.core.errors import SourceFailed
from lumbre.registry.reason import Why, reason_of
from lumbre.registry.sources import Order, Patience, file
from lumbre.registry.transfer import Partial, Receipt
from tests.registry.places import some_bytes

CONTENT = some_bytes(300_000)


def deliver(uri: str, folder: Path, size_bytes: int | None = None) -> Partial:
    partial = Partial(folder / "copy.gguf", size_bytes)
    file.deliver(Order(uri, partial, size_bytes, folder, Patience(), lambda *_: None))
    return partial


def why(uri: str, folder: Path, size_bytes: int | None = None) -> Why:
    with pytest.raises(SourceFailed) as caught:
        deliver(uri, folder, size_bytes)
    return reason_of(caught.value).code


@pytest.fixture
def original(tmp_path: Path) -> Path:
    path = tmp_path / "модель uno %41.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("form", ["file:{path}", "file:{name}", "{uri}"])
def test_every_way_to_write_the_address_finds_the_file(
    form: str, original: Path, tmp_path: Path
) -> None:
    uri = form.format(path=original, name=original.name, uri=original.as_uri())
    assert deliver(uri, tmp_path).path.read_bytes() == CONTENT


def test_a_copy_goes_on_where_it_stopped(original: Path, tmp_path: Path) -> None:
    uri, partial = f"file:{original}", Partial(tmp_path / "copy.gguf")
    mtime = original.stat().st_mtime_ns
    partial.begin(Receipt(source=uri, tag=str(mtime), total_bytes=len(CONTENT)))
    mark = b"not read again"
    partial.path.write_bytes(mark)
    assert deliver(uri, tmp_path).path.read_bytes() == mark + CONTENT[len(mark) :]


def test_a_file_that_changed_is_copied_from_its_beginning(original: Path, tmp_path: Path) -> None:
    uri, partial = f"file:{original}", Partial(tmp_path / "copy.gguf")
    partial.begin(Receipt(source=uri, tag="1", total_bytes=len(CONTENT)))
    partial.path.write_bytes(b"old")
    assert deliver(uri, tmp_path).path.read_bytes() == CONTENT


def test_a_file_of_another_size_is_refused(original: Path, tmp_path: Path) -> None:
    assert why(f"file:{original}", tmp_path, len(CONTENT) + 1) == "wrong_size"


def test_what_is_not_a_readable_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert why("file:nowhere.gguf", tmp_path) == "unreadable"
    assert why(f"file:{tmp_path}", tmp_path) == "not_a_file"
    assert why("file:pipe", tmp_path) == "not_a_file"


@pytest.mark.parametrize("uri", ["file:", "file://elsewhere/a.gguf", "file:a\0b", "file://[/a"])
def test_an_address_that_is_none_is_said(uri: str, tmp_path: Path) -> None:
    assert why(uri, tmp_path) == "bad_uri"
