"""A Word file gives what a person reads in it, whoever wrote it and however it lies."""

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbre.core.document import Bounds, Parsed
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge.parsers import docx
from lumbre.knowledge.sentences import sentences

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def part(content: str, root: str = "document", space: str = W) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><w:{root} xmlns:w="{space}"'
        ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
        ' xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math">'
        f"{content}</w:{root}>"
    )


def packed(
    body: str, *, packing: int = zipfile.ZIP_DEFLATED, relations: str = "", **parts: str
) -> bytes:
    """A Word file with this body; `parts`: others by kind, as whole XML."""
    main = body if body.startswith("<?xml") else part(f"<w:body>{body}</w:body>")
    beside = "".join(
        f'<Relationship Id="r{kind}" Type="{OFFICE}/{kind.rstrip("_")}" Target="{kind}.xml"/>'
        for kind in parts
    )
    files = {
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r"'
        f' Type="{OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{RELATIONS}">{beside}'
        "</Relationships>",
        "word/document.xml": main,
        **{f"word/{kind}.xml": content for kind, content in parts.items()},
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def p(text: str, settings: str = "", run: str = "") -> str:
    return (
        f"<w:p><w:pPr>{settings}</w:pPr><w:r><w:rPr>{run}</w:rPr>"
        f'<w:t xml:space="preserve">{text}</w:t></w:r></w:p>'
    )


def row(*cells: str) -> str:
    inside = "".join(f"<w:tc>{cell if cell[:1] == '<' else p(cell)}</w:tc>" for cell in cells)
    return f"<w:tr>{inside}</w:tr>"


def text_of(data: bytes) -> str:
    return docx.parse(data, Bounds()).text


def reason_of(data: bytes, bounds: Bounds | None = None) -> str:
    with pytest.raises(DocumentUnreadable) as caught:
        docx.parse(data, bounds or Bounds())
    return str(caught.value.facts["reason"])


def test_paragraphs_stand_apart_and_runs_run_on() -> None:
    body = p("Contrato") + "<w:p><w:r><w:t>La ren</w:t></w:r><w:r><w:t>ta</w:t></w:r></w:p>"
    assert text_of(packed(body)) == "Contrato\n\nLa renta\n"


def test_a_table_row_is_one_line_and_one_sentence() -> None:
    body = p("Gastos") + f"<w:tbl>{row('Agua', '30 €')}{row('Luz, gas', '45 €')}</w:tbl>" + p("Fin")
    text = text_of(packed(body))
    assert text == "Gastos\n\n| Agua | 30 € |\n| Luz, gas | 45 € |\n\nFin\n"
    assert "| Luz, gas | 45 € |" in [text[one.start : one.end] for one in sentences(text)]


def test_a_table_that_only_arranges_texts_becomes_those_texts() -> None:
    long = "La fianza se devuelve al terminar el contrato, sin intereses. " * 5
    inner = f"<w:tbl>{row('a', 'b')}</w:tbl>"
    text = text_of(packed(f"<w:tbl>{row(long, p('Al lado') + inner)}</w:tbl>"))
    assert text == f"{long.strip()}\n\nAl lado\n\n| a | b |\n"


NUMBERING = part(
    '<w:abstractNum w:abstractNumId="7">'
    '<w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/>'
    '<w:lvlText w:val="%1."/></w:lvl>'
    '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="lowerLetter"/>'
    '<w:lvlText w:val="%1.%2)"/></w:lvl></w:abstractNum>'
    '<w:abstractNum w:abstractNumId="8"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/>'
    '<w:lvlText w:val="&#xF0B7;"/></w:lvl></w:abstractNum>'
    '<w:abstractNum w:abstractNumId="9"><w:lvl w:ilvl="0"><w:start w:val="4"/>'
    '<w:numFmt w:val="upperRoman"/><w:lvlText w:val="Cláusula %1"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="7"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="8"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="9"/></w:num>',
    "numbering",
)


def item(text: str, list_id: int, level: int = 0) -> str:
    numbered = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list_id}"/></w:numPr>'
    return p(text, numbered)


