"""Every message that crosses a process border, typed once: TOML, the wire and ``--json`` use the same types."""
