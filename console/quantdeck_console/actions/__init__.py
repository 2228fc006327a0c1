"""What a user can do: the registry, and the changes themselves."""
