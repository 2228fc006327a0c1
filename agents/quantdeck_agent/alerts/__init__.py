"""Pages leave the host here: they wait on disk until somebody has taken them."""
