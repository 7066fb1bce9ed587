"""The stores: the five-verb `Bucket` protocol, its implementations, and decorators of one idea each."""
