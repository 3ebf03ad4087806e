"""The corpus of recorded answers: reading it, asking a gateway in its own process, comparing."""
