"""docs/mapping.md does what it says: a CRM whose tables all differ is read, told about once, and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import jwt
import pytest
from pydantic import SecretStr

from crmtray_server import checkup
from crmtray_server.config import Settings
from crmtray_server.crm import reading
from crmtray_server.crm.engine import crm_engine
from crmtray_server.crm.queries import COLUMNS, load_mapping
from crmtray_server.crm.source import CrmSource
from crmtray_server.store import migrate
from crmtray_server.store.database import make_engine
from crmtray_server.store.tables import mirror_leads
from tests.harness.server import SECRET, ServerProcess, sign
from tests.server.dealers_crm import BOGOTA, MADRID, MAPPING, Branch, DealersCrm
from tests.server.live import Live, request, sockets

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
BUYING = (
    "Hola, me interesa la camioneta", "¿Qué precio tiene?", "¿Cuánto quedan las cuotas?", "Perfecto, la quiero comprar",
    "¿Cuándo puedo ir a firmar?", "Ya tengo el dinero para la seña", "Mándame el contrato, la compro hoy",
)  # fmt: skip


@dataclass(frozen=True)
class Staff:
    bogota: Branch
    madrid: Branch
    juan: str
    ana: str
    reception: str
    manager: str
    manager_of_madrid: str


@pytest.fixture
def crm(postgres_url: str) -> Iterator[DealersCrm]:
    crm = DealersCrm(postgres_url)
    yield crm
    crm.close()


@pytest.fixture
def staff(crm: DealersCrm) -> Staff:
    bogota, madrid = crm.branch(BOGOTA), crm.branch(MADRID)
    crm.person(bogota, "Se Fue", "GERENTE", state="B")
    return Staff(
        bogota=bogota,
        madrid=madrid,
        juan=crm.person(bogota, "Juan Pérez", "VENDEDOR"),
        ana=crm.person(bogota, "Ana López", "VENDEDOR"),
        reception=crm.person(bogota, "Sofía Díaz", "RECEPCION"),
        manager=crm.person(bogota, "Elena Ruiz", "GERENTE"),
        manager_of_madrid=crm.person(madrid, "Luis Gil", "GERENTE"),
    )


@pytest.fixture
def waiting(crm: DealersCrm, staff: Staff) -> str:
    """Juan's customer has waited for an hour and a half; the note that a colleague left since is no answer."""
    chat = crm.chat(crm.lead(staff.bogota, staff.juan), staff.juan)
    crm.event(chat, 3 * HOUR, "in")
    crm.event(chat, 2 * HOUR, "out")
    crm.event(chat, 90 * MINUTE, "in", "¿Siguen ahí?")
    crm.event(chat, 10 * MINUTE, None, "Llamar mañana", kind="nota")
    return chat


@pytest.fixture
def buying(crm: DealersCrm, staff: Staff) -> str:
    """Ana's, and one in Madrid that is nobody's."""
    mine = {"canal": "facebook", "ciudad": "CHAPINERO", "importe_centavos": 4_550_050}
    leads = [crm.lead(staff.bogota, staff.ana, **mine), crm.lead(staff.madrid, None, **mine)]
    for lead, seller in zip(leads, (staff.ana, None), strict=True):
        chat = crm.chat(lead, seller)
        for number, text in enumerate(BUYING):
            crm.event(chat, (12 - number) * MINUTE, "in", text)
    return leads[0]


@pytest.fixture
def planned(crm: DealersCrm, staff: Staff) -> datetime:
    """A follow-up of Juan's in two hours by the branch's clock."""
    at = (datetime.now(BOGOTA) + 2 * HOUR).replace(second=0, microsecond=0)
    crm.lead(staff.bogota, staff.juan, etapa=3, proximo_contacto=at.replace(tzinfo=None), observaciones="Pidió demo")
    return at


@pytest.fixture
def figures(crm: DealersCrm, staff: Staff) -> None:
    """Ana is slow and sells little; Juan is neither."""
    crm.figures(staff.bogota, staff.ana, seconds=2400, percent=5, leads=12)
    crm.figures(staff.bogota, staff.juan, seconds=600, percent=45.5, leads=12)


