"""Our table of tensor kinds is the engine's own."""

import ctypes
from pathlib import Path

import pytest

from lumbre.formats.gguf_kinds import KINDS, QUANTS

xllamacpp = pytest.importorskip("xllamacpp", reason="the engine's wheel is not installed")


@pytest.fixture(scope="module")
def engine() -> ctypes.CDLL:
    folder = Path(xllamacpp.__file__).parent
    library = ctypes.CDLL(str(next(folder.glob("xllamacpp*.so"))))
    library.ggml_type_name.restype = ctypes.c_char_p
    library.ggml_blck_size.restype = ctypes.c_int64
    library.ggml_type_size.restype = ctypes.c_size_t
    library.llama_ftype_name.restype = ctypes.c_char_p
    return library


def test_every_kind_has_the_engines_name_block_and_bytes(engine: ctypes.CDLL) -> None:
    for number, kind in KINDS.items():
        assert engine.ggml_type_name(number).decode().upper() == kind.name.upper()
        assert engine.ggml_blck_size(number) == kind.block
        assert engine.ggml_type_size(number) == kind.block_bytes


def test_the_gaps_in_the_table_are_kinds_the_engine_withdrew(engine: ctypes.CDLL) -> None:
    for number in set(range(max(KINDS))) - set(KINDS):
        assert engine.ggml_type_size(number) == 0


def test_every_quant_is_the_engines_and_none_is_left_out(engine: ctypes.CDLL) -> None:
    sizes = {"Small": "S", "Medium": "M", "Large": "L"}
    for number in range(64):
        said = engine.llama_ftype_name(number).decode()
        if number not in QUANTS:
            assert said.startswith("unknown")
            continue
        first, _, last = said.removeprefix("all ").partition(" - ")
        name = QUANTS[number]
        # Its words differ from the names files carry in three places.
        expected = {"IQ3_S mix": "IQ3_M", "MXFP4 MoE": "MXFP4_MOE"}.get(first, first)
        if first == "Q2_K" and last == "Medium":
            expected = "Q2_K"
        elif last in sizes:
            expected = f"{first}_{sizes[last]}"
        assert name == expected
