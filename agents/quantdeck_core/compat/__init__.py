"""Which engine serves which format on which hardware: the rules are a table, the code applies them."""
