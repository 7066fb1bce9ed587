"""Narration: a script becomes speech, files, a timeline and subtitles. Invariant: every time is a count of samples."""
