"""The daemon of a host: it owns the truth about engines, experiments and rollbacks there."""

__version__ = "0.1.0"