@pytest.fixture
def deleted(crm: DealersCrm, staff: Staff) -> None:
    """Rows that are marked as deleted, and would alert if they were not."""
    now = datetime.now(UTC)
    gone = crm.lead(staff.bogota, staff.juan, etapa=2, borrada_el=now, proximo_contacto=datetime.now())
    crm.event(crm.chat(gone, staff.juan), 2 * HOUR, "in")
    crm.event(crm.chat(crm.lead(staff.bogota, staff.juan), staff.juan, borrada_el=now), 2 * HOUR, "in")


def token_of_the_crm(user_id: str) -> str:
    """As the CRM's own program makes it: the user and nothing else."""
    return jwt.encode({"user_id": user_id, "exp": datetime.now(UTC) + HOUR}, SECRET, algorithm="HS256")


def told(items: list[Any]) -> list[tuple[str, str]]:
    return sorted((item["type"], item["message"]) for item in items)


@pytest.mark.usefixtures("figures", "deleted")
async def test_all_four_kinds_reach_their_people_once(
    crm: DealersCrm, staff: Staff, waiting: str, buying: str, planned: datetime, tmp_path: Path
) -> None:
    settings = {"CRM_DATABASE_URL": crm.reader_url, "CRM_MAPPING": str(MAPPING), "HIGH_VALUE_AREAS": "Chapinero"}
    with ServerProcess(tmp_path, **settings) as process:
        live = cast(Live, process)
        people = (staff.juan, staff.ana, staff.reception, staff.manager, staff.manager_of_madrid)
        async with sockets(live, *map(token_of_the_crm, people)) as [juan, ana, reception, manager, madrid]:
            for socket in (juan, ana, reception, manager, madrid):
                await socket.call("subscribe_notifications")
            reminder = f"Follow-up con Carlos Rodríguez programado para {said(planned)}"
            unanswered = ("unanswered_conversation", "Conversación con +573001112233 sin respuesta por 1.5 horas")
            assert told(await juan.wait("new_notification", 2)) == [("follow_up_reminder", reminder), unanswered]
            assert told(await reception.wait("new_notification")) == [unanswered]
            assert told(await manager.wait("new_notification", 2)) == [
                ("performance_alert", "Ana López convierte el 5% de sus leads (<10%)"),
                ("performance_alert", "Ana López responde en 40 min promedio (>30 min)"),
            ]
            [hot] = await ana.wait("new_notification")
            assert hot["type"] == "hot_lead" and hot["message"].startswith("Lead de Meta Ads con ")
            assert (hot["data"]["lead_id"], hot["data"]["estimated_value"]) == (buying, 45500.5)
            [nobodys] = await madrid.wait("new_notification")
            assert nobodys["type"] == "hot_lead" and nobodys["data"]["lead_id"] != buying

            [chat] = [item for item in juan.named("new_notification") if item["type"] == "unanswered_conversation"]
            assert (chat["data"]["conversation_id"], chat["data"]["seller_id"]) == (waiting, staff.juan)
            figures = {
                item["data"]["metric"]: item["data"]["current_value"] for item in manager.named("new_notification")
            }
            assert figures == {"avg_response_time_minutes": 40, "conversion_rate": 0.05}

            # Answered and unanswered again, both between two readings: a second episode, and of all else nothing new.
            crm.event(waiting, 80 * MINUTE, "out")
            crm.event(waiting, 66 * MINUTE, "in")
            again = (await reception.wait("new_notification", 2))[1]
            assert again["message"] == "Conversación con +573001112233 sin respuesta por 1.1 horas"
            await juan.wait("new_notification", 3)
            crm.event(crm.chat(crm.lead(staff.madrid, None), staff.manager_of_madrid), 5 * HOUR, "in")
            await madrid.wait("new_notification", 2)  # by another reading
            sent = [len(one.named("new_notification")) for one in (juan, ana, reception, manager)]
            assert sent == [3, 1, 2, 2]

        token = sign(staff.juan, staff.bogota.id)
        button = f"/notifications/{reminder_id(juan.named('new_notification'))}/actions/mark_contacted"
        status, answer, _ = await request(live, "POST", button, token, json={"params": {}})
        assert (status, answer["code"]) == (409, "crm_actions_off")
        assert process.run("detect", "--once", "--dry-run") == ""
        lines = process.run("check").splitlines()
        queries = [line for line in lines if line.startswith("crm ") and not line.startswith("crm indexes")]
        assert queries == [f"crm {query}: ok" for query in COLUMNS]


