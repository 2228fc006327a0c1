"""How a treatment gets its users and loses them again: (state, event, now) -> (state, effects)."""
