"""A door controller for an ESP32 with MicroPython 1.22 or newer, in one file.

A signed grant comes in over MQTT. If it is genuine, fresh and meant for this door, the relay pulls for a moment.
Copy it to the board as main.py, with a config.py beside it: README.md says how, and how to wire it. The rules it keeps
are in docs/mqtt.md, "What a controller must do". From top to bottom:

    messages                   sign, check, read
    Verifier                   may this grant open?
    Relay, Input, Led          the wires
    Mqtt                       the broker, without ever waiting for it
    Door, main                 all of it together, a turn every 20 ms, under the eye of the watchdog
"""

import binascii
import errno
import hashlib
import os
import re
import select
import socket
import sys
import time

import machine
import network

CHALLENGE_EVERY_MS = 1000
MAX_AGE_MS = 2500  # of a challenge
MAX_BODY = 512
MAC_CHARS = 43
REMEMBERED_ANSWERS = 64

DEBOUNCE_MS = 50
HELD_OPEN_MS = 30_000
LED_PERIODS_MS = {"wifi": 2000, "broker": 400, "ready": 0, "open": 100}

TURN_MS = 20
PING_MS = 4000
SILENCE_MS = 10_000  # a broker that says nothing for so long, also no answer to a ping, is gone
STUCK_MS = 2000  # the same, when it takes nothing for so long
MAX_UNSENT = 4096
READ_AT_ONCE = 1024  # so a flood cannot keep the loop from its other work
MAX_PACKET = 1024  # a grant with its topic is shorter; what is longer is skipped unread

START_PAUSE_MS = 2000
WATCHDOG_MS = 8000
OFFLINE_RESTART_MS = 300_000


# --- messages: base64url(HMAC-SHA256(key, label || 0x00 || body)) + "." + body --------------------------------------

NAME = "abcdefghijklmnopqrstuvwxyz0123456789_-"
TOKEN = NAME + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PSEUDONYM = TOKEN + ".:"
PAIR = re.compile('[ \t\r\n]*"([^"]*)"[ \t\r\n]*:[ \t\r\n]*("[^"]*"|[0-9]+)[ \t\r\n]*([,}])')


class Bad(Exception):
    """A message that changes nothing; its text is a word for the counters."""


class Key:
    """The secret of this controller and its device. text: the 44 characters of the key file."""

    def __init__(self, text):
        secret = binascii.a2b_base64(text.replace("-", "+").replace("_", "/").encode()) if len(text) == 44 else b""
        if len(secret) != 32:
            raise ValueError("KEYS: a key is the 44 characters of its file")
        self.kid = binascii.hexlify(hashlib.sha256(b"faceedge-kid-1\0" + secret).digest())[:8].decode()
        self._inner = bytes([octet ^ 0x36 for octet in secret]) + b"\x36" * 32
        self._outer = bytes([octet ^ 0x5C for octet in secret]) + b"\x5c" * 32

    def mac(self, label, body):
        """HMAC-SHA256 as 43 characters; by hand, because not every firmware has hmac."""
        inner = hashlib.sha256(self._inner + label + b"\0" + body).digest()
        return base64url(hashlib.sha256(self._outer + inner).digest())


def base64url(octets):
    return binascii.b2a_base64(octets).rstrip(b"=\n").replace(b"+", b"-").replace(b"/", b"_")


def fresh_token():
    """128 bits of the chip's random generator, 22 characters."""
    return base64url(os.urandom(16)).decode()


def is_same(ours, theirs):
    """Compares in the same time, wherever the first difference is."""
    difference = len(ours) ^ len(theirs)
    for mine, other in zip(ours, theirs):
        difference |= mine ^ other
    return difference == 0


def unseal(label, wire, keys):
    """(body, key) of a message whose MAC holds. The order matters: sizes, then the MAC, and no reading before that."""
    if not MAC_CHARS + 1 < len(wire) <= MAC_CHARS + 1 + MAX_BODY:
        raise Bad("size")
    mac, dot, body = wire[:MAC_CHARS], wire[MAC_CHARS], wire[MAC_CHARS + 1 :]
    if dot != ord("."):
        raise Bad("shape")
    matching = [key for key in keys if is_same(key.mac(label, body), mac)]
    if not matching:
        raise Bad("mac")
    return body, matching[0]


