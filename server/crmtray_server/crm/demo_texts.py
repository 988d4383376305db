"""People and sentences of the sample CRM, and how a sentence of a dialogue is written and recognised.

Owns the Spanish texts that go with every line of business; the dialogues themselves are in `demo_lines`. Pure data and
pure functions; knows no database and no time.
"""

from __future__ import annotations

import functools
import re
from itertools import product as pairs
from typing import Final, NamedTuple

from .demo_lines import LINES, Line, Product

TENANT_NAME: Final = "Grupo Rivadavia"
TIME_ZONE: Final = "America/Argentina/Buenos_Aires"

SELLERS: Final = (
    "Ana López", "Juan Pérez", "Lucía Fernández", "Diego Romero", "Valentina Sosa", "Martín Acosta",
    "Camila Herrera", "Nicolás Benítez",
)  # fmt: skip
SECRETARY: Final = "Marta Giménez"
CEO: Final = "Carlos Domínguez"
ADMIN: Final = "Soledad Rivas"

FIRST_NAMES: Final = (
    "María", "Carlos", "Sofía", "Pablo", "Florencia", "Hernán", "Agustina", "Matías", "Paula", "Gustavo", "Julieta",
    "Ramiro", "Micaela", "Esteban", "Rocío", "Federico", "Daniela", "Ignacio", "Gabriela", "Tomás", "Noelia",
    "Leandro", "Verónica", "Santiago", "Belén", "Rodrigo", "Andrea", "Emiliano", "Natalia", "Fabián",
)  # fmt: skip
LAST_NAMES: Final = (
    "González", "Rodríguez", "Gómez", "Díaz", "Martínez", "Álvarez", "Torres", "Ruiz", "Suárez", "Molina", "Ortiz",
    "Castro", "Silva", "Núñez", "Rojas", "Medina", "Méndez", "Vega", "Ibáñez", "Cabrera", "Ledesma", "Quiroga",
    "Villalba", "Peralta", "Ponce", "Bravo", "Figueroa", "Luna", "Paz", "Ferreyra",
)  # fmt: skip
HIGH_VALUE_AREAS: Final = ("Puerto Madero", "Nordelta", "Recoleta")
LOCATIONS: Final = (
    "Palermo", "Caballito", "Quilmes", "La Plata", "Rosario", "Córdoba", "Mendoza", "San Isidro", "Morón", "Montevideo",
    "Asunción", "Santiago",
)  # fmt: skip


class Place(NamedTuple):
    """Where in a line's exchanges a sentence stands."""

    exchange: int
    from_customer: bool


NUDGES: Final = (
    "¿Hola? ¿Pudiste ver mi mensaje?",
    "Perdón que insista, quedo a la espera de tu respuesta.",
    "¿Hay alguna novedad? Necesito definirlo hoy.",
    "Me sigue interesando, ¿me podés responder cuando tengas un momento?",
)
"""What a customer writes who waits, whatever it was about."""

AFTER_PURCHASE: Final = (
    "Ya hice la transferencia, ¿me confirman que la recibieron?",
    "Hola, pagué la seña y no me llegó el comprobante. ¿Me lo pueden enviar?",
)
"""What a customer writes who has paid."""

PLAIN_ANSWERS: Final = (
    "Perdón por la demora, {name}. Ya lo estoy consultando y te confirmo enseguida.",
    "Gracias por la paciencia, {name}. En un momento te paso toda la información.",
)
"""What a seller answers to a sentence that is not of these exchanges."""

FAREWELLS: Final = (
    "¡Muchas gracias, {name}! Ya está todo registrado. Cualquier duda, me escribís.",
    "¡Gracias por confiar en nosotros, {name}! Te llega la confirmación por correo.",
)

CALL_TODAY: Final = "Pidió un llamado hoy por el {product}."
CALL_LATER: Final = "Pidió hablar más adelante por el {product}."

NOTES: Final = {
    "new": ("Pidió información del {product}.", "Llegó por el formulario, consulta por el {product}."),
    "contacted": ("Se le envió la lista de precios del {product}.", "Se le dejó un mensaje, falta que responda."),
    "interested": (
        "Le interesa el {product}, pidió opciones de financiación.",
        "Quiere comparar el {product} con otra oferta. Llamar por la tarde.",
    ),
    "negotiation": (
        "Pide mejorar el precio del {product}; ofrecerle cuotas.",
        "A punto de decidirse por el {product}. Falta acordar la forma de pago.",
    ),
    "converted": ("Compró el {product}. Pedir recomendación.", "Pagó la seña del {product}."),
    "lost": ("Eligió otra oferta.", "No responde desde hace semanas."),
}
"""By the lead's status."""


def seller_name(index: int) -> str:
    """The name of the seller with this number, from 0; every number has another name."""
    if index < len(SELLERS):
        return SELLERS[index]
    rest = index - len(SELLERS)
    first, last = FIRST_NAMES[rest % len(FIRST_NAMES)], LAST_NAMES[rest // len(FIRST_NAMES) % len(LAST_NAMES)]
    again = rest // (len(FIRST_NAMES) * len(LAST_NAMES))
    return f"{first} {last} {again + 1}" if again else f"{first} {last}"


def line_of(lead_id: int) -> Line:
    """What a lead asks about follows from its id, so that a later message continues the same matter."""
    return LINES[lead_id % len(LINES)]


def product_of(lead_id: int) -> Product:
    products = line_of(lead_id).products
    return products[lead_id // len(LINES) % len(products)]


def render(template: str, *, lead_id: int, name: str, seller: str) -> str:
    product = product_of(lead_id)
    return template.format(
        product=product.name,
        price=_dollars(product.price),
        deposit=_dollars(product.deposit),
        fee=_dollars(product.fee),
        name=name,
        seller=seller,
    )


def locate(line: Line, body: str) -> Place | None:
    """Where a sentence stands in its line's exchanges; None when it is none of them."""
    for pattern, place in _patterns(line.name):
        if pattern.fullmatch(body):
            return place
    return None


@functools.cache
def _patterns(line_name: str) -> tuple[tuple[re.Pattern[str], Place], ...]:
    line = next(line for line in LINES if line.name == line_name)
    return tuple(
        (_pattern(template), Place(index, from_customer))
        for (index, exchange), from_customer in pairs(enumerate(line.exchanges), (True, False))
        for template in (exchange.asks if from_customer else exchange.answers)
    )


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(template)))


def _dollars(amount: int) -> str:
    return f"USD {amount:,}".replace(",", ".")
