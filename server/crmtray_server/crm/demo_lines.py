"""What the sample CRM's company sells, and how its customers and sellers talk about it.

Owns products and dialogues: a conversation is a row of exchanges (what a customer asks, what a seller answers) of one
line of business, in the order in which they make sense. Pure data, in Spanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple


class Product(NamedTuple):
    """What a lead is interested in; prices in US dollars."""

    name: str
    price: int
    deposit: int
    fee: int


class Exchange(NamedTuple):
    """Any of the questions is answered by any of the answers."""

    asks: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of business: what it sells, and its exchanges from the first question to the purchase.

    The last exchange is the decision to buy: its questions are the strongest intent there is.
    """

    name: str
    products: tuple[Product, ...]
    exchanges: tuple[Exchange, ...]

    @property
    def last(self) -> int:
        return len(self.exchanges) - 1


CARS: Final = Line(
    "Automotores",
    (
        Product("Toyota Etios 2021", 14500, 500, 420),
        Product("Volkswagen Gol Trend 2020", 11800, 400, 350),
        Product("Peugeot 208 0 km", 21900, 800, 610),
        Product("Chevrolet Cruze 2022", 24900, 900, 690),
    ),
    (
        Exchange(
            (
                "Hola, buen día. Vi el aviso del {product}, ¿sigue disponible?",
                "Buenas, me llamo {name}. ¿Todavía tienen el {product}?",
            ),
            (
                "Hola {name}, soy {seller}. Sí, el {product} está disponible en nuestro salón.",
                "¡Hola {name}! Sí, lo tenemos en el salón y listo para ver.",
            ),
        ),
        Exchange(
            ("¿Qué precio tiene de contado?", "¿Me pasás el precio final, por favor?"),
            (
                "El valor es {price} de contado, con la transferencia incluida.",
                "Queda en {price} final. Ese precio ya incluye los gastos de transferencia.",
            ),
        ),
        Exchange(
            ("¿Cuántos kilómetros tiene y qué garantía dan?", "¿Viene con garantía? ¿Los services están al día?"),
            (
                "Tiene garantía de un año y todos los services hechos en la concesionaria.",
                "Se entrega con un año de garantía y la verificación hecha. Te puedo mandar el informe completo.",
            ),
        ),
        Exchange(
            ("¿Tienen financiación? ¿De cuánto quedaría la cuota?", "¿Se puede pagar en cuotas?"),
            (
                "Sí, financiamos hasta la mitad: 24 cuotas de {fee} aproximadamente.",
                "Sí, con DNI y recibo de sueldo. Serían unas 24 cuotas de {fee}.",
            ),
        ),
        Exchange(
            ("¿Reciben un usado? El mío es un Fiat Palio 2014.", "¿Reciben mi auto usado como anticipo?"),
            (
                "Sí, lo tomamos. Con unas fotos y los kilómetros te paso una cotización hoy mismo.",
                "Sí, recibimos usados. La cotización se hace en el momento, en el salón.",
            ),
        ),
        Exchange(
            ("¿En cuánto tiempo lo entregan?", "Si lo reservo esta semana, ¿qué demora tiene la entrega?"),
            (
                "La entrega es dentro de los 7 días hábiles, con el papeleo terminado.",
                "En una semana lo tenés, nosotros nos ocupamos de los trámites.",
            ),
        ),
        Exchange(
            ("¿Puedo pasar a verlo el sábado a la mañana?", "¿Hacen prueba de manejo? Podría ir el sábado."),
            (
                "Claro, el sábado atendemos de 9 a 13. Te anoto para las 10.",
                "Sí, con turno. Te reservo el sábado a las 10:30 y preguntás por {seller}.",
            ),
        ),
        Exchange(
            (
                "Me decidí, lo quiero comprar. Pasame el link para pagar la seña.",
                "Listo, lo compro. ¿A qué CBU transfiero los {deposit} de la seña?",
                "Quiero reservarlo hoy mismo, ¿cómo hago para pagar la seña?",
            ),
            (
                "¡Excelente, {name}! Te envío el link de pago por {deposit} y queda reservado a tu nombre.",
                "¡Felicitaciones! Con la seña de {deposit} queda reservado. Ya te mando los datos para el pago.",
            ),
        ),
    ),
)

