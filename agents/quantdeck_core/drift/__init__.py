"""Is the treatment as good as the control? Windows of answers, thresholds, and a verdict in words."""
