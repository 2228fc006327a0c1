"""Experiments: what users were answered becomes a verdict, and a verdict becomes a rollback."""
