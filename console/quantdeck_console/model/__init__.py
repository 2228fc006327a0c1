"""What screens and plain output share: pure text, no widgets."""
