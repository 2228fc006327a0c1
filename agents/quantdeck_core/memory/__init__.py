"""Will it fit: weights, KV cache and overhead against a device's memory, before anything starts."""
