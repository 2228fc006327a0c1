"""Log files of engines and gateway: bounded on disk, read from their end, followed while they grow."""
