"""Text for a terminal or a log. What comes from the bucket is untrusted: it may hold control sequences.

Invariant: what `clean` returns moves no cursor, rings no bell, changes no colour and reorders no letters.
"""

from __future__ import annotations

import unicodedata

_KEPT = {"\n", "\t", "\u200c", "\u200d"}
"""The two joiners move nothing, and letters of Persian and parts of an emoji need them."""


def clean(text: object, *, lines: bool = False) -> str:
    """`text` without control and direction characters; on one line, its tabs as spaces, unless `lines`."""
    kept = "".join(
        one for one in str(text) if one in _KEPT or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )
    return kept if lines else kept.replace("\n", " ").replace("\t", " ")
