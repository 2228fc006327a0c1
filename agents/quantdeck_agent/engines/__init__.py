"""Engines: started right, probed before users come, drained before they end."""
