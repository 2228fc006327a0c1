"""From a profile to the command line of an engine."""
