"""Makes the weights of `crmtray_server.intent` from the sentences beside this file. Standard library only.

    python training/intent/train.py                  trains, writes the weights, reports on the held-out sentences
    python training/intent/train.py --cross-validate 5-fold figures on the training sentences: the ones to tune by
    python training/intent/train.py --report         the held-out figures of the weights as they are

Owns the spoiling of training sentences (typos, WhatsApp spelling), the fit and the file format. The same sentences
give the same weights, byte for byte. It must not spoil, learn from or tune by the `heldout` files. See docs/intent.md.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final, NamedTuple

HERE: Final = Path(__file__).resolve().parent
SERVER: Final = HERE.parents[1] / "server"
sys.path.insert(0, str(SERVER))

from crmtray_server import intent  # noqa: E402

WEIGHTS: Final = SERVER / "crmtray_server" / intent.WEIGHTS_FILE
CLASSES: Final = ("buy", "neutral", "reject")
LANGUAGES: Final = ("es", "en", "pt")
HELD_OUT: Final = {"everyday": "heldout.tsv", "hard": "heldout-hard.tsv"}
SEED: Final = 20261124
SPOILT_COPIES: Final = 2
EPOCHS: Final = 10
RATE: Final = 0.4
BIAS_RATE: Final = 0.01
CONTENT: Final = 1e-3
"""A smaller error teaches nothing more."""
SHRINK: Final = 0.1
"""L2: what every weight loses at the end of an epoch."""
RARE: Final = 2
"""A feature seen in fewer training sentences is left out."""
STEPS: Final = 127

SHORTER: Final = {
    "que": ("q", "k"), "porque": ("xq", "pq"), "por": ("x",), "también": ("tb", "tmb"), "cuánto": ("cuanto", "cto"),
    "quiero": ("kiero", "qiero"), "para": ("pa",), "de": ("d",), "me": ("m",), "cómo": ("kmo", "cmo"),
    "dónde": ("dnd", "donde"), "favor": ("fa",), "gracias": ("grax",), "please": ("pls",), "you": ("u",),
    "want to": ("wanna",), "quero": ("qro", "kero"), "não": ("n", "nao"), "hoje": ("hj",), "está": ("tá",),
    "você": ("vc",), "quanto": ("qto",), "estoy": ("toy",), "compro": ("conpro",), "hacer": ("aser",),
    "necesito": ("nesesito",), "hoy": ("oi",), "ya": ("ia",),
}  # fmt: skip
OPENINGS: Final = {
    "es": (
        "hola",
        "hola!",
        "buenas",
        "buen día,",
        "che",
        "hola Ana,",
        "perdón,",
        "disculpá,",
        "ok,",
        "bueno,",
        "mira",
    ),
    "en": ("hi", "hello,", "hey", "ok,", "well,", "sorry,", "hi Ana,", "good morning,"),
    "pt": ("oi", "olá,", "bom dia,", "ok,", "bom,", "desculpa,", "oi Ana,", "então"),
}
CLOSINGS: Final = {
    "es": ("gracias", "por favor", "porfa", "!!", "😊", "🙏", "saludos", "ok?", "jaja", "...", "amigo", "."),
    "en": ("thanks", "please", "!!", "😊", "🙏", "lol", "...", "ok?", "."),
    "pt": ("obrigado", "por favor", "!!", "😊", "🙏", "kkk", "...", "tá?", "."),
}
KEYBOARD: Final = dict(
    zip("qwertyuiopasdfghjklzxcvbnm", "wertyuioqsdfghjklaxcvbnmz", strict=False),
)


class Example(NamedTuple):
    """One labelled sentence of a TSV file."""

    label: str
    language: str
    text: str


class Sparse(NamedTuple):
    """A sentence in numbers: which features, and how much of each; the values have length 1."""

    label: str
    indices: list[int]
    values: list[float]


class Fit(NamedTuple):
    """The model before it is rounded: log-odds against neutral."""

    vocabulary: dict[str, int]
    buy: list[float]
    reject: list[float]
    bias: tuple[float, float]


def read_examples(path: Path) -> list[Example]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_example(line, f"{path.name}, line {number}") for number, line in enumerate(lines, 1)]


def _example(line: str, place: str) -> Example:
    parts = line.split("\t")
    if len(parts) != 3 or parts[0] not in CLASSES or parts[1] not in LANGUAGES or not parts[2].strip():
        raise SystemExit(f"{place}: write label<TAB>language<TAB>text, not {line!r}")
    return Example(*parts)


def training_examples() -> list[Example]:
    return [example for language in LANGUAGES for example in read_examples(HERE / f"{language}.tsv")]


def held_out_examples(name: str) -> list[Example]:
    return read_examples(HERE / name)


# Spoiling ------------------------------------------------------------------------------------------------------------


def shorten(text: str, chance: random.Random) -> str:
    """WhatsApp spelling for about half of the words that have one."""
    done = []
    for word in text.split(" "):
        forms = SHORTER.get(word.lower())
        done.append(chance.choice(forms) if forms and chance.random() < 0.5 else word)
    return " ".join(done)


def mistype(text: str, chance: random.Random) -> str:
    """One slip of the finger in one longer word: swapped, dropped, doubled or neighbouring key."""
    parts = text.split(" ")
    long_words = [place for place, word in enumerate(parts) if len(word) > 3 and word.isalpha()]
    if not long_words:
        return text
    place = chance.choice(long_words)
    word = parts[place]
    at = chance.randrange(1, len(word) - 1)
    slips = (
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + KEYBOARD.get(word[at], word[at]) + word[at + 1 :],
    )
    parts[place] = chance.choice(slips)
    return " ".join(parts)


def wrap(example: Example, fillers: Sequence[str], chance: random.Random) -> str:
    """What people put around it: a greeting, a thank-you, or another sentence without a wish."""
    text = example.text
    if chance.random() < 0.35:
        text = f"{chance.choice(OPENINGS[example.language])} {text}"
    if chance.random() < 0.35:
        text = f"{text} {chance.choice(CLOSINGS[example.language])}"
    if chance.random() < 0.2:
        filler, mark = chance.choice(fillers), chance.choice((". ", ", ", " ", "\n"))
        text = chance.choice((f"{filler}{mark}{text}", f"{text}{mark}{filler}"))
    return text


def spoil(example: Example, fillers: Sequence[str], chance: random.Random) -> Example:
    text = wrap(example, fillers, chance)
    if chance.random() < 0.5:
        text = shorten(text, chance)
    if chance.random() < 0.5:
        text = mistype(text, chance)
    return example._replace(text=text)


def spoilt(examples: Sequence[Example]) -> list[Example]:
    """The sentences as written and their spoilt copies, always the same ones."""
    chance = random.Random(SEED)
    fillers = {
        language: [x.text for x in examples if x.language == language and x.label == "neutral"]
        for language in LANGUAGES
    }
    made = list(examples)
    for example in examples:
        made.extend(spoil(example, fillers[example.language], chance) for _ in range(SPOILT_COPIES))
    return made


# The fit -------------------------------------------------------------------------------------------------------------


def vocabulary_of(examples: Sequence[Example]) -> dict[str, int]:
    """Features of the sentences as written; slips of the finger bring none of their own."""
    seen: Counter[str] = Counter()
    for example in examples:
        seen.update({feature.name for feature in intent.features(example.text)})
    kept = sorted(name for name, times in seen.items() if times >= RARE)
    return {name: index for index, name in enumerate(kept)}


def sparse(example: Example, vocabulary: dict[str, int]) -> Sparse:
    found = list(intent.features(example.text))
    scale = 1.0 / math.sqrt(sum(value * value for _, value in found))
    known = [(vocabulary[name], value * scale) for name, value in found if name in vocabulary]
    return Sparse(example.label, [index for index, _ in known], [value for _, value in known])


def fit(examples: Sequence[Example]) -> Fit:
    """Multinomial logistic regression by AdaGrad, one sentence after the other, with L2."""
    vocabulary = vocabulary_of(examples)
    rows = [sparse(example, vocabulary) for example in spoilt(examples)]
    columns = [[0.0] * (len(vocabulary) + 1) for _ in CLASSES]
    grown = [[1e-6] * (len(vocabulary) + 1) for _ in CLASSES]
    chance = random.Random(SEED)
    for _ in range(EPOCHS):
        chance.shuffle(rows)
        for row in rows:
            _learn(row, columns, grown)
        columns = [[weight * (1 - SHRINK) for weight in column] for column in columns]
    return against_neutral(vocabulary, columns)


def dot(column: list[float], row: Sparse) -> float:
    """Summed exactly: Python 3.12 adds floats differently from 3.11, and the weights must not."""
    return math.fsum([column[i] * value for i, value in zip(row.indices, row.values, strict=True)])


def _learn(row: Sparse, columns: list[list[float]], grown: list[list[float]]) -> None:
    """One step against the error in one sentence; a column's last weight is its bias."""
    buy, neutral, reject = (column[-1] + dot(column, row) for column in columns)
    seen = intent.softmax(buy - neutral, reject - neutral)
    for label, found, column, squares in zip(CLASSES, astuple(seen), columns, grown, strict=True):
        error = found - (label == row.label)
        if abs(error) < CONTENT:
            continue
        for index, value in zip(row.indices, row.values, strict=True):
            slope = error * value
            squares[index] += slope * slope
            column[index] -= RATE * slope / math.sqrt(squares[index])
        column[-1] -= BIAS_RATE * error


