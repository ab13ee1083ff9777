"""A web page gives what a browser shows of it, whatever its tags and its encoding are like."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lumbre.core.document import Bounds, Parsed
from lumbre.core.errors import DocumentUnreadable
from lumbre.knowledge.parsers import html
from lumbre.knowledge.sentences import sentences


def text_of(page: str | bytes) -> str:
    data = page.encode() if isinstance(page, str) else page
    return html.parse(data, Bounds()).text


def reason_of(data: bytes) -> str:
    with pytest.raises(DocumentUnreadable) as caught:
        html.parse(data, Bounds())
    return str(caught.value.facts["reason"])


def test_the_title_comes_first_and_once() -> None:
    page = "<head><title>Piso &mdash;\n Sol</title></head><body><h1>{}</h1><p>Renta"
    assert text_of(page.format("Contrato")) == "Piso — Sol\n\nContrato\n\nRenta\n"
    assert text_of(page.format("Piso — Sol")) == "Piso — Sol\n\nRenta\n"


def test_paragraphs_stand_apart_and_lines_end_at_breaks() -> None:
    page = "<p>La renta\n  es de <b>870&nbsp;&euro;</b>.<br>Al mes.<p>Otro<div>a</div><div>b</div>"
    assert text_of(page) == "La renta es de 870 €.\nAl mes.\n\nOtro\n\na\nb\n"


def test_items_carry_their_marks() -> None:
    page = "<ul><li>Uno<li><p>Dos</p><ol start=3><li>tres<li>cuatro</ol></ul>"
    assert text_of(page) == "- Uno\n- Dos\n  3. tres\n  4. cuatro\n"


def test_a_table_row_is_one_line_and_one_sentence() -> None:
    page = (
        "<p>Gastos<table><tr><th>Concepto<th>Importe<tr><td>Agua,<br>luz<td><p>30 €</p></table>Fin"
    )
    text = text_of(page)
    assert text == "Gastos\n\n| Concepto | Importe |\n| Agua, luz | 30 € |\n\nFin\n"
    assert "| Agua, luz | 30 € |" in [text[one.start : one.end] for one in sentences(text)]


def test_a_table_that_only_arranges_a_page_leaves_no_bars_behind() -> None:
    inner = "<table><tr><td>x<td>y</table>"
    text = text_of(f"<table><tr><td><h2>Menú</h2>{inner}<td><p>{'Texto. ' * 60}</table>")
    assert text.startswith("Menú\n\n| x | y |\n\nTexto. Texto.")


def test_text_kept_as_typed_keeps_its_lines() -> None:
    assert text_of("<pre>uno\n   dos\n</pre>tres") == "uno\n   dos\n\ntres\n"


def test_a_raised_number_stays_apart_from_what_it_is_raised_from() -> None:
    assert text_of("70 m<sup>2</sup>, 10<sup>-5</sup>") == "70 m², 10⁻⁵\n"


@pytest.mark.parametrize(
    "unseen",
    [
        "<script>if (a<b) '</p>NO'</script>",
        "<style>NO</style>",
        "<template><p>NO</template>",
        "<noscript>NO</noscript>",
        "<nav><a href=x>NO</a></nav>",
        "<!-- NO -->",
        "<div hidden>NO<p>NO</div>",
        "<p aria-hidden=true>NO</p>",
        "<div style='color: red; Display : none'>NO<div>NO</div></div>",
        "<span style='visibility:hidden'>NO</span>",
        "<span style='font-size:0px'>NO</span>",
        "<dialog>NO</dialog>",
        "<svg><title>NO</title><text>NO</text></svg>",
    ],
)
def test_what_a_browser_does_not_show_is_not_read(unseen: str) -> None:
    assert text_of(f"<p>antes</p>{unseen}<p>después") == "antes\n\ndespués\n"


def test_small_but_visible_text_is_read() -> None:
    assert text_of("<p style='font-size:0.8em;opacity:0.9'>letra pequeña") == "letra pequeña\n"


RUSSIAN = "<p>Договор найма жилого помещения между сторонами"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251", "koi8-r"])
def test_the_encoding_is_found_without_being_named(encoding: str) -> None:
    assert text_of(RUSSIAN.encode(encoding)) == RUSSIAN[3:] + "\n"


def test_a_named_encoding_is_believed_unless_the_bytes_say_otherwise() -> None:
    named = "<meta charset='{}'><p>año, cœur, €"
    assert text_of(named.format("iso-8859-1").encode("cp1252")) == "año, cœur, €\n"
    assert text_of(named.format("iso-8859-15").encode("iso-8859-15")) == "año, cœur, €\n"
    for wrong in ("windows-1251", "no-such-encoding", "utf-16", "hex", "idna"):
        assert text_of(named.format(wrong)) == "año, cœur, €\n"
    xml = "<?xml version='1.0' encoding='windows-1251'?><html xmlns='x'><p>Да, ещё</p></html>"
    assert text_of(xml.encode("cp1251")) == "Да, ещё\n"


def test_a_page_without_text_says_so() -> None:
    assert reason_of(b"<html><script>x</script><img src=a.png></html>") == "no_text"
    assert reason_of(b" \n ") == "empty"
    assert reason_of(b"<p>" + bytes(range(1, 32)) * 30) == "binary"


def test_text_without_any_tag_is_read() -> None:
    assert text_of("Solo texto, años después") == "Solo texto, años después\n"


@pytest.mark.parametrize(
    "tag", ["<div>", "<b>", "<ul><li>", "<table><tr><td>x", "<p><i>", "<font>"]
)
def test_tags_a_hundred_thousand_deep_cost_no_more_than_their_length(tag: str) -> None:
    assert text_of(tag * 100_000 + "hondo").endswith("hondo\n")


def test_a_page_of_megabytes_is_read_whole() -> None:
    assert text_of("<p>La renta &amp; la fianza.</p>\n" * 150_000).count("fianza") == 150_000
    assert text_of(f"<img src='data:image/png;base64,{'a' * 12_000_000}'><p>fin") == "fin\n"


def test_nothing_a_page_names_is_opened() -> None:
    """The guard of all tests fails this one if a socket is opened."""
    page = (
        '<!DOCTYPE html SYSTEM "http://192.0.2.1/a.dtd" [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        '<link rel=stylesheet href="http://192.0.2.1/a.css"><iframe src="file:///etc/passwd">no'
        "</iframe><p>&x;fin"
    )
    text = text_of(page)
    assert "root:" not in text
    assert text.endswith("fin\n")


TAGS = """
<p> </p> <table> </table> <tr> </tr> <td> </td> <ul> </ul> <ol/start=-1> <li> </li> <pre> </pre>
<br> <sup> </sup> <title> </title> <div/hidden> </div> <q> <script> </script> <!-- --> <![CDATA[
]]> &amp; &#0; &#xD800; &#x110000; < > a \x00 ñ <svg> </svg> <body> </html> <frameset>
"""
SOUP = st.sampled_from([*TAGS.split(), " ", "\n"])


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([*TAGS.split(), " ", "\n"]), max_size=60).map("".join)
    | st.binary(max_size=300)
)
def test_any_tags_and_any_bytes_give_a_text_or_a_reason(page: str | bytes) -> None:
    try:
        parsed = html.parse(page.encode() if isinstance(page, str) else page, Bounds())
    except DocumentUnreadable as error:
        assert error.facts["reason"] in ("empty", "binary", "no_text")
    else:
        assert isinstance(parsed, Parsed)
        assert parsed.text.strip()
