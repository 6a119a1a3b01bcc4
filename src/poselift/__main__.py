"""``python -m poselift`` is the command ``poselift``."""

import sys

from poselift.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
