"""The agent's side of the gateway: start it, tell it the split, hear what was answered."""
