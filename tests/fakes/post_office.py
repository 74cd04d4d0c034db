"""A broker in memory for a postman: messages and answers take a moment, and a connection can take them with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from faceedge.door.connection import Message


@dataclass(eq=False)
class Posted:
    """A receipt. It knows no more than a device can."""

    message: Message
    office: PostOffice
    connection: int
    refusal: str = ""
    is_answered: bool = False

    def is_done(self) -> bool:
        return self.is_answered

    def is_dead(self) -> bool:
        return not self.is_answered and self.connection != self.office.connection


@dataclass
class PostOffice:
    """taken: every message that has reached the broker, in order. refused: why, by kind.

    lethal: payloads upon which the broker hangs up. ignored: payloads that it never answers.
    is_half_open: nothing arrives, and nobody knows.
    """

    connected: bool = True
    connection: int = 1
    taken: list[Message] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    lethal: set[bytes] = field(default_factory=set)
    ignored: set[bytes] = field(default_factory=set)
    is_half_open: bool = False
    hang_ups: int = 0
    most_under_way: int = 0
    _under_way: list[Posted] = field(default_factory=list)

    def post(self, message: Message) -> Posted | None:
        if not self.connected:
            return None
        posted = Posted(message, self, self.connection)
        self._under_way.append(posted)
        self.most_under_way = max(self.most_under_way, len(self._under_way))
        return posted

    @property
    def under_way(self) -> list[bytes]:
        return [posted.message.payload for posted in self._under_way]

    def lose(self) -> None:
        """What is under way never arrives, and the connection stands."""
        self._under_way = []

    def work(self, most: int = 1000) -> None:
        """Takes so many of what is under way, and answers them in order."""
        for _ in range(min(most, len(self._under_way))):
            if self.is_half_open or not self.connected or not self._under_way:
                return
            posted = self._under_way[0]
            if posted.message.payload in self.lethal:
                self.hang_ups += 1
                self.cut()
                self.back()
                return
            self._under_way.pop(0)
            if posted.message.payload in self.ignored:
                continue
            posted.refusal = self.refused.get(kind_of(posted.message), "")
            if not posted.refusal:
                self.taken.append(posted.message)
            posted.is_answered = True

    def cut(self, arrived: int = 0) -> None:
        """The connection breaks. arrived: so many had reached the broker, but their answers are lost."""
        for posted in self._under_way[: 0 if self.is_half_open else arrived]:
            self.taken.append(posted.message)
        self._under_way = []
        self.connected, self.is_half_open = False, False
        self.connection += 1

    def back(self) -> None:
        self.connected = True


def kind_of(message: Message) -> str:
    return message.topic.rsplit("/", 1)[1]
