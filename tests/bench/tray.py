"""The tray app as a person has it: how soon its icon is there, what it holds, what it does while nothing happens, and
whether it grows.

The real program in a private desktop with a real panel, signed in at a real server process. The references start in the
same desktop, in turns with it, and their icons are noticed in the same way: when the panel has registered them.
Python's compiled files are there, as they are on a workstation.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus

from tests.e2e.workstation import CRMTRAY, PASSWORD, Workstation, workstation
from tests.harness.desktop import Desktop, desktop, wait_until
from tests.harness.server import ServerProcess, sign

PROGRAMS = Path(__file__).with_name("tray_programs.py")
STARTS, MEMORY_ROUNDS = 9, 3
IDLE_SECONDS, SETTLE_SECONDS = 25.0, 3.0
LIMIT, LOOK_SECONDS = 60.0, 0.02
EACH, POSTS = 1000, 10
WATCHER, WATCHER_PATH = "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
OURS = [*CRMTRAY, "--minimized"]


def reference(name: str) -> list[str]:
    return [sys.executable, "-P", str(PROGRAMS), name]


# --- the panel -----------------------------------------------------------------------------------------------------


class Panel:
    """Notes when the panel has an icon, and reads its tooltip."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._registered: asyncio.Queue[tuple[float, str]] = asyncio.Queue()
        bus.add_message_handler(self._heard)

    def _heard(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL and message.member == "StatusNotifierItemRegistered":
            self._registered.put_nowait((time.perf_counter(), str(message.body[0])))

    def forget(self) -> None:
        while not self._registered.empty():
            self._registered.get_nowait()

    async def icon(self) -> tuple[float, float, str]:
        """When the next one was registered, when it had given its picture, and where it is."""
        async with asyncio.timeout(LIMIT):
            registered, icon = await self._registered.get()
            reply = await self._bus.call(_asking(icon, "IconPixmap"))
        assert reply is not None and reply.body[0].value, "an icon without a picture"
        return registered, time.perf_counter(), icon

    async def tooltip(self, icon: str, text: str) -> float:
        """When this was in the icon's tooltip."""
        for _ in range(round(LIMIT / LOOK_SECONDS)):
            reply = await self._bus.call(_asking(icon, "ToolTip"))
            # A thousand is written with a mark or without, as the country has it.
            if reply is not None and text in re.sub(r"(?<=\d)\D(?=\d)", "", str(reply.body)):
                return time.perf_counter()
            await asyncio.sleep(LOOK_SECONDS)
        raise TimeoutError(f"waited in vain for {text!r} in the icon's tooltip")


def _asking(icon: str, what: str) -> Message:
    name, _, path = icon.partition("/")
    return Message(
        destination=name, path=f"/{path}", interface="org.freedesktop.DBus.Properties", member="Get",
        signature="ss", body=[ITEM, what],
    )  # fmt: skip


@asynccontextmanager
async def panel(session: Desktop) -> AsyncIterator[Panel]:
    bus = MessageBus(bus_address=session.environment["DBUS_SESSION_BUS_ADDRESS"], bus_type=BusType.SESSION)
    await bus.connect()
    seen = Panel(bus)
    rule = f"type='signal',interface='{WATCHER}',path='{WATCHER_PATH}'"
    bus_itself = "org.freedesktop.DBus"
    await bus.call(Message(bus_itself, "/org/freedesktop/DBus", bus_itself, "AddMatch", signature="s", body=[rule]))
    try:
        yield seen
    finally:
        bus.disconnect()


# --- one process ---------------------------------------------------------------------------------------------------


@dataclass
class Program:
    """A program in the desktop, whose icon is there."""

    process: subprocess.Popen[bytes]
    icon: str
    registered_ms: float
    icon_ms: float
    started: float

    def memory(self) -> dict[str, float]:
        """In MB: resident, its share of what is shared, and what is its alone."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        kept = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
        private = kept["Private_Clean"] + kept["Private_Dirty"]
        return {"RSS": kept["Rss"] / 1024, "PSS": kept["Pss"] / 1024, "private": private / 1024}

    def cpu(self) -> float:
        """Seconds, of all its threads; `stat` counts in hundredths, too coarse for a program that idles."""
        kept = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in kept) / 1e9

    async def end(self) -> None:
        self.process.terminate()
        await asyncio.to_thread(self.process.wait, 30)


class Bench:
    def __init__(self, station: Workstation, seen: Panel, server: ServerProcess, folder: Path) -> None:
        self.station, self.panel, self.server, self.folder = station, seen, server, folder
        # Compiled files of its own: what is measured is not how long Python takes to read source.
        self.environment = {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}

    async def start(self, command: list[str], **environment: str) -> Program:
        self.panel.forget()
        started = time.perf_counter()
        process = self.station.desktop.start(command, self.station.log, **self.environment, **environment)
        registered, shown, icon = await self.panel.icon()
        return Program(process, icon, (registered - started) * 1e3, (shown - started) * 1e3, started)

    async def connected(self, program: Program) -> float:
        """Milliseconds from its start."""
        return (await self.panel.tooltip(program.icon, "En tiempo real") - program.started) * 1e3

    def tell(self, first: int, count: int) -> None:
        """Other programs' notifications for this person, in one request."""
        items = [
            {
                "user_id": "7", "type": "hot_lead", "title": f"Lead caliente {number}", "priority": "medium",
                "message": f"Lead {number} de Meta Ads con 85% probabilidad de conversión",
                "data": {"lead_name": f"Micaela {number}", "phone_number": f"+54911{number:08}"},
                "actions": [{"label": "Contactar", "action": "view_lead"}],
            }
            for number in range(first, first + count)
        ]  # fmt: skip
        headers = {"Authorization": f"Bearer {sign('7', scope='notifications:write')}"}
        headers["Content-Type"] = "application/json"
        address = self.server.url + "/notifications"
        request = urllib.request.Request(address, json.dumps(items).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 201


# --- the figures ---------------------------------------------------------------------------------------------------


def report(what: str, unit: str, ours: list[float], name: str, other: list[float], goal: float) -> None:
    mine, theirs = statistics.median(ours), statistics.median(other)
    print(
        f"{what}: {mine:.3g} {unit}; {name}: {theirs:.3g} {unit}; ratio {mine / theirs:.2f} (goal {goal})", flush=True
    )


async def starts(bench: Bench) -> None:
    ours: list[Program] = []
    bare: list[Program] = []
    connected = []
    for number in range(STARTS + 1):
        program = await bench.start(OURS)
        until = await bench.connected(program)
        await program.end()
        other = await bench.start(reference("bare"))
        await other.end()
        if number:  # the first compiles
            ours.append(program)
            connected.append(until)
            bare.append(other)
    for what, mine, theirs in (
        ("start to the panel's having the icon", [one.icon_ms for one in ours], [one.icon_ms for one in bare]),
        ("start to icon registered", [one.registered_ms for one in ours], [one.registered_ms for one in bare]),
    ):
        report(what, "ms", mine, "a bare Qt tray program", theirs, 1.6)
    print(f"start to connected in real time: {statistics.median(connected):.3g} ms", flush=True)


async def memory(bench: Bench) -> None:
    """Signed in and connected; the center not opened yet."""
    ours: list[dict[str, float]] = []
    other: list[dict[str, float]] = []
    for _ in range(MEMORY_ROUNDS):
        for command, figures in ((OURS, ours), (reference("libraries"), other)):
            program = await bench.start(command)
            if command is OURS:
                await bench.connected(program)
            await asyncio.sleep(SETTLE_SECONDS)
            figures.append(program.memory())
            await program.end()
    for kind in ("RSS", "PSS", "private"):
        mine, theirs = [one[kind] for one in ours], [one[kind] for one in other]
        report(f"memory ({kind})", "MB", mine, "the same libraries, idle", theirs, 1.3)


async def idle(bench: Bench) -> None:
    """Both at once: what they use is counted by process."""
    ours = await bench.start(OURS)
    await bench.connected(ours)
    bare = await bench.start(reference("bare"))
    await asyncio.sleep(SETTLE_SECONDS)
    before, began = (ours.cpu(), bare.cpu()), time.perf_counter()
    await asyncio.sleep(IDLE_SECONDS)
    seconds = time.perf_counter() - began
    used, other = ((program.cpu() - was) / seconds * 100 for program, was in zip((ours, bare), before, strict=True))
    print(f"idle: {used:.2f} % of a core; a bare Qt tray program: {other:.2f} % (goal 0.2 %)", flush=True)
    await bare.end()
    await ours.end()


async def growth(bench: Bench) -> None:
    """With the center open, and our own toasts, because the desktop has no service for them."""
    objects = bench.folder / "objects"
    command = [sys.executable, "-P", str(PROGRAMS), "counted"]
    program = await bench.start(command, BENCH_OBJECTS=str(objects))
    await bench.connected(program)
    levels = []
    for number in range(1, POSTS + 1):
        await asyncio.to_thread(bench.tell, (number - 1) * EACH, EACH)
        await bench.panel.tooltip(program.icon, f" {number * EACH} sin leer")
        levels.append(await asyncio.to_thread(_level, program, objects))
    await asyncio.sleep(SETTLE_SECONDS)
    (first, had), (last, has) = levels[0], await asyncio.to_thread(_level, program, objects)
    print(
        f"after {EACH} notifications {first:.1f} MB and {had} objects; after {POSTS * EACH} {last:.1f} MB"
        f" ({last - first:+.1f}) and {has} objects ({has - had:+})",
        flush=True,
    )
    await program.end()


def _level(program: Program, file: Path) -> tuple[float, int]:
    """Resident MB, and Python's objects after a collection."""
    file.unlink(missing_ok=True)
    program.process.send_signal(signal.SIGUSR1)
    wait_until(file.exists, "the number of objects", LIMIT)
    return program.memory()["RSS"], int(file.read_text())


async def measure(station: Workstation, server: ServerProcess, folder: Path) -> None:
    async with panel(station.desktop) as seen:
        bench = Bench(station, seen, server, folder)
        for part in (starts, memory, idle, growth):
            if not sys.argv[1:] or part.__name__ in sys.argv[1:]:
                await part(bench)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ServerProcess(folder) as server:
            server.add_user("7", "juan@demo.example", "seller", PASSWORD)
            server.loud_at_any_time("7")
            with desktop(notifications=False) as session, workstation(session, folder) as station:
                station.sign_in(server.url, "juan@demo.example", PASSWORD)
                asyncio.run(measure(station, server, folder))


if __name__ == "__main__":
    main()
