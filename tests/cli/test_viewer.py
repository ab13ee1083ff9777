"""Which command opens a document is decided by what there is, and no shell ever sees it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.cli import viewer
from lumbre.core.errors import BadConfig

ODD = "/home/ana/-p $(rm -rf ~); {page} «ñ».pdf"
SCREEN = {"DISPLAY": ":0"}


def chosen(*there: str, path: str = ODD, page: int | None = 7, **facts: object) -> list[str] | None:
    given = {"platform": "linux", "environment": SCREEN} | facts
    return viewer.command(path, page, has=lambda name: name in there, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("there", "command"),
    [
        ("okular", ["okular", "-p", "7", ODD]),
        ("evince", ["evince", "--page-index=7", ODD]),
        ("zathura", ["zathura", "-P", "7", ODD]),
        ("qpdfview", ["qpdfview", f"{ODD}#7"]),
        ("mupdf", ["mupdf", ODD, "7"]),
        ("xpdf", ["xpdf", ODD, ":7"]),
    ],
)
def test_a_viewer_is_told_the_page(there: str, command: list[str]) -> None:
    assert chosen(there, "xdg-open") == command


def test_the_first_viewer_there_is_taken() -> None:
    assert (chosen("xpdf", "evince", "okular") or [""])[0] == "okular"


def test_without_a_viewer_the_page_stands_in_the_address() -> None:
    (program, address) = chosen("xdg-open") or ["", ""]
    assert program == "xdg-open"
    assert address.startswith("file:///home/ana/-p%20%24%28rm")
    assert address.endswith(".pdf#page=7")
    assert chosen("gio") == ["gio", "open", address]
    assert chosen(platform="darwin", environment={}) == ["open", address]


def test_a_document_without_pages_is_left_to_the_opener() -> None:
    command = chosen("okular", "xdg-open", path="/a b.docx", page=None)
    assert command == ["xdg-open", "file:///a%20b.docx"]


def test_a_terminal_without_a_screen_opens_nothing() -> None:
    assert chosen("okular", "xdg-open", environment={}) is None
    assert chosen("okular", environment={"WAYLAND_DISPLAY": "wayland-0"}) is not None
    assert chosen() is None


@pytest.mark.parametrize(
    ("setting", "command"),
    [
        ("mine", ["mine", ODD]),
        ("mine --page {page}", ["mine", "--page", "7", ODD]),
        ("'my viewer' {uri}", ["my viewer", viewer.uri(ODD, 7)]),
        ("mine {path}#{page} x", ["mine", f"{ODD}#7", "x"]),
    ],
)
def test_the_owners_command_is_filled_in(setting: str, command: list[str]) -> None:
    assert viewer.configured(setting, ODD, 7, "config.toml:1") == command


@pytest.mark.parametrize("setting", ["'open", "  ", '"'])
def test_a_setting_that_is_no_command_is_named(setting: str) -> None:
    with pytest.raises(BadConfig, match=r"documents\.viewer"):
        viewer.configured(setting, ODD, 7, "config.toml:1")


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")), st.integers(1, 9999))
def test_a_path_is_one_word_whatever_is_in_it(name: str, page: int) -> None:
    path = f"/home/{name}"
    assert viewer.configured("mine {path} {page}", path, page, "") == ["mine", path, str(page)]
    assert chosen("okular", path=f"{path}.pdf", page=page) == [
        "okular",
        "-p",
        str(page),
        f"{path}.pdf",
    ]
