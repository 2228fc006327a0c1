"""From what the proxy saw to what agents hear of it: pure functions."""

from __future__ import annotations

from quantdeck_core.protocol.signals import REPETITION, Answer, AnswerRating, AnswerSignals, Signal
from quantdeck_core.quality import text_signals
from quantdeck_gateway.analyser.content import Content, read_events, read_json
from quantdeck_gateway.handover import FinishedAnswer, Handed, RatedAnswer


def to_answer(finished: FinishedAnswer) -> Answer:
    """An answer with its text, from what the proxy saw."""
    content = read_events(finished.body) if finished.stream else read_json(finished.body)
    # What is longer than what is kept of an answer has its end cut off: then HTTP's word is all there is.
    complete = finished.ended and finished.status == 200 and (content.done or finished.cut or finished.looped)
    return Answer(
        experiment=finished.experiment,
        variant=finished.variant,
        generation=finished.generation,
        replica=finished.replica,
        user=finished.user,
        t=finished.t,
        status=finished.status,
        complete=complete,
        stream=finished.stream,
        text=content.text,
        calls=content.calls,
        finish_reason=REPETITION if finished.looped else content.finish_reason,
        prompt_tokens=content.prompt_tokens,
        completion_tokens=content.completion_tokens,
        ttft_ms=finished.ttft_ms,
        e2e_ms=finished.e2e_ms,
        itl_ms=_gap_ms(finished, content),
        shadow=finished.shadow,
        segment=finished.segment,
        prompt_bytes=finished.prompt_bytes if content.prompt_tokens is None else 0,
        cut=finished.looped,
    )


def _gap_ms(finished: FinishedAnswer, content: Content) -> float | None:
    """Mean time between two events; None where not all of them are known, or one was all."""
    if finished.streamed_ms is None or finished.cut or finished.looped or content.events < 2:
        return None
    return finished.streamed_ms / (content.events - 1)


def to_signals(answer: Answer, seq: int) -> AnswerSignals:
    """What may leave the analyser: no text any more."""
    signals = text_signals(answer.text)
    return AnswerSignals(
        seq=seq,
        experiment=answer.experiment,
        variant=answer.variant,
        generation=answer.generation,
        replica=answer.replica,
        user=answer.user,
        t=answer.t,
        status=answer.status,
        complete=answer.complete,
        stream=answer.stream,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        ttft_ms=answer.ttft_ms,
        e2e_ms=answer.e2e_ms,
        itl_ms=answer.itl_ms,
        shadow=answer.shadow,
        segment=answer.segment,
        prompt_bytes=answer.prompt_bytes,
        cut=answer.cut,
        # What the gateway saw of a stream may be longer than what is kept of it.
        repetition=signals.repetition or answer.cut,
        loop=signals.loop or ("suffix" if answer.cut else ""),
        refusal=signals.refusal,
        coherence=signals.coherence,
        garbled=signals.garbled,
        empty=signals.empty and answer.complete and not answer.calls,
        words=signals.words,
    )


def to_signal(handed: Handed, seq: int) -> Signal:
    """What agents hear of what the proxy handed over."""
    if not isinstance(handed, RatedAnswer):
        return to_signals(to_answer(handed), seq)
    return AnswerRating(
        seq=seq,
        experiment=handed.experiment,
        variant=handed.variant,
        generation=handed.generation,
        answer=handed.answer,
        rating=handed.rating,
        task_completed=handed.task_completed,
        session_continued=handed.session_continued,
        t=handed.t,
    )
