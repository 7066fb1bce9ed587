"""The command line: a client of the library, which starts the worker through its own entry point."""
