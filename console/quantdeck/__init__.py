"""The one command: it knows every part by name and imports only the one that was asked for."""
