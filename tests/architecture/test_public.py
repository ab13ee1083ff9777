"""The public face is small, said once, and every name on it is there."""

import lumbre


def test_the_public_names_are_few_and_all_there() -> None:
    assert len(lumbre.__all__) < 20
    for name in lumbre.__all__:
        assert getattr(lumbre, name) is not None
    assert sorted(lumbre._WHERE) == sorted(set(lumbre.__all__) - {"__version__"})


def test_importing_it_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    program = "import lumbre, sys; print(sorted({'numpy', 'pydantic', 'apsw'} & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
