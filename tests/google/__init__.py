"""Our own strict imitation of Google Cloud Storage's XML API. An imitation: nothing here is Google's, nothing reaches it.

It follows the public documentation of November 2026 and what others measured on the real service, and where those leave
a choice it takes the harsher one. What it knows and the real service does not is in `tests/google/README.md`.
"""

ACCESS_ID, SECRET = "GOOG1IMITATEDACCESSIDOFNOUSEELSEWHERE", "imitated-secret-of-no-use-elsewhere"
TOKEN = "imitated-token-"  # what every OAuth token of it begins with


def known_secrets() -> list[str]:
    """The secret of its HMAC key, and what its tokens begin with."""
    return [SECRET, TOKEN]
