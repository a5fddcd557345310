"""What one end of a connection does: pieces of bytes with pauses between them, and an end."""

import enum
import socket
import struct
from dataclasses import dataclass, field


class Ending(enum.Enum):
    FINISH = "finish"  # sends no more, and reads to the end
    WAIT = "wait"      # leaves it to the other side to close
    CLOSE = "close"    # closes, whatever is still to be read
    RESET = "reset"    # the same, with a reset
    DEAF = "deaf"      # never reads, and resets after a while


@dataclass
class Script:
    """`pieces`: (bytes, seconds of silence behind them)."""

    pieces: list = field(default_factory=list)
    ending: Ending = Ending.FINISH

    @property
    def data(self):
        return b"".join(data for data, _ in self.pieces)


def in_pieces(generator, data, most=0.02):
    """`data` as it may arrive: mostly at once, now and then in pieces, rarely byte by byte."""
    way = generator.random()
    if way < 0.6 or len(data) < 2:
        return [(data, 0)]
    if way < 0.65:
        first = min(len(data), 80)
        return [(data[n : n + 1], 0) for n in range(first)] + [(data[first:], 0)]
    cuts = sorted(generator.randrange(len(data)) for _ in range(generator.randrange(1, 6)))
    return [(data[begin:end], generator.choice([0, 0.001, most]))
            for begin, end in zip([0, *cuts], [*cuts, len(data)])]


def reset(sock):
    """Makes the close that follows a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
