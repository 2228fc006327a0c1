"""The fleet as a console sees it: a pure model fed by events."""
