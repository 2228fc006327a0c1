"""Fuzzing of what reads other people's files: `make fuzz` (ARGS="--seconds 300")."""
