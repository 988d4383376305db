"""A lead's score, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crmtray_server import score
from crmtray_server.crm.queries import CrmError
from crmtray_server.crm.rows import Lead
from crmtray_server.crm.source import CrmSource
from crmtray_server.score import LeadScore, base_score, fold, folded
from tests.server.reference_crm import HOUR, MINUTE, NOW, ReferenceCrm, settings

AREAS = folded(["Núñez", "San Isidro"])


def lead(**values: Any) -> Lead:
    defaults: dict[str, Any] = {
        "id": "9",
        "tenant_id": "1",
        "name": "Carlos",
        "phone_number": "+5491100000000",
        "source": "ORGANIC",
        "location": "",
        "over": False,
        "seller_id": None,
        "estimated_value": None,
        "message_count": 0,
        "last_message_time": None,
    }
    return Lead(**(defaults | values))


@pytest.mark.parametrize(
    ("values", "points"),
    [
        ({}, 0),
        ({"source": "META_ADS"}, 30),
        ({"source": "meta_ads"}, 30),
        ({"source": "REFERRAL"}, 25),
        ({"source": "WEBSITE"}, 20),
        ({"message_count": 5}, 0),
        ({"message_count": 6}, 20),
        ({"last_message_time": NOW - HOUR + timedelta(seconds=1)}, 15),
        ({"last_message_time": NOW - HOUR}, 0),
        ({"location": "  san  ISIDRO"}, 10),
        ({"location": "Nunez"}, 10),
        ({"location": "Morón"}, 0),
    ],
)
def test_each_part_has_its_points(values: dict[str, Any], points: int) -> None:
    assert base_score(lead(**values), NOW, AREAS).base == points


def test_no_areas_give_nobody_points_for_a_missing_one() -> None:
    assert base_score(lead(location=""), NOW, folded(["", "  "])).area == 0


def test_all_parts_together_are_a_hundred() -> None:
    best = LeadScore(source=30, messages=20, recency=15, area=10, intent=1.0)
    assert (best.points, best.probability) == (100, 1.0)


@pytest.mark.parametrize(("intent", "hot"), [(0.6, True), (0.5999, False)])
def test_the_threshold_itself_is_hot(intent: float, hot: bool) -> None:
    assert LeadScore(source=30, messages=20, recency=15, area=0, intent=intent).reaches(0.8) is hot


def test_unread_messages_may_still_bring_full_marks() -> None:
    assert LeadScore(source=30, messages=20, recency=15, area=0).most == 90


def test_folding_ignores_case_accents_and_blanks() -> None:
    assert fold(" NÚÑEZ ") == fold("nunez")


@pytest.fixture
def crm(tmp_path: Path) -> Iterator[ReferenceCrm]:
    crm = ReferenceCrm(f"sqlite:///{tmp_path / 'crm.db'}")
    crm.people()
    yield crm
    crm.close()


def test_a_score_is_explained_part_by_part(crm: ReferenceCrm) -> None:
    crm.lead(9, location="Núñez")
    crm.talk(9, ["hola"] * 5 + ["Lo quiero comprar hoy, ¿cómo pago?"], NOW - MINUTE)
    source = CrmSource(crm.engine, settings(high_value_areas=("nuñez",)))
    explained = score.explain(source, "9", NOW)
    parts = explained["parts"]
    assert (parts["source"], parts["messages"], parts["recency"], parts["area"]) == (30, 20, 15, 10)
    assert 12.5 < parts["intent"] <= 25
    assert explained["probability"] == round(sum(parts.values()) / 100, 2)
    assert (explained["lead_id"], explained["lead_name"], explained["hot"]) == ("9", "Carlos Rodríguez", True)


def test_a_won_lead_has_a_score_and_is_not_hot(crm: ReferenceCrm) -> None:
    crm.lead(9, status="converted")
    crm.talk(9, ["Lo quiero comprar hoy"] * 6, NOW - MINUTE)
    explained = score.explain(CrmSource(crm.engine, settings()), "9", NOW)
    assert (explained["closed"], explained["hot"]) == (True, False)


def test_an_unknown_lead_is_one_sentence(crm: ReferenceCrm) -> None:
    with pytest.raises(CrmError, match="The CRM has no lead abc; give its id"):
        score.explain(CrmSource(crm.engine, settings()), "abc", NOW)
