"""`crmtray-server` and its commands. Parses, calls, prints; imports what a command needs when it runs."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crmtray import __version__
from crmtray.protocol import User

from . import config, logs
from .config import Settings
from .ending import Failure, explain, leave

if TYPE_CHECKING:
    from .store.database import Store

app = typer.Typer(
    help="The server of crmtray: reads a CRM, decides who must know what, keeps every person's feed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
users = typer.Typer(help="Accounts of people who sign in at this server.", no_args_is_help=True)
app.add_typer(users, name="user")

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any free one.")]
Email = Annotated[str, typer.Option(help="E-mail address, the same in any case.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
ROLES = ("seller", "secretary", "ceo", "admin")
SHORTEST_PASSWORD = 8
LONGEST_TTL = 10 * 365 * 86_400


def _not_empty(value: str) -> str:
    if not value.strip():
        raise typer.BadParameter("must not be empty")
    return value


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when a command fails.")] = False,
) -> None:
    if version:
        typer.echo(f"crmtray-server {__version__}")
        raise typer.Exit


@app.command()
def serve(host: Host = "127.0.0.1", port: Port = 8000) -> None:
    """Run the server. When it is ready, one JSON line with its address stands on standard output."""
    from .running import run

    settings = _settings()
    run(settings, host, port, lambda url: print(json.dumps({"event": "ready", "url": url}), flush=True))


@app.command()
def worker() -> None:
    """Do the background work without serving anybody. When it has begun, one JSON line stands on standard output."""
    from .running import work

    work(_settings(), lambda: print(json.dumps({"event": "ready"}), flush=True))


@app.command()
def demo(
    role: Annotated[str, typer.Option(help="Who signs in: ceo, seller or secretary.")] = "seller",
    seed: Annotated[int, typer.Option(help="The same number, the same sample CRM.")] = 1,
) -> None:
    """Run a throw-away server with a sample CRM that lives; ends with its standard input."""
    from .demo_server import run

    if role not in ("ceo", "seller", "secretary"):
        raise typer.BadParameter("must be ceo, seller or secretary", param_hint="--role")
    logs.configure("WARNING", "text")
    run(role, seed, lambda ready: print(json.dumps(ready, ensure_ascii=False), flush=True))


@app.command()
def migrate(
    source: Annotated[
        str | None, typer.Option("--from", help="Move the store at this address into the empty DATABASE_URL.")
    ] = None,
) -> None:
    """Bring the store's schema up to date. `serve` does it too; here it runs alone, for a separate database role."""
    from .store import migrate as migrations
    from .store.database import make_engine

    if source is not None:
        _move(source, _settings().database_url)
        return
    engine = make_engine(_settings().database_url)
    migrations.upgrade(engine)
    typer.echo(f"schema {migrations.newest()} is in place")


def _move(source: str, target: str) -> None:
    from .store.move import move

    try:
        config.check_database_url(source)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--from") from None
    counts = move(source, target)
    for table, rows in counts.items():
        typer.echo(f"{table}: {rows}")
    typer.echo("moved; start the server with the new DATABASE_URL, clients go on where they are")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to make; there must be none yet.")],
) -> None:
    """Copy the store into a file, also while the server runs."""
    from .store import backup as copies

    contents = copies.backup(_settings().database_url, file)
    typer.echo(f"backed up to {file}: {contents}")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="What `backup` made, with either database.")]) -> None:
    """Put a backup in place of the store, also while the server runs. What the store holds now is lost."""
    from .store import backup as copies

    contents = copies.restore(file, _settings().database_url)
    typer.echo(f"restored from {file}: {contents}; all clients load anew")


