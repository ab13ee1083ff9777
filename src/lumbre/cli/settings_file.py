"""Change one setting in config.toml, leaving every comment and line as it stands."""

from collections.abc import Sequence
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from lumbre.core.errors import BadConfig, HomeNotUsable


def write_setting(path: Path, key: str, value: str | Sequence[str]) -> None:
    """Set `key` (dotted) in the file, which is made if it is not there. Atomic.

    Raises:
        BadConfig: the file is not TOML.
        HomeNotUsable: it cannot be written.
    """
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        document = tomlkit.parse(text)
        table = document
        *sections, name = key.split(".")
        for section in sections:
            if section not in table:
                table[section] = tomlkit.table(is_super_table=section != sections[-1])
            table = table[section]
        table[name] = value if isinstance(value, str) else list(value)
        partial = path.with_suffix(".partial")
        partial.write_text(tomlkit.dumps(document), encoding="utf-8")
        partial.replace(path)
    except (TOMLKitError, ValueError) as error:
        raise BadConfig(key=key, value=value, reason=str(error), where=str(path)) from error
    except OSError as error:
        raise HomeNotUsable(path=path, reason=error.strerror or str(error)) from error
