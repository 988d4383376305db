"""What delivery and connections cost the server's process, beside a stock server and the floor in the same minute.

`python -m tests.bench.sockets [NAME=FOLDER ...]` measures other versions of the server as well, each from its folder.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
import uvloop

from .load import Client, Process, Spent, token
from .servers import PING_SECONDS

ROUNDS = 5
EVENTS, CLIENTS, MANY, CROWD = 200, 1000, 500, 4000
BURST = 16
RATES, PACED_SECONDS = (100, 300), 4.0
IDLE_SECONDS = 2.0 * PING_SECONDS

Figures = dict[str, list[float]]
Step = Callable[[Process], Awaitable[float]]


async def single(process: Process) -> float:
    """One item and the count, each commit in a turn of its own, all to one user: CPU for each item."""
    spent = Spent(process)
    await process.ask("single", EVENTS, user="0", seq=_advance(process, EVENTS), times=EVENTS, count=1)
    return spent.each(EVENTS)


async def burst(process: Process) -> float:
    """Commits of sixteen items for one user."""
    spent = Spent(process)
    seq = _advance(process, BURST * 12)
    await process.ask("single", BURST * 12, user="0", seq=seq, times=12, count=BURST)
    return spent.each(BURST * 12)


async def everyone(process: Process) -> float:
    """One commit with an item for each of many users."""
    spent = Spent(process)
    users = [str(number) for number in range(MANY)]
    await process.ask("everyone", MANY, users=users, seq=_advance(process, 1))
    return spent.each(MANY)


def _advance(process: Process, count: int) -> int:
    first, process.seq = process.seq, process.seq + count
    return first


async def paced(process: Process, rate: int) -> list[float]:
    """Milliseconds from the beginning of `POST /notifications` to the item at its client, at a steady pace."""
    began: dict[str, float] = {}
    took: list[float] = []

    def arrived(client: Client, body: bytes) -> None:
        key = json.loads(body[2:])[1]["title"]
        if key in began:
            took.append((time.perf_counter() - began.pop(key)) * 1e3)

    process.observe = arrived
    headers = {"Authorization": f"Bearer {token('0', scope='notifications:write')}"}
    async with aiohttp.ClientSession(headers=headers) as session, asyncio.TaskGroup() as group:
        for number in range(int(rate * PACED_SECONDS)):
            group.create_task(_post(session, process, f"key {number} {time.monotonic_ns()}", number, began))
            await asyncio.sleep(1 / rate)
    async with asyncio.timeout(10):
        while began:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    process.observe = None
    return took


async def _post(
    session: aiohttp.ClientSession, process: Process, key: str, number: int, began: dict[str, float]
) -> None:
    body = {
        "user_id": str(MANY + number % MANY), "type": "hot_lead", "title": key, "message": "Lead de Meta Ads",
        "data": {"lead_id": str(number)}, "priority": "high", "dedupe_key": key,
    }  # fmt: skip
    began[key] = time.perf_counter()
    async with session.post(f"http://127.0.0.1:{process.port}/notifications", json=body) as response:
        if response.status != 201:
            raise RuntimeError(await response.text())


async def in_turns(processes: Sequence[Process], step: Step, rounds: int = ROUNDS) -> Figures:
    """A B C, then C B A: what else runs on the machine hits all alike. The first turn of each warms up."""
    figures: Figures = {process.kind: [] for process in processes}
    for number in range(-1, rounds):
        for process in processes if number % 2 else reversed(processes):
            figure = await step(process)
            if number >= 0:
                figures[process.kind].append(figure)
    return figures


def report(what: str, unit: str, figures: Figures) -> None:
    base = statistics.median(figures["floor"]) if "floor" in figures else None
    parts = []
    for kind, values in figures.items():
        middle = statistics.median(values)
        ratio = f", {middle / base:.2f}x floor" if base else ""
        parts.append(f"{kind} {middle:.3g} ({min(values):.3g}-{max(values):.3g}{ratio})")
    print(f"{what}, {unit}: {'; '.join(parts)}", flush=True)


async def connecting(processes: Sequence[Process]) -> None:
    cpu, memory = Figures(), Figures()
    for process in processes:
        await process.connect(50)  # what is loaded and made once
        await process.disconnect()
        before, spent = process.private_kb(), Spent(process)
        await process.connect(CLIENTS)
        cpu[process.kind] = [spent.each(CLIENTS)]
        memory[process.kind] = [(process.private_kb() - before) / CLIENTS]
    report(f"connect, token and subscription, {CLIENTS} clients", "µs of CPU each", cpu)
    report("private memory of a connection", "KB", memory)


async def idling(processes: Sequence[Process]) -> None:
    spent = [Spent(process) for process in processes]
    await asyncio.sleep(IDLE_SECONDS)
    shares = {process.kind: [one.share()] for process, one in zip(processes, spent, strict=True)}
    report(f"{CLIENTS} idle connections, a ping each {PING_SECONDS} s", "% of a core", shares)


async def leaving(processes: Sequence[Process]) -> None:
    for count in (CLIENTS, CROWD):
        figures = Figures()
        for process in processes:
            if count != CLIENTS:
                await process.connect(count)
            spent = Spent(process)
            await process.disconnect()
            figures[process.kind] = [spent.each(count)]
        report(f"{count} clients gone at once", "µs of CPU each", figures)


async def pacing(processes: Sequence[Process]) -> None:
    for rate in RATES:
        for process in processes:
            if process.kind == "floor":
                continue
            spent = Spent(process)
            took = sorted(await paced(process, rate))
            p50, p99 = (took[int(len(took) * share)] for share in (0.5, 0.99))
            print(
                f"POST to client, {rate}/s, {process.kind}: p50 {p50:.3g} ms, p99 {p99:.3g} ms, "
                f"{spent.each(len(took)):.0f} µs of CPU each",
                flush=True,
            )


async def measure(processes: Sequence[Process]) -> None:
    await connecting(processes)
    report("one item to one user, flat out", "µs of CPU each", await in_turns(processes, single))
    report(f"commits of {BURST} items to one user", "µs of CPU each item", await in_turns(processes, burst))
    report(f"one commit, an item for each of {MANY} users", "µs of CPU each", await in_turns(processes, everyone))
    await pacing(processes)
    await idling(processes)
    await leaving(processes)


def main(others: Sequence[str] = ()) -> None:
    with tempfile.TemporaryDirectory() as name:
        processes: list[Process] = []
        try:
            for kind in ("ours", "stock", "floor"):
                processes.append(Process(kind, Path(name)))
            for other in others:
                label, _, folder = other.partition("=")
                Path(name, label).mkdir()
                processes.append(Process(f"ours {label}", Path(name, label), os.environ | {"PYTHONPATH": folder}))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(measure(processes))
        finally:
            for process in processes:
                process.close()


if __name__ == "__main__":
    main(sys.argv[1:])
