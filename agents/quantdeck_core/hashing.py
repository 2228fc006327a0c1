"""Which users get the treatment: a consistent hash, so that nobody changes sides unless the weight says so.

The mapping is the lesson's *Deploying Quantized Models in Production*, bit for bit:
``int(sha256("experiment:user").hexdigest(), 16) % 10000``, treated when the bucket is below the weight. Weights are
integer basis points: as floats, 0.57 * 10000 is 5699.999... and the user in bucket 5699 would be misplaced.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from hashlib import sha256

from quantdeck_core.errors import InputError

BUCKETS = 10_000
"""Buckets of the split; a weight of 10000 basis points treats everyone."""


def bucket(experiment: str, user: str) -> int:
    """The bucket of a user in an experiment, 0..9999, the same on every gateway, worker and restart."""
    return bucket_of(split_digest(experiment, user))


def split_digest(experiment: str, user: str) -> bytes:
    """The SHA-256 that decides where a user goes; its first bytes name the user where the id must not appear."""
    return sha256(f"{experiment}:{user}".encode("utf-8", "surrogateescape")).digest()


def bucket_of(digest: bytes) -> int:
    """The bucket, 0..9999, of a `split_digest`."""
    return int.from_bytes(digest, "big") % BUCKETS


def is_treated(experiment: str, user: str, weight_bp: int) -> bool:
    """Whether a user is on the treatment at a weight in basis points.

    The treated set at a lower weight is a subset of that at a higher one: raising moves only new users, lowering
    returns exactly those.
    """
    return bucket(experiment, user) < weight_bp


def percent_to_bp(text: str) -> int:
    """``"12.5"`` or ``"12.5%"`` to 1250 basis points.

    Raises:
        InputError: not a number, finer than 0.01 %, or outside 0..100.
    """
    try:
        value = Decimal(text.strip().removesuffix("%").strip()) * 100
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value != value.to_integral_value() or not 0 <= value <= BUCKETS:
        raise InputError(f"{text!r} is not a weight.", "Give a percentage from 0 to 100, in steps of 0.01.")
    return int(value)


def bp_to_percent(weight_bp: int) -> str:
    """1250 to ``"12.5"``, without trailing zeros."""
    whole, rest = divmod(weight_bp, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".") if rest else str(whole)
