"""Adding twice costs nothing, a change is seen, and a bad file never stops the others."""

import asyncio
import os
from pathlib import Path

from lumbre.knowledge.index import Index
from lumbre.knowledge.ingest import Added, Cut, Embedding, Ingest, Reading
from lumbre.knowledge.reading import Reader
from tests.knowledge.conftest import InProcess, add, steps


def test_a_folder_is_added_whole_with_its_bad_files_named(
    papers: Path, index: Index, use: InProcess
) -> None:
    (papers / "in" / "deep").mkdir(parents=True)
    (papers / "in" / "a.txt").write_text("La renta es de 870 euros.")
    (papers / "in" / "b.txt").write_bytes(b"")
    (papers / "in" / "c.pdf").write_bytes(b"%PDF-1.7 broken")
    (papers / "in" / "d.jpg").write_bytes(b"\xff\xd8")
    (papers / "in" / "deep" / "e.md").write_text("Договор заключён на год.")
    (papers / "in" / ".hidden.txt").write_text("not for you")
    given = add(index, use, papers / "in", papers / "none.txt")
    assert [(Path(d.path).name, d.status, d.reason) for d in given] == [
        ("a.txt", "indexed", ""),
        ("b.txt", "failed", "empty"),
        ("c.pdf", "failed", "damaged"),
        ("d.jpg", "skipped", "kind"),
        ("e.md", "indexed", ""),
        ("none.txt", "failed", "missing"),
    ]
    assert index.documents() == given[:-1]


def test_an_unchanged_file_is_not_read_again(papers: Path, index: Index, use: InProcess) -> None:
    path = papers / "a.txt"
    path.write_text("La renta es de 870 euros.")
    (first,) = steps(index, use, path)
    before = len(use.embedded)
    (second,) = steps(index, use, path)
    assert (first.changed, second.changed) == (True, False)
    assert second.document == first.document
    assert len(use.embedded) == before


def test_a_changed_file_takes_the_place_of_the_old(
    papers: Path, index: Index, use: InProcess
) -> None:
    path = papers / "a.txt"
    path.write_text("La renta es de 870 euros.")
    add(index, use, path)
    path.write_text("La renta es de 900 euros.")
    add(index, use, path)
    stored = index.stored(str(path))
    assert stored
    assert stored.parsed.text == "La renta es de 900 euros."
    assert len(index.documents()) == 1


def test_a_file_that_broke_no_longer_answers_with_its_old_text(
    papers: Path, index: Index, use: InProcess
) -> None:
    path = papers / "a.txt"
    path.write_text("La renta es de 870 euros.")
    add(index, use, path)
    path.write_bytes(b"\0\1\2" * 100)
    (document,) = add(index, use, path)
    assert (document.status, document.reason) == ("failed", "binary")
    assert index.documents() == [document]


def test_a_file_that_went_missing_keeps_what_was_read_of_it(
    papers: Path, index: Index, use: InProcess
) -> None:
    path = papers / "a.txt"
    path.write_text("La renta es de 870 euros.")
    (known,) = add(index, use, path)
    path.unlink()
    (told,) = add(index, use, path)
    assert told.reason == "missing"
    assert index.documents() == [known]


def test_another_embedding_model_embeds_stored_texts_again_without_their_files(
    papers: Path, index: Index, use: InProcess
) -> None:
    path = papers / "a.txt"
    path.write_text("La renta es de 870 euros.")
    add(index, use, path)
    path.unlink()
    newer = InProcess("use@2")
    assert index.stale("use@2") == [str(path)]
    (again,) = add(index, newer)
    assert (again.path, again.status) == (str(path), "indexed")
    assert index.stale("use@2") == []
    with index.moment("use@2") as moment:
        assert moment.matrix.has_vector.all()


def test_progress_is_told_file_by_file_and_within_a_file(
    papers: Path, index: Index, use: InProcess
) -> None:
    (papers / "a.txt").write_text("Una frase. " * 200)
    (papers / "b.txt").write_text("Otra.")

    async def told() -> list[object]:
        async with Reader() as reader:
            ingest = Ingest(index, use, reader, cut=Cut(), fallback="es")
            return [step async for step in ingest.add([papers])]

    given = asyncio.run(told())
    assert [(s.number, s.of) for s in given if isinstance(s, Reading)] == [(1, 2), (2, 2)]
    done = [s.done for s in given if isinstance(s, Embedding) and s.path.endswith("a.txt")]
    assert done == sorted(done)
    assert len(done) > 3
    assert sum(isinstance(s, Added) for s in given) == 2


def test_an_abandoned_add_keeps_the_files_that_were_done(
    papers: Path, index: Index, use: InProcess
) -> None:
    for name in "abc":
        (papers / f"{name}.txt").write_text(f"Documento {name}. " * 100)

    async def leave_after_the_first() -> None:
        async with Reader() as reader:
            adding = Ingest(index, use, reader, cut=Cut(), fallback="es").add([papers])
            async for step in adding:
                if isinstance(step, Embedding) and step.path.endswith("b.txt"):
                    break
            await adding.aclose()

    asyncio.run(leave_after_the_first())
    assert [Path(d.path).name for d in index.documents()] == ["a.txt"]
    assert [d.status for d in add(index, use, papers)] == ["indexed"] * 3


def test_a_name_that_is_no_utf_8_is_told_of_and_stops_no_other(
    index: Index, use: InProcess, papers: Path
) -> None:
    (papers / "good.txt").write_text("The boat is green.\n")
    bad = os.path.join(os.fsencode(papers), b"caf\xe9.txt")  # noqa: PTH118 (bytes have no Path)
    with open(bad, "w") as file:  # noqa: PTH123
        file.write("The car is red.\n")
    told = {Path(one.path).name: (one.status, one.reason) for one in add(index, use, papers)}
    assert told == {"good.txt": ("indexed", ""), r"caf\udce9.txt": ("failed", "name")}
    assert {Path(one.path).name: one.reason for one in index.documents()} == {
        "good.txt": "",
        r"caf\udce9.txt": "name",
    }
