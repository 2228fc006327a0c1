"""Checkpoints on this machine's disk: read by their headers, and hashed. Console and agent both need it."""
