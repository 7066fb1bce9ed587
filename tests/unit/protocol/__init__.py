"""The protocol's parts one by one, and what the simulation found, told step by step."""
