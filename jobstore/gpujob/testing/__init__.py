"""Contract suites that a bucket of your own can pass too: subclass one and give it a back door."""
