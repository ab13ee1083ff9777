"""A small library, and a household that has read it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fpdf import FPDF

from tests.conftest import environment_of

TEXT = "Ñandú — «да».\n\nThe boat is called Golondrina. 🛶 It was painted green in 2019.\n"


def write_papers(folder: Path) -> None:
    (folder / "casa").mkdir(parents=True)
    (folder / "boat.txt").write_text(TEXT, encoding="utf-8")
    (folder / "casa" / "contrato.md").write_text("La renta es de 870 euros.\n", encoding="utf-8")


def write_manual(path: Path) -> None:
    """A PDF of three pages."""
    pdf = FPDF()
    pdf.set_font("helvetica", size=14)
    for page in ("The first page tells of soap.", "The second of water.", "The third of heat."):
        pdf.add_page()
        pdf.cell(text=page)
    pdf.output(str(path))


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    """A folder of two documents, not yet added."""
    write_papers(tmp_path / "papers")
    return tmp_path / "papers"


@dataclass(frozen=True)
class Library:
    """A household with documents in it, for tests that only look."""

    home: Path
    papers: Path

    @property
    def manual(self) -> Path:
        return self.papers / "manual.pdf"

    def __call__(
        self, *words: str, text: str | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "lumbre", *words],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment_of(self.home, **environment),
            check=False,
        )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("library")
    made = Library(folder / "home", folder / "papers")
    write_papers(made.papers)
    write_manual(made.manual)
    (made.papers / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    for place in (made.papers, made.papers / "casa"):
        (place / "same.txt").write_text("The same.\n")
    assert made("docs", "add", str(made.papers)).returncode == 0
    yield made
    assert made("stop").returncode == 0
