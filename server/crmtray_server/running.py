"""Runs a built server: listens, keeps its background parts going, ends them all.

Owns the process: its event loop, its threads, its signals. Constructs nothing; that is app.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

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
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(server, host, port, ready, alongside))
    finally:
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
    stop = asyncio.Event()
    _stop_on_signals(stop)
    asyncio.get_running_loop().set_default_executor(_Threads(THREADS, thread_name_prefix="asyncio"))
    runner = web.AppRunner(server.web_app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    tasks: list[asyncio.Task[None]] = []
    try:
        await _listen(site, host, port)
        tasks = [
            asyncio.create_task(_keep_running(name, function), name=name) for name, function in server.background()
        ]
        if alongside is not None:
            tasks.append(asyncio.ensure_future(alongside(stop)))
        address = _address(runner, host)
        log.info("listening on %s", address)
        ready(address)
        await stop.wait()
        log.info("stopping")
        await site.stop()
        await server.realtime.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runner.cleanup()


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
