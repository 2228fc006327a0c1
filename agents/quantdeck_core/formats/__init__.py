"""What a checkpoint is, from its headers: no weights are loaded, reads are bounded, nothing is trusted."""
