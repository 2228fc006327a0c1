"""Checkpoints on this machine's disk: what their headers say, and what exactly they are."""