def read_grant(body):
    """The fields of a grant, with exact keys and types.

    MicroPython's json would take 1.0, 01, missing commas, and the last of two equal keys, so this reads by itself. No
    value of a grant needs a backslash, so there are no escapes.
    """
    if b"\\" in body or max(body) > 126:
        raise Bad("body")
    rest, end, fields = body.decode().strip(" \t\r\n"), "{", {}
    if rest[:1] != "{":
        raise Bad("body")
    rest = rest[1:]
    while end != "}":
        pair = PAIR.match(rest)
        if pair is None or pair.group(1) in fields:
            raise Bad("body")
        name, value, end = pair.group(1), pair.group(2), pair.group(3)
        fields[name] = value[1:-1] if value[0] == '"' else whole_number(value)
        rest = rest[len(pair.group(0)) :]
    if rest or not is_grant(fields):
        raise Bad("body")
    return fields


def whole_number(text):
    if len(text) > 1 and text[0] == "0":
        raise Bad("body")
    return int(text)


def is_grant(fields):
    return (
        len(fields) == 10
        and all(is_text(fields.get(name), TOKEN, 22, 22) for name in ("id", "n"))
        and all(
            is_text(fields.get(name), NAME, 1, 32) and fields[name][0] not in "_-" for name in ("dev", "door", "ctl")
        )
        and is_text(fields.get("kid"), "0123456789abcdef", 8, 8)
        and is_text(fields.get("sub"), PSEUDONYM, 0, 48)
        and is_text(fields.get("reason"), None, 0, 48)
        and is_number(fields.get("ttl_ms"), 10_000)
        and is_number(fields.get("pulse_ms"), 30_000)
    )


def is_text(value, alphabet, shortest, longest):
    """alphabet: None is all of printable ASCII."""
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        return False
    return all(" " <= char <= "~" if alphabet is None else char in alphabet for char in value)


def is_number(value, most):
    return isinstance(value, int) and 1 <= value <= most


# --- the verifier: no network, no storage, no time of day -----------------------------------------------------------


class Clock:
    """Milliseconds since the start. ticks_ms() alone begins anew every 12 days; this one never does."""

    def __init__(self):
        self._last = time.ticks_ms()
        self._now = 0

    def __call__(self):
        """Must be called at least once in 6 days; the loop does it in every turn."""
        ticks = time.ticks_ms()
        self._now += time.ticks_diff(ticks, self._last)
        self._last = ticks
        return self._now


class Asked:
    """A challenge of ours."""

    def __init__(self, nonce, at):
        self.nonce = nonce
        self.at = at
        self.is_spent = False


