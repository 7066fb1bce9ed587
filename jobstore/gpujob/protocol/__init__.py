"""The bucket protocol: submit, claim, beat, finish, cancel, look, clean up. One file a concern; I/O only through
the five verbs of a `Bucket`, decisions in `gpujob.decisions`.

Invariants, kept by all of them: every write of a record is conditional; every unknown outcome is read back; nothing is
deleted before the object that replaces it has positively been seen.
"""
