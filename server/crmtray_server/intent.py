"""How likely a customer's messages mean that he wants to buy.

Owns the reading of a sentence (normalising, negation, features) and the model's use at run time: three
classes, `buy`, `neutral` and `reject`, from a linear model whose weights lie beside this file. Standard library
only; knows no CRM, no store and no time. It must not learn: the weights are made by `training/intent/train.py`,
which imports `features` from here so that what is trained and what is run cannot differ. See docs/intent.md.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple

WEIGHTS_FILE: Final = "intent_weights.json.gz"
CLEAR: Final = 0.6
"""From this probability on a rejection, or a wish to buy, is taken at its word."""
MESSAGES_READ: Final = 10
DECAY: Final = 0.94
"""What a message's signal keeps for each newer message that came after it."""
WORDS_REMEMBERED: Final = 20_000
PIECE_WORDS: Final = 24
TEXT_HEAD: Final = 1000
TEXT_TAIL: Final = 1000

GRAM_SIZES: Final = (2, 3, 4, 5)
LONGEST_WORD: Final = 24
WORD_VALUE: Final = 0.7
PAIR_VALUE: Final = 0.7
TRIPLE_VALUE: Final = 0.4
"""Against 1 for all character n-grams of a word together."""

NEGATION_REACH: Final = 3
NEGATORS: Final = frozenset(
    ("no", "ni", "nunca", "jamas", "tampoco", "sin", "nao", "nem", "nope", "not", "never", "dont", "doesnt",
     "didnt", "wont", "wouldnt", "cant", "cannot", "isnt", "arent", "without")
)  # fmt: skip
TURNS: Final = frozenset(("pero", "sino", "aunque", "but", "mas", "porem", "solo", "only", "just"))
"""Words after which what was denied is over: "no el chico, sino el grande"."""
SHORT_FORMS: Final = {
    "q": "que", "k": "que", "qe": "que", "ke": "que", "xq": "porque", "pq": "porque", "porq": "porque",
    "xk": "porque", "x": "por", "d": "de", "m": "me", "t": "te", "tb": "tambien", "tmb": "tambien",
    "tbn": "tambien", "xfa": "porfa", "pfa": "porfa", "porfis": "porfa", "pls": "please", "plz": "please",
    "dsp": "despues", "desp": "despues", "dnd": "donde", "dnde": "donde", "cdo": "cuando", "cto": "cuanto",
    "cmo": "como", "kmo": "como", "bn": "bien", "grax": "gracias", "grcs": "gracias", "thx": "thanks",
    "vc": "voce", "vcs": "voces", "qto": "quanto", "hj": "hoje", "obg": "obrigado", "n": "nao", "naum": "nao",
    "nn": "nao", "qro": "quero", "pra": "para", "ta": "esta", "u": "you", "ur": "your", "im": "i am",
    "ill": "i will", "wanna": "want to", "gonna": "going to",
}  # fmt: skip

_JOINED = re.compile(r"(?<=\w)['’`´](?=\w)")
_LAUGHTER = re.compile(r"\b(?:k{3,}|(?:[aj]?(?:ja|je|ha|he)|rs){2,}[jhs]?)\b")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
_TOKEN = re.compile(r"\d[\d.,]*|[^\W\d_]+|\S")
_PIECE = re.compile(r"(?<=[.!?;\n])\s+|\n+")
_INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff\ufe0f\ufe0e")


@dataclass(frozen=True, slots=True)
class Intent:
    """The three probabilities; their sum is 1."""

    buy: float
    neutral: float
    reject: float


NOTHING_SAID: Final = Intent(0.0, 1.0, 0.0)


class Word(NamedTuple):
    """One word as the model sees it, and whether a negation reaches it."""

    text: str
    negated: bool


class Feature(NamedTuple):
    """Something seen in a text, and how much it counts before a text's features are brought to length 1."""

    name: str
    value: float


class Sum(NamedTuple):
    """What some features weigh together, and the sum of their squared values, unknown features too."""

    buy: float
    reject: float
    square: float


class Model(NamedTuple):
    """Log-odds against `neutral`: one pair (buy, reject) for each feature, in steps of `step`."""

    weights: dict[str, tuple[int, int]]
    bias: tuple[float, float]
    step: float
    stamp: str


def fold(text: str) -> str:
    """Lower case, no accents, "siiii" as "si", no invisible signs; "don't" as "dont"."""
    flat = unicodedata.normalize("NFKD", _JOINED.sub("", text)).lower()
    kept = "".join(sign for sign in flat if not unicodedata.combining(sign) and sign not in _INVISIBLE)
    return _STRETCHED.sub(r"\1", _LAUGHTER.sub("jaja", kept))


def tokens(text: str) -> list[str]:
    """Words written out, numbers as "0", punctuation and emoji one by one."""
    found: list[str] = []
    for token in _TOKEN.findall(fold(text)):
        if token[0].isdecimal():
            found.append("0")
        else:
            found.extend(SHORT_FORMS.get(token, token).split())
    return found


def words(text: str) -> list[Word]:
    """The tokens with the reach of each negation marked; punctuation and "but" end it."""
    marked: list[Word] = []
    reach = 0
    for token in tokens(text):
        if not token.isalnum() or token in TURNS:
            reach = 0
        if token in NEGATORS:
            marked.append(Word(token, False))
            reach = NEGATION_REACH
            continue
        marked.append(Word(token[:LONGEST_WORD], reach > 0))
        reach = max(0, reach - 1)
    return marked


