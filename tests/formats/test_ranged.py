"""A header is read the same wherever its file lies, and costs little more than itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.errors import BadWeights, LumbreError, SourceFailed
from lumbre.formats.gguf import facts_of, header_from, read_header
from lumbre.formats.ranged import Forward, local
from lumbre.registry.sources import Patience
from lumbre.registry.sources._distant import Distant
from lumbre.registry.sources._web import Ask
from tests.formats.writing import MODEL, Numbers, gguf
from tests.registry.places import Site, plain_website

QUICK = Patience(connect_s=5.0, stall_s=0.3, attempts=2, pause_s=0.0)
WORDS = [f"word {number}" for number in range(5_000)]
LARGE = gguf(MODEL | {"tokenizer.ggml.tokens": WORDS}, [Numbers("a", (1 << 10, 1 << 12))])
"""A header of 100 kB before 16 MiB of numbers."""
VAST = gguf(MODEL | {"tokenizer.ggml.tokens": ["x" * 2_000] * 2_000})
"""A header of 4 MB."""


class Bytes:
    """A file in memory that may hand out less than it promises."""

    def __init__(self, content: bytes, size_bytes: int | None = None, more: bytes = b"") -> None:
        self.size_bytes = len(content) if size_bytes is None else size_bytes
        self._content = content
        self._more = more
        self.read_bytes = 0

    def read(self, at_bytes: int, count_bytes: int, /) -> bytes:
        self.read_bytes += count_bytes
        return self._content[at_bytes : at_bytes + count_bytes] + self._more


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(LARGE)
    yield site
    site.release.set()


def distant(site: Site, url: str) -> Distant:
    return Distant(url, Ask(url), len(site.content), QUICK)


def test_a_header_from_afar_is_the_header_at_hand(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(LARGE)
    with plain_website(site) as url:
        header = header_from(distant(site, url), url)
    assert header == read_header(path)
    assert facts_of(header, url).vocabulary == len(WORDS)
    assert site.sent_bytes < 2 << 20


def test_a_long_header_comes_in_a_few_growing_pieces() -> None:
    site = Site(VAST)
    with plain_website(site) as url:
        header = header_from(distant(site, url), url)
    assert facts_of(header, url).vocabulary == 2_000
    assert len(site.asked) <= 4


def test_a_server_that_knows_no_ranges_is_read_from_the_beginning(site: Site) -> None:
    site.ranges = False
    with plain_website(site) as url:
        assert facts_of(header_from(distant(site, url), url), url).layers == 2


TROUBLES: dict[str, dict[str, object]] = {
    "it is gone": {"statuses": [404, 404]},
    "it broke": {"statuses": [500, 500]},
    "it hangs up": {"cuts": [1000, 1000]},
    "it falls silent": {"hold_at": 1000},
    "another part than asked": {"range_answer": f"bytes 7-9/{len(LARGE)}"},
    "another size": {"range_answer": "bytes 0-99/100"},
    "a part nobody understands": {"range_answer": "nonsense"},
    "a shorter file": {"content": LARGE[:2000]},
    "a page to sign in": {"content": b"<html>Sign in</html>" + LARGE[20:]},
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_server_that_misbehaves_is_an_error_in_words(trouble: str) -> None:
    settings: dict[str, Any] = {"content": LARGE, **TROUBLES[trouble]}
    site = Site(**settings)
    with plain_website(site) as url, pytest.raises((SourceFailed, BadWeights)) as caught:
        header_from(Distant(url, Ask(url), len(LARGE), QUICK), url)
    assert isinstance(caught.value, LumbreError)
    assert url in caught.value.message("ru")


def test_a_file_that_is_shorter_than_it_said_ends_early() -> None:
    for length in range(0, 300, 7):
        with pytest.raises(BadWeights, match="middle of its header"):
            header_from(Bytes(gguf()[:length], size_bytes=len(gguf())), "x")


def test_a_file_that_hands_out_more_than_was_asked_is_read_as_asked() -> None:
    assert header_from(Bytes(gguf(), more=b"junk" * 99), "x") == header_from(Bytes(gguf()), "x")


def test_no_more_is_read_than_a_header_may_have() -> None:
    with pytest.raises(BadWeights):
        header_from(Bytes(b"GGUF\x03\0\0\0", size_bytes=2**62), "x")


steps = st.lists(
    st.tuples(st.sampled_from(["read", "skip", "ahead"]), st.integers(0, 3 << 20)), max_size=12
)


@given(steps=steps, size=st.integers(0, 4 << 20), most=st.integers(0, 4 << 20))
def test_reading_forward_gives_the_bytes_in_their_places(
    steps: list[tuple[str, int]], size: int, most: int
) -> None:
    content = bytes(range(256)) * (size // 256)
    file = Bytes(content)
    forward = Forward(file, most)
    readable = content[:most]
    position = 0
    for step, count in steps:
        match step:
            case "read":
                assert forward.read(count) == readable[position : position + count]
                position += count
            case "skip":
                forward.skip(count)
                position += count
            case _:
                expected = readable[position : position + count]
                assert bytes(forward.ahead(count)[:count]) == expected
        if position > len(readable):
            break
    assert file.read_bytes <= len(readable)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(BadWeights, match="not a regular file"), local(tmp_path):
        pass
    with pytest.raises(BadWeights, match="No such file"), local(tmp_path / "nothing"):
        pass