class Verifier:
    """Decides whether a grant opens. The first key signs, all keys verify.

    It opens only if the MAC holds, device, door and controller are its own, and the grant answers one of its last two
    challenges, each young by its own clock and good for one open. So late, replayed and recorded grants are nothing.
    """

    def __init__(self, device, door, controller, keys, clock):
        self.boot = fresh_token()
        self.counts = {}
        self._address = (device, door, controller)
        self._keys = keys
        self._clock = clock
        self._ctr = 0
        self._asked = []
        self._answered = []
        self._has_opened = True  # since the last challenge; at first, to ask at once

    def is_due(self):
        """Time for a new challenge: one a second, and one after every open."""
        return self._has_opened or self._clock() - self._asked[-1].at >= CHALLENGE_EVERY_MS

    def challenge(self):
        """A new challenge, signed; the last but one is void from now on."""
        asked = Asked(fresh_token(), self._clock())
        self._asked = self._asked[-1:] + [asked]
        self._has_opened = False
        return self._seal(b"faceedge-challenge-1", '{"n":"%s"' % asked.nonce)

    def status(self, state):
        """The state of the door, signed."""
        return self._seal(b"faceedge-status-1", '{"state":"%s"' % state)

    def judge(self, wire):
        """(pulse_ms, why, answer). pulse_ms: 0 stays shut. answer: a verdict to send, or None.

        A message without a valid MAC gets no answer.
        """
        try:
            body, key = unseal(b"faceedge-grant-1", wire, self._keys)
            grant = read_grant(body)
        except Bad as bad:
            self._count(str(bad))
            return 0, str(bad), None
        why = self._objection(grant, key)
        self._count(why or "opened")
        return 0 if why else grant["pulse_ms"], why, self._answer(grant["id"], why)

    def _objection(self, grant, key):
        """Why this genuine grant does not open, or nothing; then its challenge is spent."""
        if (grant["dev"], grant["door"], grant["ctl"]) != self._address or grant["kid"] != key.kid:
            return "not for me"
        answered = [asked for asked in self._asked if asked.nonce == grant["n"]]
        if not answered:
            return "unknown challenge"
        if answered[0].is_spent:
            return "spent challenge"
        if self._clock() - answered[0].at > min(MAX_AGE_MS, grant["ttl_ms"]):
            return "too late"
        answered[0].is_spent = self._has_opened = True
        return ""

    def _answer(self, grant_id, why):
        """A verdict; a refusal is told once a grant, so that replays cannot make us flood the broker."""
        if why and grant_id in self._answered:
            return None
        self._answered = self._answered[1 - REMEMBERED_ANSWERS :] + [grant_id]
        opened = "false" if why else "true"
        return self._seal(b"faceedge-verdict-1", '{"id":"%s","opened":%s,"why":"%s"' % (grant_id, opened, why))

    def _seal(self, label, body):
        """Boot and counter end every body, so that the device can tell new from old."""
        self._ctr += 1
        body = '%s,"boot":"%s","ctr":%d}' % (body, self.boot, self._ctr)
        return self._keys[0].mac(label, body.encode()) + b"." + body.encode()

    def _count(self, why):
        self.counts[why] = self.counts.get(why, 0) + 1


# --- the wires ------------------------------------------------------------------------------------------------------


class Relay:
    """Off when made, and off again after its pulse: by the loop, and by a hardware timer should the loop hang."""

    def __init__(self, pin, on_level):
        self._on, self._off = on_level, 1 - on_level
        self._pin = machine.Pin(pin, machine.Pin.OUT, value=self._off)
        self._timer = machine.Timer(0)
        self.is_pulled = False
        self._release_at = 0

    def pull(self, pulse_ms, now):
        """Also makes the pulse of a relay that is pulled already last until then."""
        self._timer.init(mode=machine.Timer.ONE_SHOT, period=pulse_ms, callback=self._switch_off)
        self._release_at = now + pulse_ms
        self.is_pulled = True
        self._pin.value(self._on)

    def release(self):
        self._switch_off()
        self.is_pulled = False

    def turn(self, now):
        if not self.is_pulled or now >= self._release_at:
            self.release()

    def is_safe(self):
        """The pin is off whenever nobody may have it on."""
        return self.is_pulled or self._pin.value() == self._off

    def _switch_off(self, _timer=None):
        self._pin.value(self._off)


