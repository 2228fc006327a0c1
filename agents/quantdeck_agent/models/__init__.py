"""Models on this host's disk: what is there, how they come, how they are checked, and how they go."""
