"""`python -m quantdeck COMMAND ...`"""

import sys

from quantdeck.main import main

sys.exit(main())