CLINIC: Final = Line(
    "Clínica",
    (
        Product("implante dental", 950, 150, 160),
        Product("tratamiento de ortodoncia", 1800, 200, 110),
        Product("blanqueamiento dental", 260, 60, 90),
        Product("chequeo médico completo", 180, 40, 60),
    ),
    (
        Exchange(
            (
                "Hola, quería información sobre el {product}.",
                "Buenas tardes, soy {name}. Me recomendaron la clínica para el {product}.",
            ),
            (
                "Hola {name}, gracias por escribir. Soy {seller}, con gusto te informo sobre el {product}.",
                "¡Hola {name}! Contame, ¿es la primera vez que nos consultás?",
            ),
        ),
        Exchange(
            ("Sí, es la primera vez. ¿Cuánto sale?", "¿Qué costo tiene, más o menos?"),
            (
                "El valor es {price} e incluye la consulta inicial y los controles.",
                "Está en {price}, todo incluido. La primera consulta no tiene cargo.",
            ),
        ),
        Exchange(
            ("¿Trabajan con obra social o prepaga?", "¿Lo cubre OSDE?"),
            (
                "Hacemos factura para reintegro: según el plan devuelven entre el 30 y el 50 %.",
                "Trabajamos por reintegro. Te damos toda la documentación para presentar.",
            ),
        ),
        Exchange(
            ("¿Cuántas sesiones son?", "¿Cuánto dura todo el proceso?"),
            (
                "Depende de la evaluación, pero en general son de dos a cuatro visitas.",
                "La mayoría de los pacientes termina en tres visitas, con un control al mes.",
            ),
        ),
        Exchange(
            ("¿Duele mucho? Me da un poco de miedo.", "¿Se hace con anestesia?"),
            (
                "No hay de qué preocuparse: se hace con anestesia local y no se siente dolor.",
                "No, se hace con anestesia local y la recuperación es muy rápida.",
            ),
        ),
        Exchange(
            ("¿Se puede pagar en cuotas?", "¿Aceptan tarjeta en cuotas?"),
            (
                "Sí, hasta 6 cuotas sin interés con tarjeta. Quedarían desde {fee} por mes.",
                "Sí, con tarjeta son cuotas de {fee}, y por transferencia hay un 10 % de descuento.",
            ),
        ),
        Exchange(
            ("¿Qué turnos tienen esta semana?", "¿Atienden después de las 18? Salgo tarde del trabajo."),
            (
                "Tengo el jueves a las 18:30 y el viernes a las 9. ¿Cuál te queda mejor?",
                "Sí, atendemos hasta las 20. Hay lugar el jueves a las 18:30.",
            ),
        ),
        Exchange(
            (
                "El jueves me queda perfecto. Quiero confirmar el turno, pasame el link para pagar la seña.",
                "Dale, reservame ese turno. ¿Cómo pago la seña de {deposit}?",
                "Quiero empezar ya. Pasame el alias y hago la transferencia ahora.",
            ),
            (
                "¡Perfecto, {name}! Te mando el link por {deposit} y el turno queda confirmado.",
                "Excelente. Ya te envío los datos para la seña de {deposit} y la confirmación del turno.",
            ),
        ),
    ),
)

COURSES: Final = Line(
    "Instituto",
    (
        Product("curso de Excel avanzado", 190, 40, 65),
        Product("curso de marketing digital", 340, 60, 115),
        Product("diplomado en gestión comercial", 720, 120, 125),
        Product("curso de programación en Python", 480, 80, 125),
    ),
    (
        Exchange(
            (
                "Hola, vi la publicidad del {product}. ¿Cuándo empieza?",
                "Buenas, ¿en qué fecha comienza el {product}?",
            ),
            (
                "Hola {name}, soy {seller}. La próxima edición comienza el primer lunes del mes que viene.",
                "¡Hola {name}! Empezamos el primer lunes del mes y todavía quedan vacantes.",
            ),
        ),
        Exchange(
            ("¿Qué precio tiene?", "¿Cuánto cuesta en total?"),
            (
                "El valor total es {price}, con el material y el certificado incluidos.",
                "Son {price} por la cursada completa. No hay matrícula aparte.",
            ),
        ),
        Exchange(
            ("¿Es presencial o en línea?", "¿Las clases quedan grabadas?"),
            (
                "Es en línea y en vivo, y cada clase queda grabada en el campus.",
                "Las clases son en vivo por videollamada y quedan grabadas por un año.",
            ),
        ),
        Exchange(
            ("¿Qué horarios hay? Trabajo hasta las 18.", "¿Hay turno noche?"),
            (
                "Sí, el grupo de la noche cursa martes y jueves de 19 a 21.",
                "Hay un grupo los martes y jueves de 19 a 21, pensado para quienes trabajan.",
            ),
        ),
        Exchange(
            ("¿Necesito conocimientos previos?", "¿Es para principiantes? Sería mi primer curso."),
            (
                "No hace falta experiencia: empezamos desde cero y hay tutorías cada semana.",
                "Está pensado para principiantes y hay tutorías para consultas.",
            ),
        ),
        Exchange(
            ("¿Dan certificado? Lo necesito para mi trabajo.", "¿El certificado tiene validez?"),
            (
                "Sí, entregamos un certificado digital con las horas cursadas y la nota.",
                "Sí, se emite un certificado que se puede verificar en línea.",
            ),
        ),
        Exchange(
            ("¿Se puede pagar en cuotas?", "¿Tienen algún descuento o plan de pagos?"),
            (
                "Sí, en cuotas sin interés de {fee}. En un pago hay un 15 % de descuento.",
                "Tenemos un plan de cuotas de {fee}, y un 15 % menos si es en un pago.",
            ),
        ),
        Exchange(
            (
                "Me quiero inscribir. Pasame el link para pagar la seña y reservar la vacante.",
                "Listo, me anoto. ¿Dónde pago la inscripción? Quiero hacerlo hoy.",
                "Quiero pagar ahora, ¿me pasás el CBU para transferir los {deposit}?",
            ),
            (
                "¡Qué bueno, {name}! Te mando el link por {deposit} y la vacante queda reservada.",
                "¡Genial! Ya te envío los datos para pagar la reserva de {deposit}.",
            ),
        ),
    ),
)

LINES: Final = (CARS, CLINIC, COURSES)
