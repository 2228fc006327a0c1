"""The panes as plain text, for commands and for terminals that cannot draw: the TUI's own lines without tones."""
