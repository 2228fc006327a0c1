"""A tiny language model made on the spot: engines load, quantize and stream it like any other, and it can be damaged.

It is a chain of words in transformer clothes. It writes readable English and ends by itself, but it knows nothing.
"""

from quantdeck_demo.model.prompts import prompt_words, sample_prompts
from quantdeck_demo.model.variants import VARIANTS, make_models

__all__ = ["VARIANTS", "make_models", "prompt_words", "sample_prompts"]