@app.command()
def check() -> None:
    """Look whether everything the server needs is there: store, CRM and its columns. Says how to mend what is not."""
    from .checkup import OK
    from .checkup import check as look

    wrong: list[str] = []
    for part, sentence in look(_settings()):
        typer.echo(f"{part}: {logs.redact(sentence)}")
        wrong += [] if sentence == OK or sentence.startswith(f"{OK}, ") else [part]
    if wrong:
        raise Failure(f"not in order: {', '.join(wrong)}")


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of this version; a running server has it at /openapi.json, for people at /docs."""
    from .api.docs_page import described

    typer.echo(json.dumps(described(), ensure_ascii=False, indent=2))


@app.command()
def token(
    user_id: Annotated[str, typer.Option(callback=_not_empty, help="Whose token.")],
    role: Annotated[str | None, typer.Option(help="Left out: the server looks it up.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Left out: the server looks it up.")] = None,
    ttl: Annotated[int, typer.Option(min=1, max=LONGEST_TTL, help="Seconds it is good for.")] = 3600,
    scope: Annotated[str | None, typer.Option(help="For example notifications:write.")] = None,
) -> None:
    """Print a signed token."""
    from .auth import sign_claims

    now = datetime.now(UTC)
    claims = {"user_id": user_id, "tenant_id": tenant, "role": role, "scope": scope}
    typer.echo(sign_claims(_secret(_settings()), claims, timedelta(seconds=ttl), now))


@app.command("demo-crm")
def demo_crm(
    url: Annotated[str, typer.Argument(help="sqlite:///path/to/file or postgresql://user:password@host/database")],
    conversations: Annotated[int, typer.Option(min=0)] = 60,
    leads: Annotated[int, typer.Option(min=0)] = 120,
    sellers: Annotated[int, typer.Option(min=1)] = 5,
    seed: Annotated[int, typer.Option(help="The same number, the same people and sentences.")] = 1,
) -> None:
    """Create and fill a sample CRM."""
    from .crm import demo as sample

    made = sample.create(url, conversations=conversations, leads=leads, sellers=sellers, seed=seed)
    typer.echo(
        f"{len(made.people)} people, {made.leads} leads, {made.conversations} conversations, {made.messages} messages"
    )


@app.command()
def detect(
    once: Annotated[bool, typer.Option("--once", help="One pass; the server itself repeats it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
) -> None:
    """Look at the CRM once and tell, as JSON lines, what notifications that makes."""
    from .once import detect_once

    if not once:
        raise typer.BadParameter("say --once; `crmtray-server serve` detects all the time", param_hint="detect")
    notifications, failures = asyncio.run(detect_once(_settings(), dry_run=dry_run))
    for line in notifications:
        print(json.dumps(line, ensure_ascii=False), flush=True)
    if failures:
        raise Failure("; ".join(f"{kind}: {sentence}" for kind, sentence in failures.items()))


@app.command()
def score(
    lead: Annotated[str | None, typer.Option(help="A lead's id: its score, part by part.")] = None,
    text: Annotated[str | None, typer.Option(help="`-`: read sentences, one a line, from standard input.")] = None,
) -> None:
    """How hot a lead is and why, or how much each sentence sounds like buying."""
    if (lead is None) == (text is None) or text not in (None, "-"):
        raise typer.BadParameter("give either --lead ID or --text -", param_hint="score")
    if lead is not None:
        from .once import score_lead

        typer.echo(json.dumps(score_lead(_settings(), lead), ensure_ascii=False))
        return
    from .intent import sentence_intent

    for given in sys.stdin:
        sentence = given.rstrip("\r\n")
        print(
            json.dumps({"text": sentence, "intent": round(sentence_intent(sentence), 4)}, ensure_ascii=False),
            flush=True,
        )


@users.command("add")
def user_add(
    user_id: Annotated[str, typer.Option(callback=_not_empty, help="The person's id in the CRM.")],
    email: Email,
    name: Annotated[str, typer.Option(help="Full name.")],
    role: Annotated[str, typer.Option(help="seller, secretary, ceo or admin.")],
    tenant: Annotated[str, typer.Option(callback=_not_empty, help="The company's id in the CRM.")] = "1",
    password_stdin: PasswordStdin = False,
) -> None:
    """Make an account."""
    from .auth import hasher
    from .store import accounts

    if role not in ROLES:
        raise typer.BadParameter(f"must be one of {', '.join(ROLES)}", param_hint="--role")
    if "@" not in email or any(character.isspace() for character in email.strip()):
        raise typer.BadParameter("must be an e-mail address", param_hint="--email")
    settings = _settings()
    user = User(user_id, tenant, name, accounts.fold(email), role)
    row = (user, hasher.hash(_new_password(password_stdin)))
    try:
        _with_store(settings, lambda store: store.write(accounts.add, [row], datetime.now(UTC)))
    except accounts.AccountExists:
        raise Failure(f"The address {email} or the user id {user_id} has an account already.") from None
    typer.echo(f"{email} can sign in as {role} of tenant {tenant}")


@users.command("list")
def user_list(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Show the accounts."""
    from .store import accounts

    for account in _with_store(_settings(), lambda store: store.read(accounts.everyone)):
        row = account.user.to_wire() | {"active": account.active}
        if as_json:
            print(json.dumps(row, ensure_ascii=False))
        else:
            state = "" if account.active else "  (disabled)"
            user = account.user
            print(f"{user.tenant_id:>6}  {user.user_id:>8}  {user.role:<10} {user.email:<32} {user.name}{state}")


