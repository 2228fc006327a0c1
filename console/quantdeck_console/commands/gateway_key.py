"""`quantdeck gateway-key NAME`: a new API key, shown once, and what the gateway keeps of it."""

from __future__ import annotations

import secrets
from typing import get_args

import msgspec

from quantdeck_console.commands.common import emit, parser_for
from quantdeck_core.errors import ExitCode
from quantdeck_core.protocol.gateway import ApiKey, Priority
from quantdeck_core.protocol.keys import KEY_PREFIX, check_keys, digest_of

_RANDOM_BYTES = 32


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that nobody has seen yet.

    Attributes:
        key: for the client; it is kept nowhere.
        entry: for the gateway; from it nobody can find the key.
    """

    key: str
    entry: ApiKey

    def lines(self) -> list[str]:
        """As people read it."""
        entry = self.entry
        return [
            self.key,
            "",
            "That is the key: give it to the client now, it is shown only once. The gateway keeps its hash.",
            "In the file of `quantdeck agent run --gateway-keys FILE.toml`:",
            "",
            "    [[key]]",
            f'    name = "{entry.name}"',
            f'    sha256 = "{entry.sha256}"',
            f'    priority = "{entry.priority}"',
            "",
            "Or, for a gateway alone, in the `api_keys` of its --config FILE:",
            "",
            f"    {msgspec.json.encode(entry).decode()}",
        ]


def main(argv: list[str]) -> int:
    """Print a new random key and its hash.

    Raises:
        InputError: a name that cannot be one.
    """
    parser = parser_for("gateway-key", "Make an API key for clients of a gateway.", fleet=False)
    parser.add_argument("name", help="of the client; shown in metrics and in the access log")
    parser.add_argument(
        "--priority", choices=get_args(Priority), default="normal", help="`low` is shed first (default: %(default)s)"
    )
    options = parser.parse_args(argv)
    key = KEY_PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    entry = ApiKey(name=options.name, sha256=digest_of(key.encode()), priority=options.priority)
    check_keys([entry])
    new = NewKey(key=key, entry=entry)
    emit(options.json, new, new.lines())
    return ExitCode.DONE