def word_features(word: Word) -> Iterator[Feature]:
    """The whole word, and its character n-grams within its borders; denied words are words of their own."""
    mark = "!" if word.negated else ""
    bordered = f"<{word.text}>"
    yield Feature(mark + bordered, WORD_VALUE)
    grams = [
        bordered[start : start + size]
        for size in GRAM_SIZES
        for start in range(len(bordered) - size + 1)
        if size < len(bordered)
    ]
    value = 1.0 / math.sqrt(max(1, len(grams)))
    for gram in grams:
        yield Feature(mark + gram, value)


def phrase_features(sequence: Sequence[Word]) -> Iterator[Feature]:
    """Two and three neighbouring words, each once; "^" and "$" are the borders of the text."""
    texts = ["^", *(word.text for word in sequence if word.text.isalnum() or word.text == "?"), "$"]
    for first, second in dict.fromkeys(pairwise(texts)):
        yield Feature(f"{first} {second}", PAIR_VALUE)
    for first, second, third in dict.fromkeys(zip(texts, texts[1:], texts[2:], strict=False)):
        yield Feature(f"{first} {second} {third}", TRIPLE_VALUE)


def features(text: str) -> Iterator[Feature]:
    """All features of a text, each word once: ten times "no" is a "no". The trainer learns from these."""
    sequence = words(text)
    for word in dict.fromkeys(sequence):
        yield from word_features(word)
    yield from phrase_features(sequence)


def unpack(packed: bytes) -> Model:
    """The weights file as `training/intent/train.py` writes it."""
    content: dict[str, Any] = json.loads(gzip.decompress(packed))
    pairs = zip(content["buy"], content["reject"], strict=True)
    weights = dict(zip(content["features"].split("\n"), pairs, strict=True))
    buy, reject = content["bias"]
    return Model(weights, (buy, reject), content["step"], content["stamp"])


def softmax(buy: float, reject: float) -> Intent:
    """From log-odds against neutral to probabilities."""
    top = max(buy, reject, 0.0)
    odds = (math.exp(buy - top), math.exp(-top), math.exp(reject - top))
    total = sum(odds)
    return Intent(odds[0] / total, odds[1] / total, odds[2] / total)


def pieces(text: str) -> Iterator[list[Word]]:
    """A short message whole; a long one by sentences, and those in runs of at most PIECE_WORDS."""
    if len(text) > TEXT_HEAD + TEXT_TAIL:
        text = f"{text[:TEXT_HEAD]}\n{text[-TEXT_TAIL:]}"
    whole = words(text)
    if len(whole) <= PIECE_WORDS:
        yield whole
        return
    for sentence in _PIECE.split(text):
        sequence = words(sentence)
        for start in range(0, len(sequence), PIECE_WORDS):
            yield sequence[start : start + PIECE_WORDS]


class Classifier:
    """A model at work. Remembers what a word weighs: people use the same few thousand words."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._sum_of_word = lru_cache(maxsize=WORDS_REMEMBERED)(lambda word: self._sum(word_features(word)))

    def classify(self, text: str) -> Intent:
        read = [self._classify_piece(sequence) for sequence in pieces(text) if sequence]
        for intent in reversed(read):
            if max(intent.buy, intent.reject) >= CLEAR:
                return intent
        return max(read, key=lambda intent: max(intent.buy, intent.reject), default=NOTHING_SAID)

    def _classify_piece(self, sequence: Sequence[Word]) -> Intent:
        sums = [self._sum(phrase_features(sequence)), *map(self._sum_of_word, dict.fromkeys(sequence))]
        buy, reject, square = map(sum, zip(*sums, strict=True))
        bias_buy, bias_reject = self._model.bias
        scale = self._model.step / math.sqrt(square)
        return softmax(bias_buy + buy * scale, bias_reject + reject * scale)

    def _sum(self, seen: Iterable[Feature]) -> Sum:
        weights = self._model.weights
        buy = reject = square = 0.0
        for name, value in seen:
            square += value * value
            pair = weights.get(name)
            if pair is not None:
                buy += pair[0] * value
                reject += pair[1] * value
        return Sum(buy, reject, square)


@lru_cache(maxsize=1)
def classifier() -> Classifier:
    """Read at first use, so that a server which never scores does not pay for it."""
    return Classifier(unpack(resources.files(__package__).joinpath(WEIGHTS_FILE).read_bytes()))


def classify(text: str) -> Intent:
    """What a message means. Of a long message the last clear sentence decides: politeness comes around it."""
    return classifier().classify(text)


def _worth(intent: Intent) -> float:
    return intent.buy * (1.0 - intent.reject)


def sentence_intent(text: str) -> float:
    """0..1: the wish to buy in one message; rejection pulls it to 0."""
    return _worth(classify(text))


def lead_intent(messages: Sequence[str]) -> float:
    """0..1: the wish to buy in a customer's messages, oldest first.

    Read from the newest back: the strongest sign counts, a little less for each message after it, and what was
    said before a clear rejection no longer counts.
    """
    strongest = 0.0
    said = (message for message in reversed(messages) if message.strip())
    for age, message in enumerate(islice(said, MESSAGES_READ)):
        intent = classify(message)
        strongest = max(strongest, _worth(intent) * DECAY**age)
        if intent.reject >= CLEAR:
            break
    return strongest