class Input:
    """A contact between a pin and ground. pin: None when there is none; it then stays open for ever."""

    def __init__(self, pin):
        self._pin = None if pin is None else machine.Pin(pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self.is_closed = self._reads_closed()
        self._since = None

    def turn(self, now):
        """Says whether it has changed; contacts bounce, so only when it has been so for a while."""
        if self._reads_closed() == self.is_closed:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= DEBOUNCE_MS:
            self.is_closed = not self.is_closed
            return True
        return False

    def _reads_closed(self):
        return self._pin is not None and self._pin.value() == 0


class Led:
    """Slow: no Wi-Fi. Fast: no broker. Steady: ready. Flicker: open. Dark: no power, or no program."""

    def __init__(self, pin):
        self._pin = None if pin is None else machine.Pin(pin, machine.Pin.OUT, value=0)

    def show(self, what, now):
        if self._pin is not None:
            period = LED_PERIODS_MS[what]
            self._pin.value(1 if not period or now % period < period // 2 else 0)


# --- the broker: MQTT 3.1.1 -----------------------------------------------------------------------------------------


class Mqtt:
    """One connection, from its first byte to its end. Nothing in here waits. Raises OSError when it is over.

    is_up: the broker has accepted us and will send us grants.
    """

    def __init__(self, config, client_id, grant_topic, will_topic, will, clock):
        self.is_up = False
        self.skipped = 0
        self._config = config
        self._grant_topic = grant_topic
        self._clock = clock
        self._is_wired = False
        self._unsent = self._connect_packet(client_id, will_topic, will)
        self._unread = b""
        self._to_skip = 0
        self._packet_id = 1
        self._heard_at = self._sent_at = self._ping_at = clock()
        self._poll = select.poll()
        self._sock = socket.socket()
        self._sock.setblocking(False)
        self._poll.register(self._sock, select.POLLIN | select.POLLOUT)
        try:
            self._sock.connect(socket.getaddrinfo(config.BROKER_HOST, config.BROKER_PORT)[0][-1])
        except OSError as error:
            if error.args[0] != errno.EINPROGRESS:
                self._sock.close()
                raise

    def turn(self):
        """The grants that have come. Returns as soon as there is something to do, after 20 ms at the latest."""
        ready = self._poll.poll(TURN_MS)
        if not self._is_wired:
            self._wire(ready[0][1] if ready else 0)
        grants = self._read() if self._is_wired else []
        self._check_alive()
        return grants

    def publish(self, topic, payload, qos=0, retain=False):
        """Goes out with the next flush."""
        first = 0x30 | qos << 1 | int(retain)
        self._send(first, text(topic) + (self._next_id() if qos else b"") + payload)

    def flush(self):
        """Sends what the network takes, all in one go, so that nothing waits for an acknowledgement in between."""
        if self._unsent and self._is_wired:
            count = self._sock.write(self._unsent)
            if count:
                self._unsent = self._unsent[count:]
                self._sent_at = self._clock()
        is_waiting = self._unsent or not self._is_wired
        self._poll.modify(self._sock, select.POLLIN | select.POLLOUT if is_waiting else select.POLLIN)

    def close(self):
        self._sock.close()

    def _connect_packet(self, client_id, will_topic, will):
        user, password = self._config.BROKER_USER, self._config.BROKER_PASSWORD
        flags = 0x02 | 0x04 | 0x08 | 0x20  # a clean session; a will, QoS 1, retained
        body = text(client_id) + text(will_topic) + text(will)
        if user:
            flags |= 0xC0
            body += text(user) + text(password)
        return packet(0x10, b"\0\x04MQTT\x04" + bytes([flags]) + number(SILENCE_MS // 1000) + body)

    def _wire(self, event):
        """TCP stands; with TLS, the handshake goes on inside the next writes and reads."""
        if event & (select.POLLERR | select.POLLHUP):
            raise OSError("cannot be reached")
        if event & select.POLLOUT:
            if self._config.BROKER_CA:
                self._poll.unregister(self._sock)
                self._sock = tls(self._sock, self._config)
                self._poll.register(self._sock, select.POLLIN | select.POLLOUT)
            self._is_wired = True

    def _read(self):
        chunk = self._sock.read(READ_AT_ONCE)
        if chunk is None:
            return []
        if not chunk:
            raise OSError("has closed the connection")
        self._heard_at = self._clock()
        skip = min(self._to_skip, len(chunk))
        self._to_skip -= skip
        self._unread += chunk[skip:]
        grants = []
        while (received := self._next_packet()) is not None:
            grant = self._take(received[0], received[1])
            if grant is not None:
                grants.append(grant)
        return grants

    def _next_packet(self):
        """(first byte, the rest) of the next packet, or None until it is whole. A long one is dropped as it comes."""
        size, at = 0, 1
        while True:
            if at >= len(self._unread):
                return None
            octet = self._unread[at]
            size |= (octet & 0x7F) << 7 * (at - 1)
            at += 1
            if octet < 0x80:
                break
            if at > 4:
                raise OSError("does not speak MQTT")
        first, end = self._unread[0], at + size
        if size > MAX_PACKET:
            self.skipped += 1
            self._to_skip = max(0, end - len(self._unread))
            self._unread = self._unread[end:]
            return 0, b""
        if len(self._unread) < end:
            return None
        body, self._unread = self._unread[at:end], self._unread[end:]
        return first, body

    def _take(self, first, body):
        kind = first & 0xF0
        if kind == 0x20:  # CONNACK
            if body[1:] != b"\0":
                raise OSError("refuses us: check name and password")
            self._send(0x82, self._next_id() + text(self._grant_topic) + b"\0")
        elif kind == 0x90:  # SUBACK
            if body[2:] != b"\0":
                raise OSError("does not let us read grants: check its access list")
            self.is_up = True
        elif first & 0xF6 == 0x30:  # PUBLISH with QoS 0, which is what we have asked for
            topic = text(self._grant_topic)
            if body[: len(topic)] == topic:
                return body[len(topic) :]
        return None

    def _check_alive(self):
        now = self._clock()
        if now - self._heard_at > SILENCE_MS:
            raise OSError("does not answer")
        if self.is_up and self._unsent and now - self._sent_at > STUCK_MS:  # before, a TLS handshake may take long
            raise OSError("takes no more bytes")
        if self.is_up and now - self._ping_at >= PING_MS:
            self._ping_at = now
            self._send(0xC0, b"")

    def _send(self, first, body):
        if not self._unsent:
            self._sent_at = self._clock()
        self._unsent += packet(first, body)
        if len(self._unsent) > MAX_UNSENT:
            raise OSError("takes no more bytes")

    def _next_id(self):
        self._packet_id = self._packet_id % 65_535 + 1
        return number(self._packet_id)


def packet(first, body):
    size, header = len(body), bytes([first])
    while size > 0x7F:
        header += bytes([size & 0x7F | 0x80])
        size >>= 7
    return header + bytes([size]) + body


def number(value):
    return bytes([value >> 8, value & 0xFF])


def text(value):
    octets = value.encode() if isinstance(value, str) else value
    return number(len(octets)) + octets


def tls(sock, config):
    """Certificates have dates, so the time of day is asked for first. Nothing but TLS ever looks at it."""
    import ssl

    import ntptime

    if time.gmtime()[0] < 2024:
        ntptime.settime()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    with open(config.BROKER_CA, "rb") as file:
        context.load_verify_locations(cadata=file.read())
    return context.wrap_socket(sock, server_hostname=config.BROKER_HOST, do_handshake_on_connect=False)


# --- the door -------------------------------------------------------------------------------------------------------


class Door:
    """Everything together. Call `turn` for ever."""

    def __init__(self, config, relay):
        keys = [Key(key) for key in config.KEYS]
        self._wlan = network.WLAN(network.STA_IF)
        self._wlan.active(True)  # before anything random: the chip's generator lives on the noise of its radio
        self._wlan.config(pm=network.WLAN.PM_NONE)  # asleep, it would hear grants too late
        self._wlan.connect(config.WIFI_NAME, config.WIFI_PASSWORD)
        self._config = config
        self._relay = relay
        self._clock = Clock()
        self._verifier = Verifier(config.DEVICE, config.DOOR, config.CONTROLLER, keys, self._clock)
        self._exit = Input(config.EXIT_PIN)
        self._contact = Input(config.CONTACT_PIN)
        self._led = Led(config.LED_PIN)
        self._topic = "faceedge/%s/door/%s/%s/" % (config.DEVICE, config.DOOR, config.CONTROLLER)
        self._client_id = "faceedge.%s.%s.%s" % (config.DEVICE, config.DOOR, config.CONTROLLER)
        self._mqtt = None
        self._retry_at = 0
        self._seen_up_at = 0
        self._shut_at = 0
        self._lets_out = False  # the pulse of now is the exit button's
        self._told_state = ""
        self._told_ignored = 0

    def turn(self):
        """One round of the loop, some 20 ms."""
        now = self._clock()
        self._relay.turn(now)
        self._look_at_inputs(now)
        try:
            self._serve(now)
        except OSError as error:
            self._hang_up(error, now)
        self._led.show(self._mood(), now)

    def is_healthy(self):
        """Whether the watchdog may be told that all is well. Long without a broker, a fresh start may help."""
        return self._relay.is_safe() and self._clock() - self._seen_up_at < OFFLINE_RESTART_MS

    def _look_at_inputs(self, now):
        """The exit button opens from inside, also without a network. Only its pressing counts, not its being stuck."""
        if self._exit.turn(now) and self._exit.is_closed:
            print("exit button")
            self._pull(self._config.EXIT_PULSE_MS, is_exit=True)
        self._contact.turn(now)
        if self._config.CONTACT_PIN is None or self._contact.is_closed or self._relay.is_pulled:
            self._shut_at = now

    def _serve(self, now):
        if self._mqtt is None:
            self._call(now)
            return
        was_up = self._mqtt.is_up
        for wire in self._mqtt.turn():
            self._on_grant(wire)
        if self._mqtt.is_up:
            self._seen_up_at = now
            if not was_up:
                print("connected")
                self._told_state = ""
            self._tell_state(now)
            if self._verifier.is_due() or not was_up:
                self._ask()
        self._mqtt.flush()

    def _call(self, now):
        """Knocks at the broker's door, some seconds apart."""
        time.sleep_ms(TURN_MS)
        if self._wlan.isconnected() and now >= self._retry_at and not self._relay.is_pulled:
            self._retry_at = now + 1000 + os.urandom(1)[0] * 8  # random: many boards shall not return at once
            will = self._verifier.status("offline")
            self._mqtt = Mqtt(
                self._config, self._client_id, self._topic + "grant", self._topic + "status", will, self._clock
            )

    def _hang_up(self, error, now):
        """Without a broker no grant holds the door open; who is on the way out is let out."""
        print("broker:", error)
        if not self._lets_out:
            self._relay.release()
        if self._mqtt is not None:
            self._mqtt.close()
            self._mqtt = None
        self._retry_at = now + 1000 + os.urandom(1)[0] * 8

    def _on_grant(self, wire):
        pulse_ms, why, answer = self._verifier.judge(wire)
        if pulse_ms:
            self._pull(pulse_ms, is_exit=False)
        if answer is not None:
            print("refused: " + why if why else "opened")
            self._mqtt.publish(self._topic + "verdict", answer, qos=1)
        if pulse_ms:
            self._tell_state(self._clock())
            self._ask()

    def _pull(self, pulse_ms, is_exit):
        self._lets_out = is_exit or (self._lets_out and self._relay.is_pulled)
        self._relay.pull(min(pulse_ms, self._config.MAX_PULSE_MS), self._clock())

    def _ask(self):
        self._mqtt.publish(self._topic + "challenge", self._verifier.challenge())
        self._tell_ignored()

    def _tell_state(self, now):
        """Retained only where the memory of it is harmless: nobody shall read `unlocked` from the past."""
        state = "locked"
        if self._relay.is_pulled:
            state = "unlocked"
        elif now - self._shut_at > HELD_OPEN_MS:
            state = "held_open"
        if state != self._told_state:
            self._told_state = state
            self._mqtt.publish(self._topic + "status", self._verifier.status(state), qos=1, retain=state == "locked")

    def _tell_ignored(self):
        """A flood is one line a second, not one a message."""
        counts = self._verifier.counts
        ignored = sum(counts.values()) - counts.get("opened", 0) + self._mqtt.skipped
        if ignored != self._told_ignored:
            self._told_ignored = ignored
            print("ignored:", counts, "too long:", self._mqtt.skipped)

    def _mood(self):
        if self._relay.is_pulled:
            return "open"
        if self._mqtt is not None and self._mqtt.is_up:
            return "ready"
        return "broker" if self._wlan.isconnected() else "wifi"


def main():
    """Runs on the board for ever; the relay is off before anything else is done, and whenever this ends."""
    import config

    relay = Relay(config.RELAY_PIN, config.RELAY_ON)
    try:
        print("faceedge door: Ctrl-C within 2 s stops here")
        time.sleep_ms(START_PAUSE_MS)
        watchdog = machine.WDT(timeout=WATCHDOG_MS)
        door = Door(config, relay)
        while True:
            door.turn()
            if door.is_healthy():
                watchdog.feed()
    except Exception as error:  # whatever it was: shut, and start afresh
        relay.release()
        sys.print_exception(error)
        time.sleep_ms(1000)
        machine.reset()
    finally:
        relay.release()


if __name__ == "__main__":
    main()
