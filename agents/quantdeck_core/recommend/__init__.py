"""Which format, engine and division among GPUs suit a model, a machine and what comes first, with reasons."""
