"""What of a machine's readings a person must hear of."""
