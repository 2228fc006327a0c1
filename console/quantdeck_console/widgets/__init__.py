"""Drawing primitives."""
