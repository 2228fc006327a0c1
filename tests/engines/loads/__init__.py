"""Real loads of synthetic models, to hold the memory arithmetic against what engines allocate."""
