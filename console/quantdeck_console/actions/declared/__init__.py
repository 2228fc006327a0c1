"""The registry, a file a pane: keys, words and dangers."""
