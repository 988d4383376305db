"""The intent model as a seller meets it: which messages light up a lead, and which put it out."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from crmtray_server import intent
from crmtray_server.intent import classify, lead_intent, sentence_intent

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def train() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_intent", ROOT / "training" / "intent" / "train.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WANTS = [
    "mandame el link de pago",
    "¿no me mandás el link de pago?",
    "no quiero cancelar, quiero pagar",
    "me podrías pasar el alias así te transfiero?",
    "kiero komprarlo ya",
    "xfa pasam el cbu q t transfiero",
    "LO QUIEROOOO 😍😍",
    "no puedo pagar hoy, mañana te transfiero",
    "no me interesa el chico, quiero comprar el grande",
    "Hola! Quiero comprar el Toyota que vi publicado, ¿sigue disponible?",
    "vale, me lo quedo, ¿cómo te pago?",
    "quiero sacar turno con la dermatóloga",
    "me quiero inscribir en el curso de marzo",
    "ya transferí, te paso el comprobante",
    "es caro pero lo llevo",
    "I want to buy it, how do I pay?",
    "I don't want to cancel, I want to pay",
    "sign me up please",
    "quero fechar negócio, manda o pix",
    "não quero cancelar, quero pagar",
]
DOES_NOT_WANT = [
    "quiero cancelar y que me devuelvan la plata",
    "no me interesa",
    "ya compré en otro lado",
    "todavía no lo voy a comprar",
    "no me mandes más mensajes",
    "no me mandes el link",
    "quiero comprar pero no puedo",
    "no quiero pagar, quiero cancelar",
    "lo iba a comprar pero me arrepentí",
    "xq me siguen escribiendo?? basta",
    "q me devuelvan la guita",
    "si no bajás el precio no compro",
    "me encanta pero es carísimo",
    "no",
    "stop messaging me",
    "I want my money back",
    "I'm not going to buy it",
    "não quero mais, cancela",
    "já comprei em outra loja",
]
ONLY_ASKS = [
    "hola",
    "gracias!",
    "q precio tiene",
    "¿se puede pagar en cuotas?",
    "lo voy a pensar",
    "no sé qué talle soy",
    "no me llegó el mail",
    "¿puedo cancelar cuando quiera?",
    "👍",
    "how much is it?",
    "I can't talk right now, I'm at work",
    "quanto custa?",
    "não entendi",
]


@pytest.mark.parametrize("text", WANTS)
def test_a_wish_to_buy_is_seen(text: str) -> None:
    assert sentence_intent(text) > 0.75, classify(text)


@pytest.mark.parametrize("text", DOES_NOT_WANT)
def test_a_rejection_is_seen(text: str) -> None:
    assert sentence_intent(text) < 0.1, classify(text)
    assert classify(text).reject > intent.CLEAR


@pytest.mark.parametrize("text", ONLY_ASKS)
def test_a_question_or_a_courtesy_is_neither(text: str) -> None:
    assert sentence_intent(text) < 0.4, classify(text)
    assert classify(text).reject < intent.CLEAR


def test_the_promised_pair() -> None:
    assert sentence_intent("mandame el link de pago") > 0.95
    assert sentence_intent("quiero cancelar y que me devuelvan la plata") < 0.02


def test_the_wish_is_found_inside_a_long_message() -> None:
    story = "Hola, cómo están? Ayer estuve viendo la publicación con mi hermano. " * 4
    assert sentence_intent(f"{story}Lo quiero comprar, pasame el link de pago. Saludos a todos!") > 0.75
    assert sentence_intent(f"{story}Quiero cancelar y que me devuelvan la plata. Saludos a todos!") < 0.1


# A lead's messages, oldest first -------------------------------------------------------------------------------------

BUY = "quiero comprarlo, pasame el link de pago"
ASK = "qué horario tienen?"
NO = "no me interesa, gracias"


def test_nothing_said_is_no_intent() -> None:
    assert lead_intent([]) == 0.0
    assert lead_intent(["", "   ", "\n"]) == 0.0


def test_one_message_counts_as_itself() -> None:
    assert lead_intent([BUY]) == sentence_intent(BUY)


def test_the_wish_fades_with_each_newer_message_but_is_not_lost() -> None:
    values = [lead_intent([BUY, *[ASK] * newer]) for newer in range(6)]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)
    assert values[-1] > 0.6


def test_only_the_last_ten_messages_are_read() -> None:
    assert lead_intent([BUY, *[ASK] * 9]) > 0.5
    assert lead_intent([BUY, *[ASK] * 10]) == lead_intent([ASK] * 10)


def test_empty_messages_do_not_push_a_wish_out() -> None:
    assert lead_intent([BUY, *[" "] * 30]) == lead_intent([BUY])


def test_a_rejection_as_the_last_word_puts_the_lead_out() -> None:
    assert lead_intent([BUY, BUY, NO]) < 0.05
    assert lead_intent([BUY, NO, "gracias"]) < 0.1


def test_after_a_rejection_only_what_came_later_counts() -> None:
    assert lead_intent([BUY, NO, ASK]) == lead_intent([NO, ASK])
    assert lead_intent([NO, BUY]) == lead_intent([BUY])


def test_another_wish_never_lowers_it() -> None:
    for before in ([], [ASK], [BUY], [NO], [BUY, NO], [NO, ASK]):
        assert lead_intent([*before, BUY]) >= max(lead_intent(before) * intent.DECAY, 0.75)


# Whatever is sent ----------------------------------------------------------------------------------------------------

ODD = [
    "", " \n\t", "😂😂😂😂", "🏳️‍🌈👩‍👩‍👧", "x" * 10_000, "no " * 4_000, "a b " * 3_000, "\n" * 10_000, "?" * 10_000,
    "你好，多少钱", "привет", "مرحبا", "١٢٣", "\x00\x01", "\ud800", "ﷺ" * 500, "https://example.com/?q=1", "12.500,00",
    "'", "́́́",
]  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_text_gives_a_sane_value(text: str) -> None:
    seen = classify(text)
    assert all(0.0 <= part <= 1.0 for part in (seen.buy, seen.neutral, seen.reject))
    assert seen.buy + seen.neutral + seen.reject == pytest.approx(1.0)
    assert 0.0 <= sentence_intent(text) <= 1.0
    assert 0.0 <= lead_intent([text, text]) <= 1.0


@pytest.mark.parametrize("text", ["", "😂", "你好", "привет", "12.500,00", "https://example.com/?q=1"])
def test_what_it_cannot_read_is_no_wish(text: str) -> None:
    assert sentence_intent(text) < 0.4


def test_random_text_never_breaks_it() -> None:
    chance = random.Random(7)
    for _ in range(200):
        text = "".join(chr(chance.randrange(1, 0x2FFFF)) for _ in range(chance.randrange(60)))
        assert 0.0 <= sentence_intent(text) <= 1.0


def test_capitals_accents_and_stretched_letters_change_nothing() -> None:
    assert classify("QUIÉRO COMPRÁRLO YAAAA") == classify("quiero comprarlo ya")
    assert classify("I don’t want it") == classify("i dont want it")


# Data, weights and docs go together ----------------------------------------------------------------------------------


def test_weights_were_made_from_these_sentences_and_this_script(train: ModuleType) -> None:
    stamp = intent.unpack(train.WEIGHTS.read_bytes()).stamp
    assert stamp == train.stamp(), "run: python training/intent/train.py"


def test_the_same_sentences_give_the_same_bytes(train: ModuleType) -> None:
    few = train.training_examples()[::15]
    assert train.pack(train.rounded(train.fit(few))) == train.pack(train.rounded(train.fit(few)))


def test_the_docs_state_the_figures_of_these_weights(train: ModuleType) -> None:
    document = (ROOT / "docs" / "intent.md").read_text(encoding="utf-8")
    assert train.full_report(intent.classifier()).strip() in document


def test_held_out_accuracy_is_what_it_was(train: ModuleType) -> None:
    right = {
        title: train.accuracy(train.confusion(intent.classifier(), train.held_out_examples(name)))
        for title, name in train.HELD_OUT.items()
    }
    assert right["everyday"] >= 0.90
    assert right["hard"] >= 0.70


def test_there_is_enough_to_learn_from_and_nothing_twice(train: ModuleType) -> None:
    examples = train.training_examples()
    counts = Counter((example.language, example.label) for example in examples)
    assert min(counts["es", label] for label in train.CLASSES) >= 350
    assert min(counts.values()) >= 120
    assert len({(example.language, example.text) for example in examples}) == len(examples)


def test_held_out_sentences_are_not_training_sentences_in_other_clothes(train: ModuleType) -> None:
    known = [(example.language, _vocabulary(example.text)) for example in train.training_examples()]
    for name in train.HELD_OUT.values():
        for example in train.held_out_examples(name):
            mine = _vocabulary(example.text)
            close = [other for language, other in known if language == example.language and _alike(mine, other) >= 0.75]
            assert not close, example


def _vocabulary(text: str) -> frozenset[str]:
    return frozenset(token for token in intent.tokens(text) if token.isalnum()) or frozenset({text})


def _alike(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)


def test_a_wrong_line_is_named(train: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "es.tsv").write_text("buy\tes\tlo quiero\nmaybe\tes\tno sé\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"es\.tsv, line 2"):
        train.read_examples(tmp_path / "es.tsv")


def test_the_weights_are_small(train: ModuleType) -> None:
    assert train.WEIGHTS.stat().st_size < 200_000


def test_it_runs_with_the_standard_library_alone_and_loads_only_when_asked() -> None:
    code = (
        "import json, sys\n"
        "from crmtray_server import intent\n"
        "before = intent.classifier.cache_info().currsize\n"
        "value = intent.sentence_intent('quiero comprarlo')\n"
        "print(json.dumps([before, value]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'server')!r})\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded_before, value = json.loads(run.stdout)
    assert loaded_before == 0
    assert value > 0.75
