"""docs/detection.md and docs/mapping.md say what the program asks of a CRM, and show what is tested."""

from __future__ import annotations

import re

import sqlalchemy as sa

from crmtray_server.crm import indexes, schema
from crmtray_server.crm.queries import COLUMNS, PARAMETERS, statements
from tests.server.dealers_crm import EXAMPLES
from tests.server.reference_crm import NOW, ReferenceCrm

# --- indexes ---------------------------------------------------------------------------------------------------------


def test_every_index_of_the_script_serves_a_query(postgres_url: str) -> None:
    """Of tables without rows PostgreSQL would scan all: told not to, it takes each index that fits."""
    crm = ReferenceCrm(postgres_url)
    for wanted in indexes.WANTED:  # the script has the same, see test_indexes
        crm.run(wanted.sql("postgresql").replace("CONCURRENTLY ", ""))
    used = set()
    for statement in statements("postgresql").values():
        for question in filter(None, (statement.text, statement.by_ids, statement.digest)):
            used |= indexes_of(crm, question)
    crm.close()
    assert {wanted.name for wanted in indexes.WANTED} - used == set()


def indexes_of(crm: ReferenceCrm, question: str) -> set[str]:
    values = {
        "recent": NOW,
        "until": NOW,
        "day_start": NOW,
        "unanswered_before": NOW,
        "min_points": 0,
        "area_points": 0,
    }
    clause = sa.text(f"EXPLAIN {question.replace(':ids', '(1, 2)')}")
    with crm.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
        given = {name: value for name, value in values.items() if f":{name}" in question}
        plan = "\n".join(connection.execute(clause, given).scalars())
    return set(re.findall(r"(?:using|Scan on) (\w+)", plan))


# --- the document ----------------------------------------------------------------------------------------------------


def test_the_document_shows_the_files_that_are_tested() -> None:
    text = (EXAMPLES.parent / "mapping.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(sql|toml)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in blocks} == {"sql", "toml"}
    for kind, block in blocks:
        file = (EXAMPLES / f"dealers.{kind}").read_text(encoding="utf-8")
        assert [part for part in block.strip().split("\n\n") if part not in file] == []
    shown = "".join(block for kind, block in blocks if kind == "toml")
    assert [query for query in COLUMNS if f'{query} = """' not in shown] == []


def test_the_document_names_every_reference_column() -> None:
    text = (EXAMPLES.parent / "detection.md").read_text(encoding="utf-8")
    documented = {
        name: [column.strip() for column in columns.split(",")]
        for name, columns in re.findall(r"^(\w+)\(([^)]*)\)", text, re.MULTILINE)
    }
    assert documented == {name: list(table.columns.keys()) for name, table in schema.metadata.tables.items()}


def test_the_document_names_every_column_and_parameter_of_a_mapping() -> None:
    text = (EXAMPLES.parent / "detection.md").read_text(encoding="utf-8")
    cells = {name: rest for name, rest in re.findall(r"^\| `(\w+)`[^|]*\|(.*)\|$", text, re.MULTILINE)}
    for query, columns in COLUMNS.items():
        assert [column for column in columns if f"`{column}`" not in cells[query]] == [], query
        assert set(re.findall(r"`:(\w+)`", cells[query])) == set(PARAMETERS[query]), query
