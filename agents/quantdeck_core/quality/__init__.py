"""Signals of one finished answer: pure functions of its text, with the source of each rule."""

from quantdeck_core.quality.repetition import Loop
from quantdeck_core.quality.signals import TextSignals, text_signals
from quantdeck_core.quality.suffix_loop import SuffixLoop

__all__ = ["Loop", "SuffixLoop", "TextSignals", "text_signals"]
