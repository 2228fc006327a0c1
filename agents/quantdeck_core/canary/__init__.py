"""Fixed-prompt canaries: the same prompts asked of both arms, to find a wrong or damaged checkpoint before users do."""
