"""Answers of an agent about the past."""

from __future__ import annotations

import msgspec


class SeriesPoints(msgspec.Struct, frozen=True, kw_only=True):
    """One series; the n-th value is of the n-th step, null where there was no reading."""

    min: list[float | None]
    mean: list[float | None]
    max: list[float | None]
    last: list[float | None]


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/history.

    Attributes:
        start: UNIX time of the first step, seconds; `step` is the length of each.
    """

    start: int
    step: int
    series: dict[str, SeriesPoints]


class SeriesList(msgspec.Struct, frozen=True, kw_only=True):
    """GET /v1/history without a series: those that there are.

    Attributes:
        note: why the past is not kept on disk; empty where it is.
    """

    series: list[str]
    note: str = ""
