"""Runs a built server: listens or only works, keeps its background parts going, ends them all.

Owns the process: its event loop, its threads, its signals. Constructs nothing; that is app.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from aiohttp import web

from .app import Server, build
from .config import Settings
from .store.database import StoreUnavailable

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 3.0
"""aiohttp waits so long twice: longer than a request to the CRM takes. With the store's seconds it is less than ten."""
THREADS = 16
RESTART_SECONDS = 2.0


def run(
    settings: Settings,
    host: str,
    port: int,
    ready: Callable[[str], None],
    add_routes: Callable[[web.Application], None] | None = None,
    alongside: Callable[[asyncio.Event], Awaitable[None]] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT. `alongside(stop)` runs with the server and may set `stop` to end it."""
    server = build(settings, add_routes)
    _run(server, _serve(server, host, port, ready, alongside))


def work(settings: Settings, ready: Callable[[], None]) -> None:
    """Does the background work, without a listening socket, until SIGTERM or SIGINT."""
    server = build(settings)
    _run(server, _work(server, ready))


def _run(server: Server, main: Coroutine[Any, Any, None]) -> None:
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(main)
    finally:
        server.duty.close()
        server.store.close()
        for engine in server.engines:
            engine.dispose()


class _Threads(ThreadPoolExecutor):
    """asyncio's own: a name service, or a CRM, that never answers must not keep the server from ending."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def _serve(
    server: Server,
    host: str,
    port: int,
    ready: Callable[[str], None],
    alongside: Callable[[asyncio.Event], Awaitable[None]] | None,
) -> None:
    stop = _prepared()
    runner = web.AppRunner(server.web_app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    tasks: list[asyncio.Task[None]] = []
    try:
        await _listen(site, host, port)
        tasks = _begin(server)
        if alongside is not None:
            tasks.append(asyncio.ensure_future(alongside(stop)))
        address = _address(runner, host)
        log.info("listening on %s", address)
        ready(address)
        await stop.wait()
        log.info("stopping")
        await site.stop()
        await asyncio.gather(_end(tasks), server.realtime.close())
    finally:
        await _end(tasks)
        await asyncio.gather(server.duty.resign(), runner.cleanup())


async def _work(server: Server, ready: Callable[[], None]) -> None:
    stop = _prepared()
    tasks = _begin(server)
    try:
        log.info("working")
        ready()
        await stop.wait()
        log.info("stopping")
    finally:
        await _end(tasks)
        await asyncio.gather(server.duty.resign(), server.hub.close())


def _prepared() -> asyncio.Event:
    """Of the running loop: its threads, its signals, which set what is returned."""
    asyncio.get_running_loop().set_default_executor(_Threads(THREADS, thread_name_prefix="asyncio"))
    stop = asyncio.Event()
    _stop_on_signals(stop)
    return stop


def _begin(server: Server) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(_keep_running(name, function), name=name) for name, function in server.background()]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(f"cannot listen on {host}:{port}: {reason}. Choose another with --port.") from None


def _address(runner: web.AppRunner, host: str) -> str:
    port = runner.addresses[0][1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl+C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, stop.set)


async def _keep_running(name: str, function: Callable[[], Awaitable[None]]) -> None:
    """A background part that fails is started again: one lost connection must not end alerts until a restart."""
    while True:
        try:
            await function()
        except StoreUnavailable as error:
            log.warning("%s: the store is not available, trying again: %s", name, error)
        except Exception:
            log.exception("%s failed, starting it again", name)
        await asyncio.sleep(RESTART_SECONDS)
