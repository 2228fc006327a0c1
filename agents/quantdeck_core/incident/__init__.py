"""What happened to an experiment, when it began, where it shows, and whether the quantization is to blame."""
