"""Long documents out of a few words, the same ones every time: long-context prompts without long files."""

from __future__ import annotations

_PLACES = ("north pier", "old mill", "market square", "railway bridge", "upper lock", "glass house", "south quay")
_PEOPLE = ("Amina", "Bertrand", "Chen", "Dolores", "Emre", "Farida", "Goran", "Hanne", "Ivo", "Jun", "Kamala")
_DEEDS = (
    "counted {n} crates of lemons and found {m} of them empty",
    "repaired the pump after {n} minutes and wrote {m} lines about it",
    "sold {n} tickets before noon and {m} after it",
    "measured the water at {n} centimetres, {m} less than the week before",
    "sent {n} letters to the harbour office and got {m} answers",
    "lent the long ladder to {n} neighbours, of whom {m} brought it back",
    "painted {n} doors green and left {m} of them to dry",
    "heard the bell {n} times and the horn {m} times",
    "weighed {n} sacks of flour for the bakery and put {m} aside",
)


def register(entries: int, *, code_at: int, code: str) -> str:
    """Numbered entries of about 26 tokens each in common vocabularies, with a code hidden in one of them."""
    return "\n".join(_entry(number, code if number == code_at else "") for number in range(1, entries + 1))


def _entry(number: int, code: str) -> str:
    # Different prime steps: no two entries are alike, and nothing is random.
    person, place = _PEOPLE[number * 7 % len(_PEOPLE)], _PLACES[number * 5 % len(_PLACES)]
    deed = _DEEDS[number * 4 % len(_DEEDS)].format(n=10 + number * 37 % 83, m=1 + number * 13 % 9)
    hidden = f" The code of the day was {code}." if code else ""
    return f"Entry {number}. At the {place}, {person} {deed}.{hidden}"
