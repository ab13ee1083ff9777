"""Weights from a web address."""

from lumbre.registry.sources import Order
from lumbre.registry.sources._resume import fetch
from lumbre.registry.sources._web import Ask


def room_bytes(uri: str, size_bytes: int) -> int:
    return 0


def deliver(order: Order) -> float:
    fetch(order, lambda: Ask(order.uri))
    return 0.0
