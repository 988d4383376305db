"""Hands for the private desktop: lists, presses and fills what is on the screen, by name, over AT-SPI.

atspi_hands.py list|press|type APPLICATION [NAME [TEXT]]
Run by the system's Python, which has the bindings (python3-gi, gir1.2-atspi-2.0), not by the project's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

Node = Any


def walk(node: Node, path: tuple[int, ...] = ()) -> Iterator[tuple[Node, tuple[int, ...]]]:
    """Without what goes while it is looked at."""
    yield node, path
    with suppress(GLib.GError):
        for index in range(node.get_child_count()):
            child = node.get_child_at_index(index)
            if child is not None:
                yield from walk(child, (*path, index))


def everything(application: str) -> Iterator[tuple[str, Node, tuple[int, ...]]]:
    root = Atspi.get_desktop(0)
    for index in range(root.get_child_count()):
        program = root.get_child_at_index(index)
        if program is not None and application in (program.get_name() or ""):
            for node, path in walk(program):
                yield program.get_name(), node, path


def showing(node: Node) -> bool:
    return bool(node.get_state_set().contains(Atspi.StateType.SHOWING))


def describe(program: str, node: Node, path: tuple[int, ...]) -> dict[str, Any]:
    text, states = node.get_text_iface(), node.get_state_set()
    return {
        "app": program,
        "role": node.get_role_name(),
        "name": node.get_name() or "",
        "description": node.get_description() or "",
        "text": Atspi.Text.get_text(text, 0, -1) if text is not None else "",
        "path": list(path),
        "focusable": bool(states.contains(Atspi.StateType.FOCUSABLE)),
        "focused": bool(states.contains(Atspi.StateType.FOCUSED)),
        "place": place(node),
    }


def place(node: Node) -> list[int]:
    """Left, top, width and height on the screen; of what has no place: nothing."""
    component = node.get_component_iface()
    if component is None:
        return []
    found = component.get_extents(Atspi.CoordType.SCREEN)
    return [found.x, found.y, found.width, found.height]


def seen(application: str) -> Iterator[dict[str, Any]]:
    for thing in everything(application):
        with suppress(GLib.GError):
            if showing(thing[1]):
                yield describe(*thing)


def find(application: str, name: str) -> Iterator[Node]:
    for _, node, _ in everything(application):
        with suppress(GLib.GError):
            if node.get_name() == name and showing(node):
                yield node


def in_active_window(node: Node) -> bool:
    while node is not None and not node.get_state_set().contains(Atspi.StateType.ACTIVE):
        node = node.get_parent()
    return node is not None


def press(application: str, name: str) -> None:
    """Of several, the one in the window that is worked in."""
    for node in sorted(find(application, name), key=in_active_window, reverse=True):
        action = node.get_action_iface()
        if action is not None and action.get_n_actions() and action.do_action(0):
            return
    sys.exit(f"nothing to press called {name!r}")


def type_into(application: str, name: str, text: str) -> None:
    for node in find(application, name):
        editable = node.get_editable_text_iface()
        if editable is not None and editable.set_text_contents(text):
            return
    sys.exit(f"nothing to write into called {name!r}")


def main(verb: str, application: str, *rest: str) -> None:
    if verb == "list":
        print(json.dumps(list(seen(application))))
    elif verb == "press":
        press(application, *rest)
    else:
        type_into(application, *rest)


main(*sys.argv[1:])
