"""The e-mails that tell of unread items: one item, or a summary of several.

Owns words, look and headers. Pure: items, reader, addresses and the moment are arguments. Whatever stands in an item
is text: it can neither add a header or a recipient nor be markup. Nothing remote is loaded, and no link has a scheme
but http, https and our own.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from crmtray.protocol import PRIORITIES, Notification

Locale = Literal["es", "en"]

SHOWN_ITEMS = 25
"""Items a summary spells out; the rest is counted and stands in the inbox."""
LONGEST_SUBJECT = 150
LONGEST_MESSAGE = 2000

# RFC 5321: a dot-atom and a host name. Quoted local parts and address literals are legal and used by nobody.
_LOCAL: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
# These turn the reading order of what follows: a title could show another than it is.
_BIDI: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


class AddressError(ValueError):
    """Not one plain e-mail address."""


@dataclass(frozen=True, slots=True)
class Reader:
    """In which language and with which clock a person reads."""

    locale: Locale
    timezone: tzinfo


@dataclass(frozen=True, slots=True)
class _Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """An item as the templates show it."""

    title: str
    message: str
    priority: str
    color: str
    time: str
    links: tuple[_Link, ...]
    app_labels: str
    app_url: str


def parse_address(text: str) -> str:
    """One addr-spec, in ASCII. Raises AddressError: an "address" such as `a@x, b@y` would be two recipients."""
    local, at, domain = text.rpartition("@")
    if not domain.isascii():
        domain = _punycode(domain)
    labels = domain.split(".")
    plain = bool(at) and _LOCAL.fullmatch(local) and all(_LABEL.fullmatch(label) for label in labels)
    if not plain or len(local) > 64 or len(local) + 1 + len(domain) > 254:
        raise AddressError("it is not a plain e-mail address such as ana@example.com")
    return f"{local}@{domain}"


def parse_sender(text: str) -> Address:
    """`crmtray@example.com` or `CRM alerts <crmtray@example.com>`. Raises AddressError."""
    header = EmailMessage(policy=SMTP)
    try:
        header["From"] = text
        (sender,) = header["From"].addresses
    except (ValueError, IndexError, AttributeError):  # line breaks, several, or what the parser trips over
        raise AddressError("it is not one address such as crmtray@example.com") from None
    return Address(_header(_line(sender.display_name)), addr_spec=parse_address(sender.addr_spec))


def compose(
    items: Sequence[Notification], reader: Reader, recipient: str, sender: Address, now: datetime
) -> EmailMessage:
    """The message about these items, at least one. Raises AddressError when `recipient` is not one address."""
    ordered = sorted(items, key=_urgency, reverse=True)
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = Address(addr_spec=parse_address(recipient))
    message["Subject"] = _subject(ordered, reader.locale)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id((item.id for item in items), sender.domain)
    # RFC 3834, and the same for Exchange: no out-of-office note comes back.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(_render("mail_body.txt", ordered, reader), cte="quoted-printable")
    message.add_alternative(_render("mail_body.html", ordered, reader), subtype="html", cte="quoted-printable")
    return message


def message_id(ids: Iterable[str], domain: str) -> str:
    """The same for the same items, so that a mail that is sent again is known as the one that was sent."""
    digest = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    return f"<crmtray.{digest[:40]}@{domain}>"


# --- contents --------------------------------------------------------------------------------------------------------


def _urgency(item: Notification) -> tuple[int, datetime, int]:
    return PRIORITIES.index(item.priority), item.created_at, item.seq


def _subject(ordered: Sequence[Notification], locale: Locale) -> str:
    title = _line(ordered[0].title) or _WORDS["untitled"][locale]
    text = title if len(ordered) == 1 else f"{_counted(len(ordered), locale)}: {title}"
    return _header(_cut(text, LONGEST_SUBJECT))


def _render(template: str, ordered: Sequence[Notification], reader: Reader) -> str:
    locale, hidden = reader.locale, max(0, len(ordered) - SHOWN_ITEMS)
    return _TEMPLATES.get_template(template).render(
        locale=locale,
        heading=_counted(len(ordered), locale) if len(ordered) > 1 else "",
        entries=[_entry(item, reader) for item in ordered[:SHOWN_ITEMS]],
        more=_WORDS["more"][locale].format(hidden) if hidden else "",
        in_app=_WORDS["in_app"][locale],
        footer=_WORDS["footer"][locale].format(zone=str(reader.timezone).replace("_", " ")),
    )


def _entry(item: Notification, reader: Reader) -> _Entry:
    links = [_Link(_line(action.label), url) for action in item.actions if (url := _web_address(action.url))]
    others = [_line(action.label) for action in item.actions if not _web_address(action.url)]
    return _Entry(
        title=_line(item.title) or _WORDS["untitled"][reader.locale],
        message=_cut(_text(item.message), LONGEST_MESSAGE),
        priority=_PRIORITIES[item.priority][reader.locale],
        color=_COLORS[item.priority],
        time=_time(item.created_at, reader),
        links=tuple(links),
        app_labels=" · ".join(label for label in others if label) or _WORDS["open"][reader.locale],
        app_url=f"crmtray://notification/{quote(item.id, safe='')}",
    )


def _web_address(url: str | None) -> str | None:
    """The address as it may stand in a link, or None for what is not a web page."""
    if not url or not url.isprintable() or not url.lower().startswith(("http://", "https://")):
        return None
    try:
        return quote(url, safe=":/?#[]@!$&'()*+,;=%-._~") if urlsplit(url).hostname else None
    except ValueError:
        return None


def _time(at: datetime, reader: Reader) -> str:
    local = at.astimezone(reader.timezone)
    if reader.locale == "es":
        return f"{local.day}/{local.month}/{local.year} {local:%H:%M}"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year} {local:%H:%M}"


def _counted(number: int, locale: Locale) -> str:
    return _WORDS["count"][locale].format(number)


# --- text ------------------------------------------------------------------------------------------------------------


def _line(text: str) -> str:
    """One line without control characters."""
    return " ".join(_text(text).split())


def _header(line: str) -> str:
    """Without the beginning of an encoded word: the library would decode it, and what it hides may be a line break."""
    return line.replace("=?", "= ?")


def _text(text: str) -> str:
    """Lines of what can be read and encoded."""
    lines = text.translate(_BIDI).splitlines()
    return "\n".join("".join(_readable(character) for character in line).strip() for line in lines).strip()


def _readable(character: str) -> str:
    category = unicodedata.category(character)
    return "\N{REPLACEMENT CHARACTER}" if category == "Cs" else " " if category == "Cc" else character


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _punycode(domain: str) -> str:
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return ""


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)

_WORDS: Final[dict[str, dict[Locale, str]]] = {
    "count": {"es": "{} notificaciones sin leer", "en": "{} unread notifications"},
    "more": {"es": "Y {} más en crmtray.", "en": "And {} more in crmtray."},
    "untitled": {"es": "Notificación", "en": "Notification"},
    "open": {"es": "Abrir", "en": "Open"},
    "in_app": {"es": "En crmtray", "en": "In crmtray"},
    "footer": {
        "es": "Este correo llega porque las notificaciones por correo están activadas en las preferencias de crmtray. "
        "Horas de {zone}.",
        "en": "You get this e-mail because e-mail notifications are on in your crmtray preferences. "
        "Times are those of {zone}.",
    },
}
_PRIORITIES: Final[dict[str, dict[Locale, str]]] = {
    "low": {"es": "Baja", "en": "Low"},
    "medium": {"es": "Media", "en": "Medium"},
    "high": {"es": "Alta", "en": "High"},
    "urgent": {"es": "Urgente", "en": "Urgent"},
}
# Dark enough for white text on them, light enough to be seen on a dark page.
_COLORS: Final = {"low": "#66707a", "medium": "#2f6fd0", "high": "#b45309", "urgent": "#c62828"}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
