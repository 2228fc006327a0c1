"""One file a command. Each has `main(argv) -> int` and raises `QuantdeckError` for everything a person can mend."""
