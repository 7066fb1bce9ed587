"""The `gpujob` command line."""
