# Runs inside MicroPython: plays the steps of the file `steps` to the verifier of door.py, and prints what it makes of
# each. A step is `what ms hex [keys]`, an outcome `pulse_ms|why|what was sent`. The last line tells the costs: the
# microseconds of a message, median over the slices of steps, and the bytes of the program and of a message, at most.
import binascii
import gc
import sys
import time

SLICE = 100
TICKS = 1 << 30


class Nothing:
    """Stands for a module of the board that the verifier does not use."""


class Board:
    octets = b""
    ms = 0

    def urandom(self, _count):
        return self.octets

    def ticks_ms(self):
        return (self.ms + TICKS - 200_000) % TICKS

    def ticks_diff(self, a, b):
        return (a - b + TICKS // 2) % TICKS - TICKS // 2


class Player:
    def __init__(self):
        self.clock = door.Clock()
        self.verifier = None

    def play(self, line):
        what, ms, octets = line.split(b" ")[:3]
        board.ms, board.octets = int(ms), binascii.unhexlify(octets.strip())
        if what == b"boot":
            keys = [door.Key(key.decode()) for key in line.split()[3:]]
            self.verifier = door.Verifier("dev", "main", "inner", keys, self.clock)
            return 0, "", None
        if what == b"ask":
            return 0, "", self.verifier.challenge()
        return self.verifier.judge(board.octets)


def go_on():
    global is_done
    program_bytes.append(gc.mem_alloc() - allocated)  # without garbage, which was collected just now
    lines = [line for line in (steps.readline() for _ in range(SLICE)) if line]
    before, start = gc.mem_alloc(), real_time.ticks_us()
    outcomes = [player.play(line) for line in lines]
    costs.append(real_time.ticks_diff(real_time.ticks_us(), start) // max(1, len(lines)))
    garbage.append((gc.mem_alloc() - before) // max(1, len(lines)))
    for pulse_ms, why, sent in outcomes:
        print("%d|%s|%s" % (pulse_ms, why, (sent or b"").decode()))
    if not lines:
        print("%d %d %d" % (sorted(costs)[len(costs) // 2], program_bytes[0], max(garbage)))
        is_done = True


board, real_time = Board(), time
for name in ("machine", "network", "socket"):
    sys.modules[name] = Nothing
sys.modules["os"] = sys.modules["time"] = board
allocated = gc.mem_alloc()
import door  # noqa: E402

steps = open("steps", "rb")  # noqa: SIM115
player, costs, garbage, program_bytes, is_done = Player(), [], [], [], False
