"""Entry point of `python -m kblam_core`."""

import sys

from kblam_core.cli import main

sys.exit(main())
