"""Runs the server's benchmarks: one line each with ours, the reference, and how many times the reference ours is."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from . import sockets, storing

if __name__ == "__main__":
    with asyncio.Runner(loop_factory=None if sys.platform == "win32" else uvloop.new_event_loop) as runner:
        runner.run(storing.main())
    if sys.platform == "linux":  # CPU and memory of other processes are read from /proc
        sockets.main()
