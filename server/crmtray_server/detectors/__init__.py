"""The four kinds of alert: when each becomes true, and since when. docs/detection.md tells the rules."""

from .detection import Detection

__all__ = ["Detection"]
