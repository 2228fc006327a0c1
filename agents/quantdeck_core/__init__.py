"""The judgement of quantdeck: pure decisions without I/O, event loop or clock.

Time is always an argument, so each rule can be tested without waiting.
"""
