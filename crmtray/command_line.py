"""The commands of `crmtray`. Parses, calls, prints; imports what a command needs when it runs."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from . import __version__, start
from .failure import Failure
from .links import is_link, notification_id
from .words import say, speak

if TYPE_CHECKING:
    from .config import ClientConfig
    from .local_server import LocalServer


class Commands(TyperGroup):
    """A link of ours may stand where a command stands: that is how desktops start the program for one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if len(args) == 1 and is_link(args[0]):
            return OPEN_LINK, self.get_command(ctx, OPEN_LINK), args
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=Commands,
    help="CRM alerts on the desktop: a tray app, and the same in a terminal.",
    pretty_exceptions_enable=False,
    add_completion=False,
)

Server = Annotated[str | None, typer.Option(metavar="URL", help="Address of the server; the last one by default.")]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="A login and a cache of its own.")]
Email = Annotated[str | None, typer.Option(metavar="ADDRESS", help="E-mail address to sign in with.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
OPEN_LINK = "open-link"
DEMO_ROLES = ("seller", "secretary", "ceo")


Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback when the command fails.")]


@app.callback(invoke_without_command=True)
def tray(
    context: typer.Context,
    server: Server = None,
    profile: Profile = None,
    minimized: Annotated[bool, typer.Option("--minimized", help="Start with no window, only the tray icon.")] = False,
    log_level: Annotated[
        str | None, typer.Option(metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR; WARNING by default.")
    ] = None,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    debug: Debug = False,
) -> None:
    """Without a command: the tray app."""
    if version:
        typer.echo(f"crmtray {__version__}")
        raise typer.Exit
    context.obj = {"server": server, "profile": profile, "log_level": log_level}
    if context.invoked_subcommand is None:
        raise typer.Exit(start.in_sight(lambda: start.run_tray(_config(context), minimized)))


@app.command(OPEN_LINK, hidden=True)
def open_link(context: typer.Context, link: str) -> None:
    """Open the center at the notification of a link such as crmtray://notification/ID."""
    raise typer.Exit(
        start.in_sight(lambda: start.run_tray(_config(context), minimized=False, notification=notification_id(link)))
    )


@app.command()
def demo(
    context: typer.Context,
    role: Annotated[str, typer.Option(help="Who signs in: seller, secretary or ceo.")] = "seller",
    duration: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="End after so long.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Try it out: a server with a sample CRM that lives, and a seller signed in to it."""
    if role not in DEMO_ROLES:
        raise typer.BadParameter(f"must be one of {', '.join(DEMO_ROLES)}", param_hint="--role")
    config = _config(context)
    from .local_server import LocalServer, ServerFailed

    try:
        with LocalServer.start(role=role) as server:
            _show_demo(server, config, duration, as_json)
    except ServerFailed as error:
        raise Failure(str(error)) from error


def _show_demo(server: LocalServer, config: ClientConfig, duration: float | None, as_json: bool) -> None:
    if not as_json and start.qt_works():
        from .crash import catch_faults
        from .ui.app import run_demo

        catch_faults()
        code = run_demo(server, duration=duration, config=config)
        if code:
            raise typer.Exit(code)
        return
    if not as_json:
        _speak(config)
        print(say("No hay pantalla: mostrando las alertas en esta terminal (Ctrl+C para salir)."), flush=True)
    from .commands import demo_in_terminal

    _finish(_run(demo_in_terminal(server, config, duration, as_json)))


@app.command()
def login(
    context: typer.Context,
    email: Email = None,
    server: Server = None,
    profile: Profile = None,
    password_stdin: PasswordStdin = False,
    debug: Debug = False,
) -> None:
    """Sign in; the login is kept in the system's keyring."""
    config = _config(context, server=server, profile=profile)
    if email is None:
        raise typer.BadParameter("say which account to sign in with", param_hint="--email")
    if config.server is None:
        raise typer.BadParameter("say which server to sign in at", param_hint="--server")
    from .commands import sign_in

    _speak(config)
    _run(sign_in(config, email, lambda: _password(password_stdin)))
    typer.echo(say("Sesión iniciada en {}.").format(config.server))


@app.command()
def logout(context: typer.Context, server: Server = None, profile: Profile = None, debug: Debug = False) -> None:
    """Sign out; login and cached alerts are deleted from this machine."""
    from .commands import sign_out

    config = _config(context, server=server, profile=profile)
    _speak(config)
    _run(sign_out(config))
    typer.echo(say("Sesión cerrada."))


@app.command()
def listen(
    context: typer.Context,
    server: Server = None,
    profile: Profile = None,
    email: Email = None,
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Print alerts as they arrive. With --email the login lasts only as long as the command."""
    config = _config(context, server=server, profile=profile)
    if email is not None and config.server is None:
        raise typer.BadParameter("say which server to sign in at", param_hint="--server")
    if password_stdin and email is None:
        raise typer.BadParameter("needs --email", param_hint="--password-stdin")
    if not as_json:
        _speak(config)
    password = None if email is None else _password(password_stdin)
    from .commands import listen_to

    _finish(_run(listen_to(config, email, password, as_json)))


@app.command("list")
def list_(
    context: typer.Context,
    profile: Profile = None,
    unread: Annotated[bool, typer.Option("--unread", help="Only unread ones.")] = False,
    kind: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only this kind, e.g. hot_lead.")] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Only with these words.")] = None,
    as_json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the alerts kept on this machine, newest first; works offline."""
    from .commands import show_list

    config = _config(context, profile=profile)
    _speak(config)
    show_list(config, as_json, unread=True if unread else None, type=kind, search=search)


@app.command()
def doctor(
    context: typer.Context,
    server: Server = None,
    profile: Profile = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    debug: Debug = False,
) -> None:
    """Check this workstation: server, login, keyring, tray, cache. Status 1 when something is broken."""
    from .commands import check_up

    config = _config(context, server=server, profile=profile)
    work = check_up(config, as_json, system_proxy=_system_proxy, no_desktop=_no_desktop())
    # Neither asyncio.run nor sys.exit: they wait for threads, and one that asks a dead name server may take minutes.
    good = asyncio.new_event_loop().run_until_complete(work)
    sys.stdout.flush()
    os._exit(0 if good else 1)


@app.command("desktop-checks", hidden=True)
def desktop_checks() -> None:
    """What `crmtray doctor` runs as a process of its own."""
    from .ui.desktop_checks import print_checks

    print_checks()


def _password(from_stdin: bool) -> str:
    password = sys.stdin.readline().rstrip("\r\n") if from_stdin else getpass.getpass(say("Contraseña: "))
    if not password:
        raise Failure("the password is empty")
    return password


# --- surroundings ----------------------------------------------------------------------------------------------


def _config(context: typer.Context, **flags: Any) -> ClientConfig:
    given = {**context.obj, **{name: value for name, value in flags.items() if value is not None}}
    return start.configuration(**given)


def _speak(config: ClientConfig) -> None:
    """The language of the tray app, for views that people read. JSON is the same everywhere, and so are errors."""
    from .system_language import system_language

    speak(system_language() if config.language == "auto" else config.language)


def _system_proxy(server: str) -> str | None:
    try:
        from .ui.system_proxy import system_proxy
    except ImportError:
        return None  # the terminal commands work without Qt
    return system_proxy(server)


def _no_desktop() -> str:
    """Why there is nothing to look at; empty when there is."""
    if not start.has_display():
        return "no display"
    return "" if start.has_qt() else "PySide6 is not installed"


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        return None


def _finish(reason: str | None) -> None:
    if reason is not None:
        raise Failure(reason)
