"""Which slot of a worker a talk has, and who gives way when there are more talks than slots.

Pure. A seat is a slot of the engine as the pool knows it. At most one talk sits in a seat
and no talk in two; a seat at work is nobody else's. What comes without a talk takes a seat
that has none, and only where there is no such seat the one whose talk was used least
recently, as another talk would.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

_UNKNOWN = "?"
"""In place of marks: nobody knows what lies there."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One slot, and what lies in it."""

    conversation: int | None = None
    """Whose talk it is; None: of none that is kept."""
    is_busy: bool = False
    used: int = 0
    """When it was last given: 1, 2, 3 ... 0: never."""
    said: tuple[str, ...] = ()
    """What it was last given to read: a mark for each message."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Which seat, and what has to be done before it is used."""

    seat: int
    is_own: bool = False
    """The talk sat there already: nothing has to be done."""
    leaves: int | None = None
    """The talk that sat there: its state is saved first."""
    is_erased: bool = False
    """What lay there is none of its business."""


def take(
    seats: Sequence[Seat], conversation: int | None, said: tuple[str, ...]
) -> tuple[tuple[Seat, ...], Taken] | None:
    """A seat for a request, and the seats with it taken; None when all are at work.

    A talk that is at work already is not waited for: the second request of the same talk is
    served as one without a talk.
    """
    own = _of(seats, conversation)
    if own is not None and not seats[own].is_busy:
        return _given(seats, own, conversation, said), Taken(own, is_own=True)
    if own is not None:
        conversation = None
    free = [at for at, seat in enumerate(seats) if not seat.is_busy]
    if not free:
        return None
    at = min(free, key=lambda at: _dearness(seats[at], said))
    before = seats[at]
    taken = Taken(
        at,
        leaves=before.conversation,
        is_erased=before.conversation is not None
        or (conversation is not None and bool(before.said)),
    )
    if taken.is_erased and shared(before.said, said):
        # both begin with the same rules: the engine itself cuts back to what they share, word
        # for word, and does not read it again
        taken = replace(taken, is_erased=False)
    return _given(seats, at, conversation, said), taken


def give_back(seats: Sequence[Seat], at: int) -> tuple[Seat, ...]:
    """The seats with one no longer at work."""
    return _with(seats, at, replace(seats[at], is_busy=False))


def lose(seats: Sequence[Seat], at: int, before: Seat | None = None) -> tuple[Seat, ...]:
    """The seats after one could not be made ready: as it was, or with something of nobody's,
    also where the talk that sat there has found another seat meanwhile."""
    if before is not None and _of(seats, before.conversation) is not None:
        before = None
    return _with(seats, at, before or Seat(used=seats[at].used, said=(_UNKNOWN,)))


def leave(seats: Sequence[Seat], conversation: int) -> tuple[Seat, ...]:
    """The seats without a talk; what lies in its slot is then nobody's."""
    at = _of(seats, conversation)
    if at is None:
        return tuple(seats)
    return _with(seats, at, replace(seats[at], conversation=None, said=(_UNKNOWN,)))


def seated(seats: Sequence[Seat]) -> list[int]:
    """The seats that have a talk, the last used first."""
    have = [at for at, seat in enumerate(seats) if seat.conversation is not None]
    return sorted(have, key=lambda at: -seats[at].used)


def shared(before: Sequence[str], after: Sequence[str]) -> int:
    """How many messages two prompts begin with in common."""
    count = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        count += 1
    return count


def _of(seats: Sequence[Seat], conversation: int | None) -> int | None:
    if conversation is None:
        return None
    found = (at for at, seat in enumerate(seats) if seat.conversation == conversation)
    return next(found, None)


def _dearness(seat: Seat, said: Sequence[str]) -> tuple[bool, int, int]:
    """The smallest gives way: without a talk before with one, then what has been read in
    common, then the least recently used."""
    if seat.conversation is not None:
        return (True, 0, seat.used)
    return (False, -shared(seat.said, said), seat.used)


def _given(
    seats: Sequence[Seat], at: int, conversation: int | None, said: tuple[str, ...]
) -> tuple[Seat, ...]:
    used = max(seat.used for seat in seats) + 1
    return _with(seats, at, Seat(conversation, is_busy=True, used=used, said=said))


def _with(seats: Sequence[Seat], at: int, seat: Seat) -> tuple[Seat, ...]:
    return (*seats[:at], seat, *seats[at + 1 :])
