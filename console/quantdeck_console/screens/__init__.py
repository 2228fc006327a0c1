"""One file a screen; they know the fleet model and the registry of actions, and no SSH."""