def against_neutral(vocabulary: dict[str, int], columns: list[list[float]]) -> Fit:
    """Only differences matter, so two numbers a feature are enough."""
    buy, neutral, reject = columns
    buys, rejects = ([w - n for w, n in zip(column, neutral, strict=True)] for column in (buy, reject))
    return Fit(vocabulary, buys[:-1], rejects[:-1], (buys[-1], rejects[-1]))


def rounded(fitted: Fit) -> dict[str, Any]:
    """The plain content of the weights file: whole steps of one size, features that weigh nothing left out."""
    step = max(map(abs, fitted.buy + fitted.reject)) / STEPS
    names, buys, rejects = [], [], []
    for name, index in fitted.vocabulary.items():
        buy, reject = round(fitted.buy[index] / step), round(fitted.reject[index] / step)
        if buy or reject:
            names.append(name)
            buys.append(buy)
            rejects.append(reject)
    bias = [round(value, 4) for value in fitted.bias]
    return {
        "bias": bias,
        "step": round(step, 8),
        "features": "\n".join(names),
        "buy": buys,
        "reject": rejects,
    }


# What the weights were made of ---------------------------------------------------------------------------------------


def stamp() -> str:
    """Of this script, the training sentences and how the run time reads them: when it differs, train again."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for example in training_examples():
        digest.update("\t".join(example).encode())
        digest.update(repr([tuple(feature) for feature in intent.features(example.text)]).encode())
    return digest.hexdigest()


def pack(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=9, mtime=0)


def classifier_of(fitted: Fit) -> intent.Classifier:
    """The rounded model, as the server will read it."""
    return intent.Classifier(intent.unpack(pack(rounded(fitted) | {"stamp": ""})))


# Figures -------------------------------------------------------------------------------------------------------------


def likeliest(model: intent.Classifier, text: str) -> str:
    seen = model.classify(text)
    return max(CLASSES, key=lambda label: float(getattr(seen, label)))


def confusion(model: intent.Classifier, examples: Sequence[Example]) -> Counter[tuple[str, str]]:
    """How often (label written, label found)."""
    return Counter((example.label, likeliest(model, example.text)) for example in examples)


def accuracy(counted: Counter[tuple[str, str]]) -> float:
    return sum(counted[label, label] for label in CLASSES) / counted.total()


def report(model: intent.Classifier, title: str, examples: Sequence[Example]) -> Iterator[str]:
    """A part of docs/intent.md: accuracy by language, then the confusion matrix."""
    counts = {x: confusion(model, [e for e in examples if e.language == x]) for x in LANGUAGES}
    counted = confusion(model, examples)
    yield from (f"| {title} | sentences | right |", "|---|---:|---:|")
    for name, count in [*counts.items(), ("all", counted)]:
        yield f"| {name} | {count.total()} | {accuracy(count):.1%} |"
    yield from ("", f"| {title}: written \\ found | buy | neutral | reject |", "|---|---:|---:|---:|")
    for label in CLASSES:
        yield f"| {label} | {' | '.join(str(counted[label, found]) for found in CLASSES)} |"
    yield ""


def full_report(model: intent.Classifier) -> str:
    parts = (report(model, title, held_out_examples(name)) for title, name in HELD_OUT.items())
    return "\n".join(line for part in parts for line in part)


def cross_validate(examples: Sequence[Example], folds: int = 5) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Each sentence judged by a model that never saw it; also the sentences judged wrongly."""
    mixed = random.Random(SEED).sample(examples, len(examples))
    counted: Counter[tuple[str, str]] = Counter()
    wrong = []
    for fold in range(folds):
        model = classifier_of(fit([x for place, x in enumerate(mixed) if place % folds != fold]))
        for example in mixed[fold::folds]:
            found = likeliest(model, example.text)
            counted[example.label, found] += 1
            if found != example.label:
                wrong.append(f"{example.label} -> {found}: {example.text}")
    return counted, wrong


def train() -> None:
    WEIGHTS.write_bytes(pack(rounded(fit(training_examples())) | {"stamp": stamp()}))


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains the intent model.")
    parser.add_argument("--cross-validate", action="store_true", help="5-fold figures on the training sentences")
    parser.add_argument("--report", action="store_true", help="held-out figures of the weights as they are")
    asked = parser.parse_args()
    if asked.cross_validate:
        counted, wrong = cross_validate(training_examples())
        print(f"{accuracy(counted):.1%} of {counted.total()}", *sorted(wrong), sep="\n")
        return
    if not asked.report:
        train()
        print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size:,} bytes")
    print(full_report(intent.classifier()))


if __name__ == "__main__":
    main()