def said(at: datetime) -> str:
    today = datetime.now(at.tzinfo).date()
    return f"{'hoy' if at.date() == today else 'mañana'} {at.hour}:{at.minute:02}"


def reminder_id(items: list[Any]) -> str:
    return str(next(item["id"] for item in items if item["type"] == "follow_up_reminder"))


# --- crmtray-server check --------------------------------------------------------------------------------------------


Look = Callable[..., dict[str, str]]
"""What `check` says of the CRM, line by line; `old` and `new` change the mapping."""


@pytest.fixture
def look(crm: DealersCrm, tmp_path: Path) -> Look:
    def look(old: str = "", new: str = "", **settings: Any) -> dict[str, str]:
        text = MAPPING.read_text(encoding="utf-8")
        assert old in text
        mapping = tmp_path / "mapping.toml"
        mapping.write_text(text.replace(old, new, 1), encoding="utf-8")
        given: dict[str, Any] = {"crm_database_url": crm.reader_url, "crm_mapping": str(mapping)} | settings
        store = f"sqlite:///{tmp_path / 'store.db'}"
        lines = checkup.check(Settings(jwt_secret_key=SecretStr(SECRET), database_url=store, **given))
        found = {part: sentence for part, sentence in lines if part.startswith("crm")}
        assert found.pop("crm indexes", "ok, not").startswith("ok, not")  # advice for the reference tables
        return found

    return look


@pytest.mark.usefixtures("waiting", "buying", "planned", "figures")
@pytest.mark.parametrize(
    ("query", "old", "new", "says"),
    [
        ("users", "estado = 'A' AS active", "'si' AS active", "returns active 'si', which is not true or false"),
        ("users", "THEN 'seller'", "THEN 'vendedor'", "ok"),  # the others are known
        ("users", "legajo AS user_id", "NULL AS user_id", "returns user_id None, which is not an id"),
        ("users", "estado = 'A' AS active", "estado", "returns no column active; add it there"),
        ("users", "estado = 'A'", "alta", "The CRM has no column alta; correct the query users"),
        ("users", "FROM personal\n", "FROM empleados\n", "The CRM has no table empleados; correct the query users"),
        ("users", "estado = 'A'", "instr(estado, 'A')", "refuses the query users (function instr"),
        (
            "unanswered_conversations",
            "to_timestamp(mensajes.ultimo / 1000.0) AS",
            "mensajes.ultimo AS",
            ", which is not a time; correct the query unanswered_conversations in CRM_MAPPING.",
        ),
        ("lead_candidates", "mensajes.cantidad", "'treinta'", "returns message_count 'treinta', which is not a whole"),
        ("lead_candidates", "ganada_el AS", "etapa = 8 AS", "returns converted_at False, which is not a time"),
        (
            "lead_candidates",
            "importe_centavos / 100.0",
            "'USD 5'",
            "returns estimated_value 'USD 5', which is not a num",
        ),
        ("lead_messages", "to_timestamp(eventos_chat.ts_ms / 1000.0)", "'ayer'", "returns created_at 'ayer', which is"),
        ("followups", "proximo_contacto AT TIME ZONE sucursales.huso AS", "'pronto' AS", "next_follow_up 'pronto', wh"),
        (
            "seller_metrics",
            "indicadores_diarios.respuesta_promedio_seg / 60.0",
            "'treinta'",
            "avg_response_time_minutes 'treinta', which",
        ),
        (
            "seller_metrics",
            "_seg / 60.0",
            "_seg",
            "returns avg_response_time_minutes 2400, which is not a number of min",
        ),
        ("seller_metrics", "_pct / 100.0", "_pct", "0, which is not a share from 0 to 1"),
        pytest.param(
            "timezones",
            "huso AS timezone",
            "huso",
            "returns no column timezone; add it there",
            marks=pytest.mark.expects_log("Until then days begin at midnight UTC"),
        ),
    ],
)
def test_check_names_the_column_and_what_is_wrong_with_it(
    look: Look, query: str, old: str, new: str, says: str
) -> None:
    lines = look(old, new)
    assert says in lines.pop(f"crm {query}")
    assert set(lines.values()) == {"ok"}, lines


def test_check_is_content_with_a_crm_that_has_no_rows_yet(look: Look) -> None:
    assert look() == {f"crm {query}": "ok" for query in COLUMNS}


