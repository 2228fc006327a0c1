"""`python -m quantdeck_gateway`."""

from __future__ import annotations

import sys

from quantdeck_core.errors import QuantdeckError, exit_code_of
from quantdeck_gateway.cli import main

try:
    sys.exit(main(sys.argv[1:]))
except QuantdeckError as error:
    sys.stderr.write(f"error: {error.detail}\n  next: {error.hint}\n")
    sys.exit(exit_code_of(error))
