"""Signals of one finished answer: pure functions of its text, with the source of each rule."""

from quantdeck_core.quality.signals import TextSignals, text_signals

__all__ = ["TextSignals", "text_signals"]