@pytest.mark.usefixtures("staff")
def test_check_names_roles_that_nobody_knows(look: Look) -> None:
    lines = look("CASE puesto WHEN", "CASE puesto || '.' WHEN")
    assert lines["crm users"] == (
        "The query users returns role 'other', which is not one of ceo, seller, secretary, admin; "
        "correct the query users in CRM_MAPPING."
    )


def test_check_says_which_table_may_not_be_read(crm: DealersCrm, look: Look) -> None:
    crm.run(f"REVOKE SELECT ON charlas FROM {crm.reader}")
    lines = look()
    assert lines["crm users"] == lines["crm followups"] == "ok"
    assert lines["crm lead_messages"] == (
        "The CRM's database refuses to be read (permission denied for table charlas); "
        "grant SELECT to the account of CRM_DATABASE_URL."
    )


def test_buttons_by_sql_need_the_reference_tables(look: Look) -> None:
    assert look(crm_actions="sql")["crm actions"] == (
        "CRM_ACTIONS=sql changes the reference tables, and this CRM has no table conversations, table leads; set "
        "CRM_ACTIONS to the address of a webhook that makes the changes (docs/actions.md), or to off."
    )


def test_check_says_once_that_the_mapping_is_wrong(look: Look, tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    assert look(":until", ":hasta") == {
        "crm": f"CRM_MAPPING={path}: followups: unknown parameter :hasta; allowed: :until."
    }
    assert look("SELECT legajo", "DELETE FROM personal; SELECT legajo") == {
        "crm": f"CRM_MAPPING={path}: users: must be one SELECT statement; nothing else is run on a CRM."
    }


def test_check_says_once_that_the_crm_is_away(look: Look) -> None:
    [(part, sentence)] = look(crm_database_url="postgresql://nobody@127.0.0.1:1/crm").items()
    assert part == "crm" and sentence.startswith("The CRM's database does not answer (")


def test_a_slow_query_is_told_apart_from_a_wrong_one(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "SLOW_SECONDS", 0.0)
    assert look()["crm users"] == (
        "The query users is right, but took 0 s, which makes alerts late; "
        "give the CRM's database the indexes that docs/detection.md names."
    )


def test_check_is_content_with_a_crm_that_pushes(look: Look, tmp_path: Path) -> None:
    store = make_engine(f"sqlite:///{tmp_path / 'store.db'}")
    migrate.upgrade(store)
    alone = look(crm_database_url=None)["crm"]
    assert alone == "nothing is detected: set CRM_DATABASE_URL, or let the CRM push what happens (docs/push.md)"
    with store.begin() as connection:
        connection.execute(mirror_leads.insert().values(tenant_id="1", id="9", said={}, changed_at=datetime.now(UTC)))
    store.dispose()
    assert look(crm_database_url=None) == {"crm": "ok"}


@pytest.mark.usefixtures("staff")
def test_a_query_that_does_not_end_is_told_apart_too(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_POSTGRES_SESSION", reading._POSTGRES_SESSION.replace("'60000'", "'50'"))
    lines = look("estado = 'A' AS active", "pg_sleep(5) IS NOT NULL AS active")
    assert lines["crm users"] == (
        "The query users took longer than 60 s; give the CRM's database the indexes that docs/detection.md names."
    )
    assert lines["crm followups"] == "ok"


# --- rows that cannot be read ----------------------------------------------------------------------------------------


@pytest.mark.expects_log("the row is left out")
@pytest.mark.parametrize("time", ["-infinity", "0044-03-15 BC", "0001-01-01"])
def test_a_time_that_is_none_spoils_its_own_row(
    crm: DealersCrm, staff: Staff, planned: datetime, time: str, caplog: pytest.LogCaptureFixture
) -> None:
    crm.lead(staff.bogota, staff.ana, etapa=2)
    crm.run(f"UPDATE oportunidades SET proximo_contacto = '{time}' WHERE vendedor = '{staff.ana}'")
    engine = crm_engine(crm.reader_url, read_only=True)
    settings = Settings(jwt_secret_key=SecretStr(SECRET))
    reader = CrmSource(engine, settings, load_mapping(MAPPING))
    rows = {row.seller_id: row.at for row in reader.followups(datetime.now(UTC) + 24 * HOUR)}
    engine.dispose()
    assert rows == {staff.juan: planned, staff.ana: None}
    assert len(caplog.records) == 1
