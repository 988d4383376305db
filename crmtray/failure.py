"""The one error that ends a command with a sentence instead of a traceback. Standard library only."""


class Failure(Exception):
    """What the person at the terminal can mend: one sentence."""
