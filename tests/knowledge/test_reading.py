"""A file that cannot be read is named with its reason, and costs no other file anything."""

import asyncio
import os
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge import parsers
from lumbre.knowledge.reading import Limits, Reader, ReadFile
from lumbre.words import LANGUAGES, say, sentences

ODD = Path(__file__).parent / "odd_parsers"


DEFAULT = Limits()


def read(*paths: Path, limits: Limits = DEFAULT, package: str = parsers.__name__) -> list[object]:
    """What each file gives: its text, or the reason why it gives none."""

    async def all_of_them() -> list[object]:
        given: list[object] = []
        async with Reader(limits, package) as reader:
            for path in paths:
                try:
                    given.append(await reader.read(path))
                except DocumentUnreadable as error:
                    given.append(error.facts["reason"])
        return given

    return asyncio.run(all_of_them())


def pdf(path: Path, *pages: str, password: str | None = None) -> Path:
    from fpdf import FPDF

    made = FPDF()
    if password:
        made.set_encryption(owner_password="owner", user_password=password)
    made.set_font("helvetica", size=12)
    for page in pages:
        made.add_page()
        made.multi_cell(0, 8, page)
    path.write_bytes(made.output())
    return path


def test_a_pdf_is_read_page_by_page(tmp_path: Path) -> None:
    path = pdf(tmp_path / "rent.pdf", "La renta es de 870 euros.", "", "La fianza, también.")
    (given,) = read(path)
    assert isinstance(given, ReadFile)
    text, pages = given.parsed.text, given.parsed.pages
    assert [text[page.start : page.end].strip() for page in pages] == [
        "La renta es de 870 euros.",
        "",
        "La fianza, también.",
    ]
    assert pages[0].start == 0
    assert pages[-1].end == len(text)
    assert all(a.end == b.start for a, b in pairwise(pages))
    assert given.parsed.page_of(text.index("fianza")) == 3


def test_a_hyphen_at_a_line_end_is_kept(tmp_path: Path) -> None:
    (given,) = read(pdf(tmp_path / "a.pdf", "una pala-\nbra cortada"))
    assert isinstance(given, ReadFile)
    assert given.parsed.text == "una pala-\nbra cortada"


def test_each_bad_file_is_named_with_its_reason_and_stops_no_other(tmp_path: Path) -> None:
    good = tmp_path / "good.txt"
    good.write_text("Текст.\n")
    files = {
        "missing": tmp_path / "none.txt",
        "empty": tmp_path / "empty.md",
        "binary": tmp_path / "program.txt",
        "damaged": tmp_path / "damaged.pdf",
        "encrypted": pdf(tmp_path / "locked.pdf", "secreto", password="1234"),
        "no_text": pdf(tmp_path / "blank.pdf", ""),
        "kind": tmp_path / "photo.jpg",
        "large": tmp_path / "large.txt",
    }
    files["empty"].write_bytes(b"")
    files["binary"].write_bytes(os.urandom(4000) + b"\0")
    files["damaged"].write_bytes(b"%PDF-1.7\nnothing more of it is here")
    files["kind"].write_bytes(b"\xff\xd8\xff")
    files["large"].write_bytes(b"a" * 2_000_001)
    limits = Limits(file_bytes=2_000_000)
    assert read(*files.values(), good, limits=limits)[:-1] == list(files)
    (given,) = read(good)
    assert isinstance(given, ReadFile)
    assert given.parsed.text == "Текст.\n"


def test_blank_text_is_empty_and_a_folder_is_no_document(tmp_path: Path) -> None:
    blank, folder = tmp_path / "blank.txt", tmp_path / "folder.txt"
    blank.write_text(" \n\n ")
    folder.mkdir()
    assert read(blank, folder) == ["empty", "kind"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named_so(tmp_path: Path) -> None:
    closed = tmp_path / "closed.txt"
    closed.write_text("x")
    closed.chmod(0)
    assert read(closed) == ["permission"]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Path]:
    """Files whose parsers hang, crash, swell or print, and one that is read as it is."""
    monkeypatch.syspath_prepend(str(ODD.parent))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ODD.parent), *os.sys.path]))  # type: ignore[attr-defined]
    files = {name: tmp_path / f"file.{name}" for name in ("hang", "crash", "swell", "loud")}
    for name, path in files.items():
        path.write_text(name)
    return files


def test_a_parser_that_hangs_is_killed_and_the_next_file_is_read(odd: dict[str, Path]) -> None:
    limits = Limits(timeout_s=1.0)
    given = read(odd["hang"], odd["loud"], odd["hang"], limits=limits, package=ODD.name)
    assert [given[0], given[2]] == ["slow", "slow"]
    assert isinstance(given[1], ReadFile)


def test_a_parser_that_crashes_takes_only_its_file_along(odd: dict[str, Path]) -> None:
    given = read(odd["crash"], odd["loud"], package=ODD.name)
    assert given[0] == "crashed"
    assert isinstance(given[1], ReadFile)


def test_a_parser_that_swells_is_stopped_at_its_limit(odd: dict[str, Path]) -> None:
    limits = Limits(memory_bytes=400 * 1024**2)
    given = read(odd["swell"], odd["loud"], limits=limits, package=ODD.name)
    assert given[0] == "memory"
    assert isinstance(given[1], ReadFile)


def test_what_a_parser_prints_is_no_answer(odd: dict[str, Path]) -> None:
    (given,) = read(odd["loud"], package=ODD.name)
    assert isinstance(given, ReadFile)
    assert given.parsed.text == "loud"


