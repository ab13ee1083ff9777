"""What models may have of each graphics card, as the settings write it: "gpu0=6 GiB"."""

import re

from lumbre.config.load import Config
from lumbre.core.errors import BadConfig
from lumbre.core.units import parse_bytes

_CARD = re.compile(r"gpu\d+")


def card_caps(config: Config) -> dict[str, int]:
    """The most bytes the settings let models have of a card, by its id.

    Raises:
        BadConfig: `memory.max_vram` is not made of such as "gpu0=6 GiB".
    """
    caps = {}
    for said in config.settings.memory.max_vram:
        device, _, size = said.partition("=")
        try:
            if not _CARD.fullmatch(device.strip()):
                raise ValueError("a card is wanted: gpu0=6 GiB")
            caps[device.strip()] = parse_bytes(size)
        except ValueError as error:
            raise BadConfig(
                key="memory.max_vram",
                value=said,
                reason=str(error),
                where=config.origins["memory.max_vram"].where,
            ) from error
    return caps
