"""The image room: which model, loading it, painting, and what a file says of its origin."""
