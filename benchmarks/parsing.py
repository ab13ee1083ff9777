"""How quickly files become text: pages of PDFs beside bare pypdfium2, and many small files.

All through the reader that `lumbre docs add` uses: a child process, its start included,
and the text over a pipe. Bare pypdfium2 reads the same files in this process, in turns
with the reader, so that what else the machine does weighs on both sides.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lumbre.knowledge.reading import Reader
from recording import about, keep

TURNS = 5
PAGES = 1000
FILES = 1000
LEAST_SHARE = 0.5
LEAST_FILES_PER_S = 100
EXAMPLES = Path(__file__).parents[1] / "examples" / "documents"


def books(folder: Path) -> dict[str, list[Path]]:
    """The multi-page PDFs at hand: the example repeated, and those of the public samples."""
    import pypdfium2

    manual = EXAMPLES / "manual-lavadora.pdf"
    repeated = folder / "repeated.pdf"
    with pypdfium2.PdfDocument(manual) as one, pypdfium2.PdfDocument.new() as many:
        while len(many) < PAGES:
            many.import_pages(one)
        many.save(repeated)
    found = {f"{repeated.stem}, {PAGES} pages of {manual.name}": [repeated]}
    data = os.environ.get("LUMBRE_TEST_DATA")
    if data:
        samples = sorted((Path(data) / "documents" / "plain").glob("*.pdf"))
        found[f"{len(samples)} public samples, twenty times"] = samples * 20
    return found


def bare_s(paths: Sequence[Path]) -> tuple[float, int]:
    """Seconds and pages of nothing but pypdfium2."""
    import pypdfium2

    pages = 0
    begun = time.perf_counter()
    for path in paths:
        try:
            document = pypdfium2.PdfDocument(path)
        except pypdfium2.PdfiumError:
            continue
        for page in document:
            textpage = page.get_textpage()
            textpage.get_text_range()
            textpage.close()
            page.close()
        pages += len(document)
        document.close()
    return time.perf_counter() - begun, pages


async def reader_s(paths: Sequence[Path]) -> tuple[float, int]:
    """Seconds and texts through the reader, from before its child starts."""
    from lumbre.core.errors import DocumentUnreadable

    texts = 0
    begun = time.perf_counter()
    async with Reader() as reader:
        for path in paths:
            try:
                await reader.read(path)
                texts += 1
            except DocumentUnreadable:
                pass
    return time.perf_counter() - begun, texts


def beside_pypdfium2(name: str, paths: Sequence[Path]) -> dict[str, object]:
    bare_s(paths)
    ours, theirs, pages = [], [], 0
    for _ in range(TURNS):
        seconds, pages = bare_s(paths)
        theirs.append(seconds)
        ours.append(asyncio.run(reader_s(paths))[0])
    share = statistics.median(theirs) / statistics.median(ours)
    return row(
        f"{name}: share of bare pypdfium2",
        share,
        LEAST_SHARE,
        pages_per_s=round(pages / statistics.median(ours), 1),
        bare_pages_per_s=round(pages / statistics.median(theirs), 1),
    )


def small_files(folder: Path) -> list[dict[str, object]]:
    """One-page files of every kind in equal parts; and, to know where time goes, each alone."""
    made = {kind: one_pagers(kind, folder) for kind in (".txt", ".md", ".html", ".docx", ".pdf")}
    mixed = [path for alike in zip(*made.values(), strict=True) for path in alike][:FILES]
    by_kind = {f"*{kind}": round(files_per_s(paths), 1) for kind, paths in made.items()}
    name = f"{FILES} one-page files: files/s, parsed"
    return [row(name, files_per_s(mixed), LEAST_FILES_PER_S, **by_kind)]


def one_pagers(kind: str, folder: Path) -> list[Path]:
    examples = sorted(EXAMPLES.glob(f"*{kind}"))
    paths = [folder / f"{number}{kind}" for number in range(FILES // 5)]
    for number, path in enumerate(paths):
        path.write_bytes(one_page(examples[number % len(examples)], number))
    return paths


def files_per_s(paths: Sequence[Path]) -> float:
    took = [asyncio.run(reader_s(paths)) for _ in range(TURNS)]
    assert {texts for _, texts in took} == {len(paths)}
    return len(paths) / statistics.median(seconds for seconds, _ in took)


def one_page(example: Path, number: int) -> bytes:
    """About a page of an example; Word files and PDFs whole, for they cannot be cut."""
    if example.suffix == ".pdf":
        import io

        import pypdfium2

        page = io.BytesIO()
        with pypdfium2.PdfDocument(example) as whole, pypdfium2.PdfDocument.new() as one:
            one.import_pages(whole, [number % len(whole)])
            one.save(page)
        return page.getvalue()
    return example.read_bytes() if example.suffix == ".docx" else example.read_bytes()[:3000]


def row(name: str, measured: float, at_least: float, **more: float) -> dict[str, object]:
    holds = measured >= at_least
    told = ", ".join(f"{key} {value}" for key, value in more.items())
    missed = "" if holds else "  MISSED"
    print(f"{name}: {measured:.2f} (at least {at_least}) {told}{missed}", flush=True)
    return {
        "figure": name,
        "measured": round(measured, 3),
        "at_least": at_least,
        "holds": holds,
        **more,
    }


def main() -> int:
    facts = about()
    with tempfile.TemporaryDirectory() as folder:
        rows = [beside_pypdfium2(*book) for book in books(Path(folder)).items()]
        rows += small_files(Path(folder))
    print(keep("parsing", facts, {"figures": rows}))
    return 0 if all(one["holds"] for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
