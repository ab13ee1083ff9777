"""Turns manual-lavadora.md into documents/manual-lavadora.pdf, a page for each "# " heading.

Needs fpdf2. The result is the same for the same source and the same version of fpdf2.
"""

from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "manual-lavadora.md"
TARGET = HERE.parent / "documents" / "manual-lavadora.pdf"


class Manual(FPDF):
    """A4 pages with the page number in the footer."""

    def footer(self) -> None:
        """Write the page number, centred."""
        self.set_y(-15)
        self.set_font("Helvetica", size=9)
        self.cell(0, 8, f"Brisa LX-8 - página {self.page_no()}", align="C")


def main() -> None:
    """Read the source, lay out the pages, write the PDF."""
    pdf = Manual(format="A4")
    pdf.set_creation_date(datetime(2025, 1, 1, tzinfo=UTC))
    pdf.set_title("Lavadora Brisa LX-8. Manual de uso e instalación")
    pdf.set_lang("es")
    pdf.set_margins(22, 20, 22)
    pdf.set_auto_page_break(auto=True, margin=20)
    for block in SOURCE.read_text(encoding="utf-8").strip().split("\n\n"):
        if block.startswith("# "):
            pdf.add_page()
            pdf.set_font("Helvetica", style="B", size=15)
            pdf.multi_cell(0, 8, block[2:], align="L", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(3)
        else:
            pdf.set_font("Helvetica", size=11)
            pdf.multi_cell(0, 6, block, align="L", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(2.5)
    pdf.output(str(TARGET))


if __name__ == "__main__":
    main()
