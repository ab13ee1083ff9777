"""A person names a document as briefly as it can be told from the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import SeveralDocuments, UnknownDocument
from lumbre.knowledge.which import which

PATHS = [
    "/home/ana/casa/contrato.pdf",
    "/home/ana/casa/Póliza.pdf",
    "/home/ana/coche/contrato.pdf",
    "/home/ana/coche/seguro.pdf",
    "/home/ana/précis.md",
]


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("/home/ana/casa/contrato.pdf", "/home/ana/casa/contrato.pdf"),
        ("casa/contrato.pdf", "/home/ana/casa/contrato.pdf"),
        ("./coche/contrato.pdf", "/home/ana/coche/contrato.pdf"),
        ("seguro.pdf", "/home/ana/coche/seguro.pdf"),
        ("póliza.PDF", "/home/ana/casa/Póliza.pdf"),
        ("pre\u0301cis.md", "/home/ana/précis.md"),
    ],
)
def test_a_path_a_name_or_the_end_of_a_path_is_enough(typed: str, path: str) -> None:
    absolute = typed if typed.startswith("/") else f"/elsewhere/{typed}"
    assert which(typed, absolute, PATHS) == path


def test_the_file_one_stands_beside_comes_first() -> None:
    assert which("contrato.pdf", "/home/ana/coche/contrato.pdf", PATHS) == PATHS[2]


def test_a_name_of_several_is_refused_with_all_of_them() -> None:
    with pytest.raises(SeveralDocuments) as refused:
        which("contrato.pdf", "/elsewhere/contrato.pdf", PATHS)
    assert PATHS[0] in refused.value.message("es")
    assert PATHS[2] in refused.value.message("es")


@pytest.mark.parametrize(
    ("typed", "near"), [("seguros.pdf", PATHS[3]), ("contrat", PATHS[0]), ("POLIZA.pdf", PATHS[1])]
)
def test_an_unknown_name_brings_those_like_it(typed: str, near: str) -> None:
    with pytest.raises(UnknownDocument) as refused:
        which(typed, f"/elsewhere/{typed}", PATHS)
    assert near in refused.value.message("ru")


@pytest.mark.parametrize("typed", ["", "/", ".", "ntrato.pdf", "xyz"])
def test_what_names_nothing_is_said_so(typed: str) -> None:
    with pytest.raises(UnknownDocument):
        which(typed, f"/elsewhere/{typed}", PATHS)
    with pytest.raises(UnknownDocument) as refused:
        which("xyz", "/xyz", [])
    assert refused.value.message("en") == "xyz was never added"


NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1)


@given(st.lists(NAMES, min_size=1, max_size=4), st.lists(NAMES, max_size=4))
def test_a_document_is_found_by_its_whole_path_among_any(path: list[str], other: list[str]) -> None:
    wanted = "/" + "/".join(path)
    assert which(wanted, wanted, ["/" + "/".join(other), wanted]) == wanted
