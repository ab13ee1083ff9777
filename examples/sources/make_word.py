"""Turns poliza-hogar.md and school-handbook.md into the Word files of documents/.

Needs python-docx. The result is the same for the same source and the same versions of
python-docx and zlib.
"""

import re
import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path

from docx import Document
from docx.document import Document as Word
from docx.text.paragraph import Paragraph

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "documents"
LANGUAGE = {"poliza-hogar": "es-ES", "school-handbook": "en-GB"}
WRITTEN = datetime(2025, 6, 1)
STYLES = [
    (re.compile(r"# "), "Title"),
    (re.compile(r"## "), "Heading 1"),
    (re.compile(r"- "), "List Bullet"),
    (re.compile(r"\d+\. "), "List Number"),
]


def write_runs(paragraph: Paragraph, text: str) -> None:
    """Add the text, with what stands between double asterisks in bold."""
    for index, part in enumerate(text.split("**")):
        if part:
            paragraph.add_run(part).bold = True if index % 2 else None


def write_line(word: Word, line: str) -> None:
    """Add a heading, an item of a list or a paragraph."""
    for mark, style in STYLES:
        if found := mark.match(line):
            write_runs(word.add_paragraph(style=style), line[found.end() :])
            return
    write_runs(word.add_paragraph(), line)


def write_table(word: Word, lines: list[str]) -> None:
    """Add a table whose first row is its head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    table = word.add_table(len(rows), len(rows[0]), style="Table Grid")
    for row, cells in zip(table.rows, rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text


def make(name: str) -> bytes:
    """Return the Word file made from the source of this name."""
    word = Document()
    lines = (HERE / f"{name}.md").read_text(encoding="utf-8").splitlines()
    for block in "\n".join(lines).split("\n\n"):
        if block.startswith("|"):
            write_table(word, block.splitlines())
        else:
            for line in block.splitlines():
                write_line(word, line)
    properties = word.core_properties
    properties.title = lines[0].removeprefix("# ")
    properties.language = LANGUAGE[name]
    properties.author = properties.last_modified_by = properties.comments = ""
    properties.created = properties.modified = WRITTEN
    made = BytesIO()
    word.save(made)
    return with_fixed_dates(made)


def with_fixed_dates(made: BytesIO) -> bytes:
    """Return the same archive without the moment at which it was written."""
    fixed = BytesIO()
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(fixed, "w") as target:
        for member in source.namelist():
            entry = zipfile.ZipInfo(member, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, source.read(member))
    return fixed.getvalue()


def main() -> None:
    """Write both files."""
    for name in LANGUAGE:
        (TARGET / f"{name}.docx").write_bytes(make(name))


if __name__ == "__main__":
    main()
