"""The CRM of docs/examples: another's tables on PostgreSQL, mapped by docs/examples/dealers.toml."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from crmtray_server.crm.engine import crm_engine, write

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
MAPPING = EXAMPLES / "dealers.toml"
BOGOTA, MADRID = ZoneInfo("America/Bogota"), ZoneInfo("Europe/Madrid")


@dataclass(frozen=True)
class Branch:
    """A branch is a tenant."""

    id: str
    zone: ZoneInfo


class DealersCrm:
    """`url` is its owner's; `reader_url` an account's that may only read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = crm_engine(url)
        self.reader = f"reader_{uuid.uuid4().hex}"
        self.reader_url = url.replace("tests@", f"{self.reader}@")
        self.run((EXAMPLES / "dealers.sql").read_text(encoding="utf-8"))
        self.run(f"CREATE ROLE {self.reader} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {self.reader}")

    def close(self) -> None:
        self.run(f"DROP OWNED BY {self.reader}; DROP ROLE {self.reader}")
        self.engine.dispose()

    def run(self, sql: str) -> None:
        with write(self.engine) as connection:
            connection.exec_driver_sql(sql)

    def branch(self, zone: ZoneInfo) -> Branch:
        branch = Branch(str(uuid.uuid4()), zone)
        self._insert("sucursales", codigo=branch.id, nombre="Autos", huso=zone.key)
        return branch

    def person(self, branch: Branch, name: str, job: str, state: str = "A") -> str:
        id = str(uuid.uuid4())
        row = {"legajo": id, "sucursal": branch.id, "nombre_completo": name, "puesto": job, "estado": state}
        self._insert("personal", correo=f"{id}@autos.example", **row)
        return id

    def lead(self, branch: Branch, seller: str | None, **columns: Any) -> str:
        id = str(uuid.uuid4())
        row = {"contacto": "Rodríguez, Carlos", "telefono": "+573001112233", "canal": "mostrador", "etapa": 1}
        self._insert("oportunidades", nro=id, sucursal=branch.id, vendedor=seller, **(row | columns))
        return id

    def chat(self, lead: str, seller: str | None, **columns: Any) -> str:
        id = str(uuid.uuid4())
        self._insert("charlas", id=id, oportunidad=lead, vendedor=seller, **columns)
        return id

    def event(
        self, chat: str, ago: timedelta, direction: str | None, text: str = "Hola", kind: str = "mensaje"
    ) -> None:
        moment = round((datetime.now(UTC) - ago).timestamp() * 1000)
        content = json.dumps({"texto": text})
        self._insert("eventos_chat", charla=chat, tipo=kind, sentido=direction, ts_ms=moment, contenido=content)

    def figures(self, branch: Branch, seller: str, seconds: int, percent: float, leads: int) -> None:
        """Of the branch's today."""
        day = datetime.now(branch.zone).date()
        row = {"respuesta_promedio_seg": seconds, "conversion_pct": percent, "oportunidades": leads}
        self._insert("indicadores_diarios", vendedor=seller, dia=day, **row)

    def _insert(self, table: str, **columns: Any) -> None:
        names, values = ", ".join(columns), ", ".join(f":{name}" for name in columns)
        with write(self.engine) as connection:
            connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), columns)