@users.command("passwd")
def user_passwd(email: Email, password_stdin: PasswordStdin = False) -> None:
    """Set a password. Whoever is signed in with the old one is signed out."""
    from .auth import hasher
    from .store import accounts

    hashed = hasher.hash(_new_password(password_stdin))
    _change_account(email, lambda connection: accounts.set_password(connection, email, hashed))
    typer.echo(f"the password of {email} is changed")


@users.command("disable")
def user_disable(email: Email) -> None:
    """Close an account at once; its notifications are kept."""
    from .store import accounts

    _change_account(email, lambda connection: accounts.set_active(connection, email, False))
    typer.echo(f"{email} can no longer sign in")


def _change_account(email: str, change: Callable[[Any], bool]) -> None:
    from .store import accounts, sessions

    def apply(connection: Any) -> bool:
        account = accounts.by_email(connection, email)
        if account is None:
            return False
        sessions.revoke_all(connection, account.scope, datetime.now(UTC))
        return change(connection)

    if not _with_store(_settings(), lambda store: store.write(apply)):
        raise Failure(f"There is no account with the address {email}; see `crmtray-server user list`.")


def _with_store(settings: Settings, use: Callable[[Store], Any]) -> Any:
    from .store import migrate as migrations
    from .store.database import Store, make_engine

    engine = make_engine(settings.database_url)
    migrations.upgrade(engine)
    store = Store(engine)
    store.open()
    try:
        return asyncio.run(_await(use(store)))
    finally:
        store.close()


async def _await(awaitable: Any) -> Any:
    return await awaitable


def _new_password(from_stdin: bool) -> str:
    if not from_stdin and not sys.stdin.isatty():
        raise Failure("There is no terminal to ask for the password; give it on standard input with --password-stdin.")
    password: str = (
        sys.stdin.readline().rstrip("\r\n")
        if from_stdin
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    if len(password) < SHORTEST_PASSWORD:
        raise Failure(f"A password has at least {SHORTEST_PASSWORD} characters.")
    return password


def _settings() -> Settings:
    settings = config.load()
    logs.configure(settings.log_level, settings.log_format)
    return settings


def _secret(settings: Settings) -> str:
    return settings.jwt_secret_key.get_secret_value()


def main() -> None:
    """Runs a command. What fails in the user's world is one line (one for each wrong setting) and exit 1."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        app(arguments)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else 0)
    except Exception as error:
        if debug:
            raise
        for line in explain(error):
            print(f"crmtray-server: {line}", file=sys.stderr)
        leave(1)


if __name__ == "__main__":
    main()
