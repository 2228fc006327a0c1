"""Real engines under a real agent: `make test-engines`."""
