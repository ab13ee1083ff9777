"""A size that was printed is read back as the same number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lumbre.core.units import parse_bytes, print_bytes


@given(st.integers(0, 10**16))
def test_printed_is_parsed(count_bytes: int) -> None:
    assert parse_bytes(print_bytes(count_bytes)) == count_bytes


@pytest.mark.parametrize(
    ("text", "count_bytes"),
    [("12 GiB", 12 * 1024**3), ("1,5 GB", 1_500_000_000), ("800MB", 800_000_000), ("7", 7)],
)
def test_people_write_sizes_in_many_ways(text: str, count_bytes: int) -> None:
    assert parse_bytes(text) == count_bytes


@pytest.mark.parametrize("text", ["", "GiB", "-1 GB", "12 XB", "1e9", "٣ GB"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_bytes(text)
