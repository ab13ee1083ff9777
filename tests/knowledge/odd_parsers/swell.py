"""Takes more and more memory."""

from lumbre.core.document import Parsed

ENDINGS = (".swell",)


def parse(data: bytes, bounds: object) -> Parsed:
    taken = []
    while True:
        taken.append(bytes(16 * 1024**2))
