"""``python -m gmmfast`` is the command ``gmmfast``."""

import sys

from gmmfast.cli import main

if __name__ == "__main__":
    sys.exit(main())
