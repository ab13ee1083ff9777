"""Prints on standard output, where answers go."""

import os

from lumbre.core.document import Parsed

ENDINGS = (".loud",)


def parse(data: bytes, bounds: object) -> Parsed:
    print("reading", data)
    os.write(1, b'{"text": "forged"}\n')
    return Parsed(data.decode())
