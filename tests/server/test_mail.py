"""What stands in the e-mails: words, links, order, and that no text of a notification is more than text."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crmtray.protocol import Notification, NotificationAction
from crmtray_server import mail
from crmtray_server.mail import AddressError, Reader, compose, parse_address, parse_sender

NOW = datetime(2026, 2, 27, 18, 30, tzinfo=UTC)
ES = Reader("es", ZoneInfo("America/Argentina/Buenos_Aires"))
EN = Reader("en", ZoneInfo("Europe/Madrid"))
SENDER = parse_sender("Alertas CRM <crmtray@example.com>")
TO = "ana@example.com"
EVIL = [
    "Hola\r\nBcc: evil@example.com",
    "Hola\nBcc: evil@example.com",
    "Hola\rBcc: evil@example.com",
    "Hola\r\n\r\n<h1>cuerpo</h1>",
    "Hola\x00\x0b\x0c\x1b[31mrojo\x7f",
    "Hola\u2028Bcc: evil@example.com\u2029\x85Bcc: evil@example.com",
    "Hola\ud800 suelto",
    "=?utf-8?q?Hola=0D=0ABcc:_evil@example.com?=",
    "Hola =?utf-8?b?" + b64encode(b"\r\nBcc: evil@example.com").decode() + "?= ¡ya!",
    "=" * 80 + "?utf-8?q?=0D=0ABcc:_evil@example.com?=",
    "==?utf-8?q?=0D=0ABcc:_evil@example.com?=",
    "<script>alert(1)</script><img src=https://evil.example/x.png onerror=alert(1)>",
    '"><a href="javascript:alert(1)">clic</a>',
    "{{ 7*7 }}{% for x in y %}",
    "\u202eoculto\u202c",
    "x" * 5000,
    "ñ🔥" * 500,
    ".\r\n.\r\nQUIT",
    "",
]


def item(id: str = "n1", **changes: Any) -> Notification:
    plain = Notification(
        id=id,
        seq=1,
        type="hot_lead",
        title="🔥 Lead Caliente Detectado",
        message="Lead de Meta Ads con 92% probabilidad de conversión",
        data={},
        priority="urgent",
        audience=None,
        actions=(),
        read=False,
        read_at=None,
        created_at=NOW,
        snoozed_until=None,
        silent=False,
        reason=None,
    )
    return replace(plain, **changes)


def sent(*items: Notification, reader: Reader = ES, to: str = TO) -> EmailMessage:
    """As it arrives: through bytes and back."""
    message = message_from_bytes(compose(items, reader, to, SENDER, NOW).as_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.links = [value for name, value in self.attributes if name == "href"]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_one_item_is_told_in_its_own_words() -> None:
    message = sent(item())
    assert message["Subject"] == "🔥 Lead Caliente Detectado"
    assert message["From"] == "Alertas CRM <crmtray@example.com>" and message["To"] == TO
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        text = body(message, kind)
        assert "Lead de Meta Ads con 92% probabilidad de conversión" in text
        assert "Urgente" in text and "27/2/2026 15:30" in text and "America/Argentina/Buenos Aires" in text


def test_the_reader_has_language_and_clock_of_their_own() -> None:
    text = body(sent(item(), reader=EN), "plain")
    assert "Urgent · 27 Feb 2026 19:30" in text and "e-mail notifications are on" in text


def test_several_items_are_one_summary_with_the_most_urgent_on_top() -> None:
    message = sent(
        item("a", title="Baja nueva", priority="low", created_at=NOW),
        item("b", title="Urgente vieja", priority="urgent", created_at=NOW - timedelta(hours=2)),
        item("c", title="Urgente nueva", priority="urgent", created_at=NOW - timedelta(hours=1)),
    )
    assert message["Subject"] == "3 notificaciones sin leer: Urgente nueva"
    for kind in ("plain", "html"):
        text = body(message, kind)
        places = [text.index(title) for title in ("Urgente nueva", "Urgente vieja", "Baja nueva")]
        assert places == sorted(places) and "3 notificaciones sin leer" in text


def test_a_long_summary_counts_what_it_leaves_out() -> None:
    message = sent(*(item(str(number), title=f"Título {number}.") for number in range(40)), reader=EN)
    assert message["Subject"].startswith("40 unread notifications: ")
    text = body(message, "plain")
    assert text.count("Título") == mail.SHOWN_ITEMS and "And 15 more in crmtray." in text


def test_the_message_id_is_the_same_for_the_same_items_only() -> None:
    one, again = sent(item("a"), item("b")), compose([item("b"), item("a")], EN, TO, SENDER, NOW + timedelta(hours=1))
    assert one["Message-ID"] == again["Message-ID"]
    assert re.fullmatch(r"<crmtray\.[0-9a-f]{40}@example\.com>", one["Message-ID"])
    assert sent(item("a"))["Message-ID"] != one["Message-ID"]


def test_web_actions_are_links_and_the_others_lead_into_the_app() -> None:
    actions = (
        NotificationAction("Contactar", "contact_lead", {}, "https://crm.example/chats?lead=5&x=ñ"),
        NotificationAction("Asignar", "assign_lead", {}),
        NotificationAction("Agendar", "schedule_call", {}),
    )
    message = sent(item("a/b?c", actions=actions))
    page = Page(body(message, "html"))
    assert page.links == ["https://crm.example/chats?lead=5&x=%C3%B1", "crmtray://notification/a%2Fb%3Fc"]
    text = body(message, "plain")
    assert "Contactar: https://crm.example/chats?lead=5&x=%C3%B1\n" in text
    assert "En crmtray (Asignar · Agendar): crmtray://notification/a%2Fb%3Fc\n" in text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,<script>",
        "file:///etc/passwd",
        "ftp://example.com/",
        "//example.com/x",
        "https://",
        "https:///x",
        "https://example.com/\r\nX: y",
        "http://[::1",
        "crmtray://notification/other",
        " https://example.com",
    ],
)
def test_any_other_address_is_never_a_link(url: str) -> None:
    message = sent(item("n1", actions=(NotificationAction("Abrir eso", "view_lead", {}, url),)))
    assert Page(body(message, "html")).links == ["crmtray://notification/n1"]
    assert "En crmtray (Abrir eso): crmtray://notification/n1" in body(message, "plain")
    assert url not in body(message, "plain")


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("where", ["title", "message", "label", "id", "url"])
def test_text_is_neither_header_nor_markup(text: str, where: str) -> None:
    plain = sent(item())
    action = NotificationAction(
        text if where == "label" else "Ver", "view_lead", {}, f"https://x.example/{text}" if where == "url" else None
    )
    fields = {where: text} if where in ("title", "message") else {}
    evil = item("n1" if where != "id" or "\ud800" in text else text, actions=(action,), **fields)
    message = sent(evil)
    assert message.keys() == plain.keys() and not message.defects
    assert message["To"] == TO and len(message["Subject"]) <= mail.LONGEST_SUBJECT + 1
    assert all(character.isprintable() for character in message["Subject"])
    page, harmless = Page(body(message, "html")), Page(body(sent(item(actions=(action,))), "html"))
    assert set(page.tags) <= {*harmless.tags, "a"} and "script" not in page.tags and "img" not in page.tags
    assert all(link.startswith(("https://x.example/", "crmtray://notification/")) for link in page.links)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_markup_is_shown_as_it_was_written() -> None:
    message = sent(item(title="<b>Título</b>", message="1 < 2 & 3"))
    assert message["Subject"] == "<b>Título</b>"
    html = body(message, "html")
    assert "&lt;b&gt;Título&lt;/b&gt;" in html and "1 &lt; 2 &amp; 3" in html
    assert "<b>Título</b>" in body(message, "plain")


def test_nothing_remote_is_loaded() -> None:
    page = Page(body(sent(item(), item("b")), "html"))
    assert not {"img", "link", "script", "iframe", "object", "video", "form"} & set(page.tags)
    assert not [name for name, value in page.attributes if name == "src" or "url(" in value]


@pytest.mark.parametrize("address", [TO, "a.b+c@x-y.example", "ana@127.example", "n_1@example.com"])
def test_plain_addresses_are_taken(address: str) -> None:
    assert parse_address(address) == address


def test_a_domain_with_letters_of_its_own_is_written_as_the_network_knows_it() -> None:
    assert parse_address("ana@correo-señal.example") == "ana@xn--correo-seal-9db.example"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ana",
        "@example.com",
        "ana@",
        "ana@example.com, evil@example.com",
        "ana@example.com,evil@example.com",
        '"a, b" <ana@example.com>, evil@example.com',
        "Ana <ana@example.com>",
        "<ana@example.com>",
        "ana@example.com\r\nBcc: evil@example.com",
        "ana@example.com\n",
        "ana@exam ple.com",
        "a na@example.com",
        '"ana"@example.com',
        "ana@[127.0.0.1]",
        "ana@example..com",
        "ana@-example.com",
        ".ana@example.com",
        "ana.@example.com",
        "a@b@example.com",
        "añá@example.com",
        "ana@example.com> SIZE=1",
        "a" * 65 + "@example.com",
        "ana@" + "a." * 130 + "com",
        "ana@" + "\u2024" * 3 + "com",
    ],
)
def test_what_is_not_one_plain_address_is_refused(address: str) -> None:
    with pytest.raises(AddressError):
        compose([item()], ES, address, SENDER, NOW)


def test_the_sender_may_have_a_name() -> None:
    assert parse_sender("crm@example.com") == Address(addr_spec="crm@example.com")
    assert str(parse_sender('"Alertas, CRM" <crm@example.com>')) == '"Alertas, CRM" <crm@example.com>'
    for text in ("nobody", "a@x.example, b@x.example", "a b c"):
        with pytest.raises(AddressError):
            parse_sender(text)
