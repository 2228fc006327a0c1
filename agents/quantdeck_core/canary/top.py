"""The most likely next tokens that two engines name, and how far apart they are."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, isfinite, log

import msgspec

MOST = 20
"""Tokens an engine names at most: the common limit of OpenAI's protocol, vLLM (`--max-logprobs`) and llama-server."""
TIE = 0.1
"""Nats between two tokens of which one is a tenth more likely: which of them comes first says little."""
_LEAST = -50.0
"""Engines write minus infinity as -9999 or so; anything below this is no probability worth the name."""
_FLOOR = 1e-6


class TopTokens(msgspec.Struct, frozen=True, array_like=True):
    """Tokens as text with the natural logarithms of their probabilities, most likely first."""

    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]


def top_tokens(named: Iterable[tuple[str, float | None]]) -> TopTokens | None:
    """Make one of what an engine named; None where a value is no number or a probability above 1.

    Tokens of the same text (special ones are empty texts in llama.cpp, half characters in vLLM) become one.
    """
    shares: dict[str, float] = {}
    for token, logprob in named:
        if logprob is None or (not isfinite(logprob) and logprob != float("-inf")) or logprob > 1e-3:
            return None
        if logprob > _LEAST:
            shares[token] = shares.get(token, 0.0) + exp(logprob)
    best = sorted(shares.items(), key=lambda item: -item[1])[:MOST]
    return TopTokens(tuple(t for t, _ in best), tuple(round(min(0.0, log(p)), 5) for _, p in best)) if best else None


def kl_divergence(control: TopTokens, treatment: TopTokens) -> float:
    """KL(control || treatment) in nats over what both name: never more than the true one, but for rounding.

    Both are cut at the shorter list. Three kinds of outcome are told apart: each token that both name; those that only
    the control names, together, which the treatment gives at most its last named probability each; and all the rest,
    together. Lumping outcomes never raises a KL divergence, and of what the treatment may give to the second kind the
    value is taken that makes the divergence smallest. So two lists that share nothing are still far apart, which they
    would not be if all that is unmatched were one lump.

    Limits: differences inside a lump are not seen, so a flat distribution over hundreds of tokens reads as nearer than
    it is. Forcing the same text on both and comparing few positions is the method of arXiv 2512.03816; that answers
    which change follow KL, of arXiv 2407.09141.
    """
    size = min(len(control.tokens), len(treatment.tokens))
    p = {token: exp(logprob) for token, logprob in zip(control.tokens[:size], control.logprobs, strict=False)}
    q = {token: exp(logprob) for token, logprob in zip(treatment.tokens[:size], treatment.logprobs, strict=False)}
    both = [token for token in p if token in q]
    divergence = sum(p[token] * log(p[token] / q[token]) for token in both)
    only = sum(share for token, share in p.items() if token not in q)
    rest = max(0.0, 1.0 - sum(p.values()))
    free = max(0.0, 1.0 - sum(q[token] for token in both))
    named = sum(share for token, share in q.items() if token not in p)
    # What it may give to the control's own tokens: not what it named otherwise, and to none more than to its last one.
    most = min(max(0.0, free - named), (len(p) - len(both)) * min(q.values()))
    given = min(most, free * only / (only + rest)) if only + rest > 0 else 0.0
    divergence += _term(only, given) + _term(rest, free - given)
    return max(0.0, divergence)


def _term(p: float, q: float) -> float:
    return p * log(p / max(q, _FLOOR)) if p > _FLOOR else 0.0


def same_top(control: TopTokens, treatment: TopTokens) -> bool:
    """Whether the treatment's most likely token is the control's, or one that the control thinks as likely."""
    known = dict(zip(control.tokens, control.logprobs, strict=True))
    return known.get(treatment.tokens[0], float("-inf")) >= control.logprobs[0] - TIE
