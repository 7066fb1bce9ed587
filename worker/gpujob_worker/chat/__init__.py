"""Chat with language models: an Ollama daemon, its models, and one answer at a time."""