def test_the_child_is_gone_when_reading_is_over_or_given_up(odd: dict[str, Path]) -> None:
    async def give_up() -> None:
        async with Reader(Limits(), ODD.name) as reader:
            await reader.read(odd["loud"])
            hanging = asyncio.create_task(reader.read(odd["hang"]))
            await asyncio.sleep(0)
            assert [child.is_running() for child in psutil.Process().children()] == [True]
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            assert psutil.Process().children() == []
            await reader.read(odd["loud"])

    asyncio.run(give_up())
    assert psutil.Process().children() == []


_READ_AND_SAY = """
import asyncio, sys
from pathlib import Path
from lumbre.knowledge.reading import Limits, Reader
async def main():
    async with Reader(Limits(), sys.argv[1]) as reader:
        await reader.read(Path(sys.argv[2]))
        hanging = asyncio.create_task(reader.read(Path(sys.argv[3])))
        await asyncio.sleep(0)
        print(reader._child.pid, flush=True)
        await hanging
asyncio.run(main())
"""


def test_the_child_dies_with_its_parent_even_in_mid_file(odd: dict[str, Path]) -> None:
    arguments = [ODD.name, str(odd["loud"]), str(odd["hang"])]
    with subprocess.Popen(
        [sys.executable, "-c", _READ_AND_SAY, *arguments], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=20)
    assert (len(gone), alive) == (1, [])


def test_every_reason_has_its_words() -> None:
    for reason in sentences("docs"):
        assert len({say(f"docs.{reason}", language) for language in LANGUAGES}) == 3


KNOWN = {
    "encrypted-file.pdf": "encrypted",
    "crazyones-encrypted-256.pdf": "encrypted",
    "libreoffice-writer-password.pdf": "encrypted",
    "invalid.pdf": "damaged",
    "imagemagick-lzw.pdf": "no_text",
}


def test_public_samples_are_read_or_named_and_none_hangs(test_data: Path) -> None:
    kinds = parsers.endings()
    every = sorted(one for one in (test_data / "documents").rglob("*") if one.is_file())
    files = [one for one in every if one.suffix.lower() in kinds]
    given = dict(zip(files, read(*files, limits=Limits(timeout_s=20)), strict=True))
    assert {path.suffix for path in files} >= {".pdf", ".docx", ".txt"}
    assert len(files) > 90
    for path, one in given.items():
        if isinstance(one, ReadFile):
            text, pages = one.parsed.text, one.parsed.pages
            assert text.strip(), path
            assert unicodedata.is_normalized("NFC", text), path
            assert [page.start for page in pages] == [0, *(page.end for page in pages)][:-1], path
            assert not pages or pages[-1].end == len(text), path
        else:
            assert one in sentences("docs"), path
    assert {name: given[path] for path in files if (name := path.name) in KNOWN} == KNOWN
    failed = [path.name for path, one in given.items() if not isinstance(one, ReadFile)]
    assert not [name for name in failed if name.endswith((".docx", ".txt"))]
    assert len(failed) < len(files) / 4


def test_odd_names_and_odd_places_stop_nothing(tmp_path: Path) -> None:
    odd = {
        "a\nb.txt": "text",
        "-rf.txt": "text",
        "x" * 251 + ".txt": "text",
        "договор «1».TXT": "text",
        ".txt": "kind",
        "~$x.docx": "kind",
    }
    for name in odd:
        (tmp_path / name).write_text("text")
    paths = {tmp_path / name: wanted for name, wanted in odd.items()}
    latin = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xf1o.txt"))
    latin.write_text("text")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    (tmp_path / "device.txt").symlink_to("/dev/zero")
    (tmp_path / "link.txt").symlink_to("-rf.txt")
    paths |= {
        latin: "name",
        tmp_path / "nul\0.txt": "name",
        tmp_path / "pipe.txt": "kind",
        tmp_path / "device.txt": "kind",
        tmp_path / "loop.txt": "missing",
        tmp_path / "gone.txt": "missing",
        tmp_path / "-rf.txt" / "under-a-file.txt": "missing",
        tmp_path / ("y" * 300 + ".txt"): "missing",
        tmp_path / "link.txt": "text",
    }
    given = [one.parsed.text if isinstance(one, ReadFile) else one for one in read(*paths)]
    assert dict(zip(paths, given, strict=True)) == paths


def test_a_file_of_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "sparse.txt"
    with path.open("wb") as file:
        file.truncate(2 * 1024**3)
    assert read(path) == ["large"]


@pytest.mark.parametrize(
    ("limits", "reason"), [(Limits(pages=1), "pages"), (Limits(characters=5), "long")]
)
def test_what_another_setting_would_allow_is_told_without_a_hash(
    tmp_path: Path, limits: Limits, reason: str
) -> None:
    """So that the file is looked at again when the setting has changed."""
    path = pdf(tmp_path / "two.pdf", "uno", "dos")

    async def facts() -> object:
        async with Reader(limits) as reader:
            with pytest.raises(DocumentUnreadable) as caught:
                await reader.read(path)
        return caught.value.facts

    assert asyncio.run(facts()) == {"document": str(path), "reason": reason}


def test_what_stands_beside_the_documents_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    for name in ("queue", "json", "resource", "lumbre"):
        (tmp_path / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name!r})\n")
    (tmp_path / "a.txt").write_text("Text.\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@127.0.0.1:1")

    async def environment_of_the_child() -> dict[str, str]:
        async with Reader() as reader:
            await reader.read(tmp_path / "a.txt")
            (child,) = psutil.Process().children()
            assert os.getsid(child.pid) == child.pid
            return child.environ()

    assert "HTTPS_PROXY" not in asyncio.run(environment_of_the_child())
    assert not ran.exists()