def test_items_carry_the_numbers_word_prints() -> None:
    body = "".join(
        [item("uno", 1), item("a", 1, 1), item("b", 1, 1), item("dos", 1), item("a", 1, 1)]
    )
    text = text_of(packed(body, numbering=NUMBERING))
    assert text.split("\n\n") == ["1. uno", "1.a) a", "1.b) b", "2. dos", "2.a) a\n"]
    bullets = text_of(packed(item("x", 2) + item("y", 2), numbering=NUMBERING))
    assert bullets == "- x\n- y\n"
    assert text_of(packed(item("Plazo", 3), numbering=NUMBERING)) == "Cláusula IV Plazo\n"


def test_a_style_may_number_its_paragraphs_and_hide_them() -> None:
    styles = part(
        '<w:style w:styleId="Clause"><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'
        "</w:style>"
        '<w:style w:styleId="Child"><w:basedOn w:val="Clause"/></w:style>'
        '<w:style w:styleId="Loop"><w:basedOn w:val="Loop"/></w:style>'
        '<w:style w:styleId="Secret"><w:rPr><w:vanish/></w:rPr></w:style>',
        "styles",
    )
    named = [
        p(name, f'<w:pStyle w:val="{name}"/>') for name in ("Clause", "Child", "Loop", "Secret")
    ]
    text = text_of(packed("".join(named), numbering=NUMBERING, styles=styles))
    assert text == "1. Clause\n\n2. Child\n\nLoop\n"


