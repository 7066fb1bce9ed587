"""Signed jobs, results and cache entries: Ed25519 through `cryptography`, which is imported only where a key is used."""
