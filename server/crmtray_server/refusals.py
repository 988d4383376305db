"""Why an action cannot be done: a stable code for programs, and a sentence in the reader's language."""

from __future__ import annotations

from typing import Final

_CODES_AND_SENTENCES: Final = {
    "not_offered": (
        "action_not_offered",
        "Esta notificación no ofrece esa acción.",
        "This notification does not offer that action.",
    ),
    "no_target": (
        "action_not_offered",
        "Esta notificación no dice sobre qué actuar.",
        "This notification does not say what to act upon.",
    ),
    "no_seller": (
        "invalid_params",
        "Elige a quién se asigna.",
        "Choose whom to assign it to.",
    ),
    "no_message": (
        "invalid_params",
        "Escribe un mensaje de hasta {longest} caracteres.",
        "Write a message of up to {longest} characters.",
    ),
    "no_future": (
        "invalid_params",
        "Elige una fecha y hora futuras, de aquí a cinco años.",
        "Choose a date and time to come, within five years.",
    ),
    "unknown_seller": (
        "unknown_seller",
        "Esa persona no es un vendedor activo de tu empresa.",
        "That person is not an active seller of your company.",
    ),
    "role": (
        "forbidden",
        "Tu rol no permite esta acción.",
        "Your role does not allow this action.",
    ),
    "crm_forbids": (
        "forbidden",
        "El CRM no te permite esta acción.",
        "The CRM does not allow you this action.",
    ),
    "crm_off": (
        "crm_actions_off",
        "Este servidor no tiene permiso para cambiar el CRM.",
        "This server may not change the CRM.",
    ),
    "gone": (
        "target_gone",
        "Ya no existe en el CRM o ya no está a tu cargo.",
        "It no longer exists in the CRM, or is no longer assigned to you.",
    ),
    "crm_refuses": (
        "crm_refused",
        "El CRM no aceptó el cambio.",
        "The CRM did not accept the change.",
    ),
    "crm_broken": (
        "crm_actions_off",
        "La conexión con el CRM está mal configurada; avisa a quien administra crmtray.",
        "The connection to the CRM is not set up correctly; tell whoever administers crmtray.",
    ),
}


class ActionRefused(Exception):
    """The action cannot be done: a stable code, and a sentence for the person who pressed the button."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def refusal(why: str, locale: str, said: str = "", **values: object) -> ActionRefused:
    """`locale` may be regional (`en-GB`). `said`: the CRM's own sentence, which says more than ours."""
    code, spanish, english = _CODES_AND_SENTENCES[why]
    sentence = said or (english if locale.startswith("en") else spanish).format(**values)
    return ActionRefused(code, sentence)
