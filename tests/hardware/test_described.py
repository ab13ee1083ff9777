"""A described machine is a host like any other; of nonsense the key and the value are named."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lumbre.core.errors import BadMachine, LumbreError, UnknownMachine
from lumbre.core.machine import Device, DeviceKind, Host
from lumbre.hardware import described
from lumbre.hardware.described import find_machine, machine_names, read_machine, write_machine
from lumbre.words import LANGUAGES

GIB = 2**30
SHIPPED = Path(described.__file__).parent / "machines"
SIMPLE = 'cores = 4\n[memory]\ntotal = "16 GiB"\n'

LINE = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20
)
RATE = st.none() | st.floats(1e6, 1e15)


@st.composite
def devices(draw: st.DrawFn, at: int | None) -> Device:
    total_bytes = draw(st.integers(2**26, 2**46))
    kinds: tuple[DeviceKind, ...] = ("cuda", "rocm", "metal", "vulkan")
    return Device(
        id="cpu" if at is None else f"gpu{at}",
        kind="cpu" if at is None else draw(st.sampled_from(kinds)),
        name=draw(LINE),
        total_bytes=total_bytes,
        free_bytes=draw(st.integers(1, total_bytes)),
        bandwidth_bytes_per_s=draw(RATE),
        compute_flops=draw(st.none() | st.floats(1e6, 1e18)),
        link_bytes_per_s=None if at is None else draw(RATE),
        compute_capability=None if at is None else draw(st.sampled_from([None, "8.9", "12.0"])),
    )


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    cards = draw(st.integers(0, 3))
    return Host(
        name=draw(LINE),
        devices=(draw(devices(None)), *(draw(devices(at)) for at in range(cards))),
        cores=draw(st.integers(1, 512)),
        architecture=draw(st.sampled_from(["x86_64", "aarch64"])),
        instruction_sets=tuple(draw(st.lists(LINE, max_size=3))),
        driver=draw(st.none() | LINE),
        cuda=draw(st.none() | LINE),
        disk_bytes_per_s=draw(RATE),
        is_described=True,
    )


def read(folder: Path, text: str | bytes) -> Host:
    path = folder / "machine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_machine(path)


ONE_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@ONE_FOLDER
@given(hosts())
def test_a_machine_that_is_written_and_read_is_the_same(tmp_path: Path, host: Host) -> None:
    assert read(tmp_path, write_machine(host)) == host


@pytest.mark.parametrize("name", machine_names())
def test_a_machine_that_ships_is_found_by_its_name(name: str) -> None:
    host = find_machine(name)
    assert host.is_described
    assert host.cpu.bandwidth_bytes_per_s
    assert host.cpu.compute_flops
    assert "avx2" in host.instruction_sets
    for card in host.cards:
        assert card.bandwidth_bytes_per_s
        assert card.compute_flops
        assert card.link_bytes_per_s
        assert 0 < card.free_bytes < card.total_bytes
    assert host == find_machine(str(SHIPPED / f"{name}.toml"))


def test_the_four_households_have_their_machines() -> None:
    sizes = {
        name: tuple(round(d.total_bytes / GIB) for d in find_machine(name).devices)
        for name in machine_names()
    }
    assert sizes == {
        "cpu-16gb": (16,),
        "i5-11600k-rtx4070": (32, 12),
        "9950x3d-5070ti-2060": (64, 16, 6),
        "7950x-5090": (128, 32),
    }


@pytest.mark.parametrize("name", machine_names())
def test_every_number_of_a_machine_that_ships_says_where_it_is_from(name: str) -> None:
    table = tomllib.loads((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"))
    needless = {"name", "processor", "architecture", "instruction_sets", "kind", "sources"}
    for part in (table, table["memory"], *table.get("cards", ())):
        numbers = set(part) - needless - {"memory" if part is table else "", "cards"}
        assert set(part["sources"]) == numbers


def test_what_a_file_leaves_out_is_not_known_or_usual(tmp_path: Path) -> None:
    text = SIMPLE + '[[cards]]\nname = "A"\nkind = "vulkan"\nmemory = "8 GiB"\n'
    host = read(tmp_path, text)
    assert host.name == "machine"
    assert host.cpu.free_bytes == 14 * GIB
    (card,) = host.cards
    assert (card.id, card.free_bytes) == ("gpu0", 8 * GIB - GIB // 2)
    assert card.bandwidth_bytes_per_s is card.compute_flops is card.link_bytes_per_s is None


def test_the_usual_system_takes_a_quarter_of_a_small_memory_at_most(tmp_path: Path) -> None:
    assert read(tmp_path, 'cores = 1\n[memory]\ntotal = "1 GiB"\n').cpu.free_bytes == GIB * 3 // 4


def test_amounts_are_read_as_people_write_them(tmp_path: Path) -> None:
    text = (
        'cores = 1\n[memory]\ntotal = "15,5 GB"\nbandwidth = "51.2 GB/s"\ncompute = "0,7 TFLOPS"\n'
    )
    text += '[[cards]]\nname = "A"\nkind = "cuda"\nmemory = 8589934592\nlink = "pcie 3.0 x16"\n'
    host = read(tmp_path, text)
    assert host.cpu.total_bytes == 15_500_000_000
    assert host.cpu.bandwidth_bytes_per_s == pytest.approx(51.2e9)
    assert host.cpu.compute_flops == pytest.approx(0.7e12)
    assert host.cards[0].link_bytes_per_s == pytest.approx(15.75e9, rel=0.001)


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("", "memory", "to be given: memory, cores"),
        ("cores = 4\nmemory = 16\n", "memory", "memory = 16"),
        ("[memory]\ntotal = '16 GB'\n", "cores", "to be given: cores"),
        (SIMPLE.replace("4", "0", 1), "cores", "cores = 0"),
        (SIMPLE.replace("4", "-4", 1), "cores", "cores = -4"),
        (SIMPLE.replace("4", "true", 1), "cores", "cores = True"),
        (SIMPLE.replace("4", "4.0", 1), "cores", "cores = 4.0"),
        (SIMPLE.replace("4", "1" + "0" * 30, 1), "cores", "cores = 1000"),
        (SIMPLE.replace("16 GiB", "0"), "memory.total", "memory.total = 0"),
        (SIMPLE.replace("16 GiB", "-16 GiB"), "memory.total", "-16 GiB"),
        (SIMPLE.replace('"16 GiB"', "1e30"), "memory.total", "1e+30"),
        (SIMPLE.replace('"16 GiB"', "nan"), "memory.total", "nan"),
        (SIMPLE.replace('"16 GiB"', "1979-05-27"), "memory.total", "1979-05-27"),
        (SIMPLE.replace('"16 GiB"', '"lots"'), "memory.total", "lots"),
        (SIMPLE.replace('"16 GiB"', '"9999999999 TB"'), "memory.total", "9999999999 TB"),
        (SIMPLE + 'system = "16 GiB"', "memory.system", "cannot take all"),
        (SIMPLE + "bandwidth = inf", "memory.bandwidth", "memory.bandwidth = inf"),
        (SIMPLE + 'bandwidth = "504 GB"', "memory.bandwidth", "504 GB"),
        (SIMPLE + 'compute = "29 TFLOPS of course"', "memory.compute", "of course"),
        (SIMPLE + "bandwith = 1", "memory.bandwith", "did you mean memory.bandwidth?"),
        ("cors = 4", "cors", "did you mean cores?"),
        ("name = 3\n" + SIMPLE, "name", "name = 3"),
        ('name = "a\\u001b[31m"\n' + SIMPLE, "name", "a line of text"),
        ("instruction_sets = 'avx2'\n" + SIMPLE, "instruction_sets", "a list of words"),
        (SIMPLE + "[[cards]]", "cards[0].memory", "cards[0].memory, cards[0].kind, cards[0].name"),
        (SIMPLE + "[cards]", "cards", "tables are wanted"),
        (SIMPLE + "[sources]\nmemry = 'x'", "sources.memry", "above it"),
        ("sources = 1\n" + SIMPLE, "sources", "[sources]"),
    ],
)
def test_nonsense_is_named_by_its_key_and_value(
    tmp_path: Path, text: str, key: str, said: str
) -> None:
    with pytest.raises(BadMachine) as caught:
        read(tmp_path, text)
    assert caught.value.facts["key"] == key
    message = caught.value.message()
    assert message.startswith(str(tmp_path / "machine.toml"))
    assert said in message
    assert "lumbre plan --machine" in caught.value.hint()
    for language in LANGUAGES:
        assert key in caught.value.message(language)


CARD = '[[cards]]\nname = "A"\nkind = "cuda"\nmemory = "8 GiB"\n'


@pytest.mark.parametrize(
    ("cards", "key"),
    [
        (CARD + 'id = "gpu1"\n' + CARD, "cards[1].id"),
        (CARD + 'id = "cpu"\n', "cards[0].id"),
        (CARD + 'id = "GPU 1"\n', "cards[0].id"),
        (CARD.replace("cuda", "cpu"), "cards[0].kind"),
        (CARD.replace('"cuda"', "7"), "cards[0].kind"),
        (CARD + 'link = "PCIe 9.0 x16"\n', "cards[0].link"),
        (CARD + 'compute_capability = "89"\n', "cards[0].compute_capability"),
        (CARD * 40, "cards"),
        (CARD.replace("8 GiB", "8 KiB"), "cards[0].memory"),
    ],
)
def test_nonsense_about_a_card_is_named_too(tmp_path: Path, cards: str, key: str) -> None:
    with pytest.raises(BadMachine) as caught:
        read(tmp_path, SIMPLE + cards)
    assert caught.value.facts["key"] == key


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"cores = ",
        b"cores = " + b"9" * 10_000,
        b"a = " + b"[" * 50_000,
        b"#" * (100 * 1024 * 1024),
        b"cores = 1\ncores = 2\n",
    ],
    ids=["not UTF-8", "not TOML", "digits", "deep", "100 MB", "twice"],
)
def test_a_file_that_is_no_description_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadMachine) as caught:
        read(tmp_path, content)
    assert len(caught.value.message("ru")) < 500


def test_what_is_no_file_is_no_machine(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for odd in (tmp_path, tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(BadMachine):
            find_machine(str(odd))
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadMachine):
        find_machine(str(tmp_path / "gone"))


@pytest.mark.parametrize("name", ["nothing-like-it", "", "a\0b", "x" * 5000, "../cpu-16gb"])
def test_a_name_that_is_nothing_tells_the_machines_that_ship(name: str) -> None:
    with pytest.raises(LumbreError) as caught:
        find_machine(name)
    if name:
        assert isinstance(caught.value, UnknownMachine)
        assert "cpu-16gb" in caught.value.hint()


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.sampled_from(["12 GiB", "504 GB/s", "cuda", "PCIe 4.0 x16", "1 TFLOPS", "gpu0", "8.9"])
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["total", "system", "memory", "kind", "name", "id", "link", "sources"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["name", "cores", "memory", "cards", "disk", "sources", "driver"])
        | st.text(max_size=5),
        VALUES,
    )
)
def test_a_table_is_a_machine_or_an_error_with_words(table: dict[str, Any]) -> None:
    from lumbre.hardware.description import host_of

    try:
        host = host_of(table, Path("machine.toml"))
    except BadMachine as error:
        for language in LANGUAGES:
            assert error.message(language)
    else:
        assert all(0 < device.free_bytes <= device.total_bytes for device in host.devices)
        assert len({device.id for device in host.devices}) == len(host.devices)


@ONE_FOLDER
@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_a_machine_or_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadMachine):
        read(tmp_path, content)


def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "machines.md").read_text(encoding="utf-8")


def test_the_machine_on_the_page_is_one(tmp_path: Path) -> None:
    host = read(tmp_path, page().split("```text\n")[1].split("```")[0])
    assert [device.name for device in host.devices] == [
        "Intel Core i5-11600K",
        "NVIDIA GeForce RTX 4070",
    ]


def test_the_page_tells_every_key_and_every_machine_that_ships() -> None:
    from lumbre.hardware import description

    keys = {
        *description._MACHINE_KEYS,
        *description._MEMORY_KEYS,
        *description._CARD_KEYS,
        *machine_names(),
    }
    assert not [key for key in keys if f"`{key}`" not in page() and f"[{key}]" not in page()]
