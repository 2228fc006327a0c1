"""The data plane: splits users between two variants, streams their answers, and hands the text to an analyser."""

__version__ = "0.1.0"
