"""Models as artifacts: names, manifests, chunks, room, where they come from, and what may go. Pure."""
