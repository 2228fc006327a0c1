"""`python -m quantdeck_gateway.analyser ANSWERS_FD SIGNALS_FD`: started by the gateway's leader."""

import sys

# All that is spoken here goes over Unix sockets. asyncio does without TLS where there is none, and OpenSSL is 5 MB.
sys.modules["ssl"] = None  # type: ignore[assignment]

from quantdeck_gateway.analyser.run import main  # noqa: E402

main()
