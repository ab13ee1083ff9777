"""`python -m lumbre` is `lumbre`."""

import sys

from lumbre.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
