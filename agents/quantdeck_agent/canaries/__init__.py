"""Engines asked past the gateway: fixed prompts, latency profiles, an operator's questions, and prompts asked again."""