def test_what_is_hidden_deleted_or_a_comment_is_not_read() -> None:
    body = (
        p("se ve")
        + p("oculto", run="<w:vanish/>")
        + p("no oculto", run='<w:vanish w:val="0"/>')
        + "<w:p><w:del><w:r><w:delText>borrado</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>movido</w:t></w:r></w:moveFrom>"
        "<w:ins><w:r><w:t>nuevo</w:t></w:r></w:ins>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    comments = part(f"<w:comment>{p('un comentario')}</w:comment>", "comments")
    assert text_of(packed(body, comments=comments)) == "se ve\n\nno oculto\n\nnuevo\n"


def test_a_footnote_follows_the_paragraph_that_refers_to_it() -> None:
    mark = '<w:r><w:footnoteReference w:id="2"/></w:r>'
    notes = part(
        f'<w:footnote w:type="separator" w:id="0">{p("----")}</w:footnote>'
        f'<w:footnote w:id="2">{p("Salvo pacto.")}</w:footnote>',
        "footnotes",
    )
    body = f"<w:p><w:r><w:t>La renta sube</w:t></w:r>{mark}</w:p>" + p("Fin")
    assert text_of(packed(body, footnotes=notes)) == (
        "La renta sube[1]\n\n[1] Salvo pacto.\n\nFin\n"
    )


def test_a_text_box_is_read_once() -> None:
    box = f"<w:txbxContent>{p('en la caja')}</w:txbxContent>"
    both = f"<mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    body = f"<w:p><w:r><w:t>fuera</w:t></w:r><w:r>{both}</mc:AlternateContent></w:r></w:p>"
    assert text_of(packed(body)) == "fuera\n\nen la caja\n"


def test_tabs_breaks_and_formulas_are_kept_and_tab_stops_are_none() -> None:
    body = (
        '<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/>'
        "<w:t>b</w:t><w:br/><w:t>c</w:t></w:r><m:oMath><m:f><m:num><m:r><m:t>1</m:t></m:r></m:num>"
        "<m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>"
    )
    assert text_of(packed(body)) == "a\tb\nc 1/2\n"


def test_what_stands_at_the_top_of_every_page_comes_first_and_once() -> None:
    header = part(p("Clínica Olmo, tel. 600 000 000"), "hdr")
    footer = part(p("Página 1 de 3"), "ftr")
    text = text_of(packed(p("Informe"), header=header, header_=header, footer=footer))
    assert text == "Clínica Olmo, tel. 600 000 000\n\nInforme\n"


def test_both_standards_of_the_format_are_read(test_data: Path) -> None:
    assert text_of(packed(part(f"<w:body>{p('hola')}</w:body>", space=STRICT))) == "hola\n"
    assert "Some text" in text_of((test_data / "documents/docx/Strict.docx").read_bytes())


def test_a_file_that_unpacks_to_too_much_is_given_up_early() -> None:
    bomb = packed(p("a" * 30_000_000))
    assert len(bomb) < 100_000
    assert reason_of(bomb, Bounds(unpacked_bytes=1_000_000)) == "swells"


ENTITIES = '<!DOCTYPE w:document [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE w:document [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declared", [ENTITIES, OUTSIDE])
def test_a_part_that_declares_entities_is_refused(declared: str) -> None:
    head, _, rest = part(f"<w:body>{p('&a;')}</w:body>").partition("?>")
    assert reason_of(packed(f"{head}?>{declared}{rest}")) == "damaged"


def test_a_target_outside_the_file_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "notes.xml"
    secret.write_text(part(f'<w:footnote w:id="2">{p("secreto")}</w:footnote>', "footnotes"))
    body = '<w:p><w:r><w:footnoteReference w:id="2"/><w:t>x</w:t></w:r></w:p>'
    for target in (f"../../../../..{secret}", secret, f"file://{secret}"):
        for mode in ('TargetMode="External"', ""):
            to = f'<Relationship Type="{OFFICE}/footnotes" Target="{target}" {mode}/>'
            assert text_of(packed(body, relations=to)) == "x\n"


def test_other_files_under_this_name_are_told_apart() -> None:
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    assert reason_of(other.getvalue()) == "renamed"
    assert reason_of(ole) == "renamed"
    assert reason_of(ole + "EncryptedPackage".encode("utf-16-le")) == "encrypted"
    assert reason_of(b"{\\rtf1 hola}") == "renamed"
    assert reason_of(b"PK\x03\x04 and no more") == "damaged"
    assert reason_of(b"  \n") == "empty"
    assert reason_of(packed(p(""))) == "no_text"
    assert reason_of(packed(p("x"), packing=zipfile.ZIP_BZIP2)) == "damaged"


def test_tags_a_hundred_thousand_deep_cost_no_more_than_their_length() -> None:
    deep = 100_000
    body = "<w:ins>" * deep + p("hondo") + "</w:ins>" * deep
    assert text_of(packed(body)) == "hondo\n"
    paragraphs = "<w:p><w:r>" * 5000 + "<w:t>hondo</w:t>" + "</w:r></w:p>" * 5000
    assert text_of(packed(paragraphs)) == "hondo\n"


REAL = packed(p("Uno") + f"<w:tbl>{row('a', 'b')}</w:tbl>" + item("tres", 1), numbering=NUMBERING)


@settings(max_examples=150)
@given(
    st.integers(0, len(REAL)),
    st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(1, 255))),
)
def test_a_damaged_file_gives_a_text_or_a_reason(end: int, flips: list[tuple[int, int]]) -> None:
    data = bytearray(REAL)
    for at, bits in flips[:20]:
        data[at] ^= bits
    for damaged in (bytes(data), bytes(data[:end])):
        try:
            assert isinstance(docx.parse(damaged, Bounds()), Parsed)
        except DocumentUnreadable as error:
            assert error.facts["reason"]


@settings(max_examples=150)
@given(st.text(st.sampled_from("<>/w:ptcrbl \"=&;x'!-[]"), max_size=200) | st.binary(max_size=200))
def test_any_bytes_in_place_of_the_text_give_a_text_or_a_reason(inside: str | bytes) -> None:
    body = inside if isinstance(inside, str) else inside.decode("latin-1")
    for data in (packed(body), body.encode()):
        try:
            docx.parse(data, Bounds())
        except DocumentUnreadable as error:
            assert error.facts["reason"]


def test_a_file_whose_packing_is_wrong_is_damaged() -> None:
    at = REAL.index(b"word/document.xml") + 20
    assert reason_of(REAL[:at] + bytes(30) + REAL[at + 30 :]) == "damaged"
