"""A process of its own, beside the request path: reads finished answers and serves what they say about the model."""
