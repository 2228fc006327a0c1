"""Profiles: how a checkpoint is served, as TOML that a person writes."""
