"""The process behind `rtsp_server.RtspServer`: a network camera made of Debian's GStreamer, run by Debian's Python.

Its first line of input is JSON: {"port", "size", "fps", "user", "password", "clip", "codec"}; it answers with its port.
Further lines change what it shows: `move`, `freeze` (one picture for ever), `dark`, `stall` (no more pictures),
`size WIDTH HEIGHT`, from which the stream changes its resolution. It prints which of its streams a client asks for.
"""

from __future__ import annotations

import json
import os
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtspServer  # noqa: E402, F401

BITS = 16
ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! h265parse ! rtph265pay",
}


def drawn(number: int, width: int, height: int) -> bytes:
    """Red, green and blue thirds; above them the number in black and white blocks, below a bar that wanders."""
    block, third = width // BITS, width // 3
    top = b"".join((b"\xff" if number >> bit & 1 else b"\0") * (3 * block) for bit in range(BITS))
    middle = b"\0\0\xff" * third + b"\0\xff\0" * third + b"\xff\0\0" * (width - 2 * third)
    at = number * 4 % (width - block)
    bottom = b"\x40" * (3 * at) + b"\xff" * (3 * block) + b"\x40" * (3 * (width - at - block))
    upper, lower = height // 8, height // 4
    return top.ljust(3 * width, b"\0") * upper + middle * (height - upper - lower) + bottom * lower


class Clip:
    """Pictures of a file, without end."""

    def __init__(self, path: str, width: int, height: int) -> None:
        size = f"video/x-raw,format=BGR,width={width},height={height}"
        self._flow = Gst.parse_launch(
            f"filesrc name=file ! decodebin ! videoconvert ! videoscale ! {size} ! appsink name=out sync=false"
        )
        self._flow.get_by_name("file").set_property("location", path)
        self._out = self._flow.get_by_name("out")
        self._flow.set_state(Gst.State.PLAYING)

    def next(self) -> bytes:
        sample = self._out.try_pull_sample(Gst.SECOND)
        if sample is None:
            self._flow.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, 0)
            sample = self._out.try_pull_sample(Gst.SECOND)
        buffer = sample.get_buffer()
        return buffer.extract_dup(0, buffer.get_size())


class Scene:
    """What the lens sees."""

    def __init__(self, options: dict) -> None:
        self.width, self.height = options["size"]
        self.fps = options["fps"]
        self.mode = "move"
        self._number = 0
        self._shown = b""
        self._clip = Clip(options["clip"], self.width, self.height) if options["clip"] else None

    def next(self) -> bytes:
        if self.mode == "freeze" and self._shown:
            return self._shown
        self._number += 1
        if self.mode == "dark":
            self._shown = bytes(3 * self.width * self.height)
        else:
            self._shown = self._clip.next() if self._clip else drawn(self._number, self.width, self.height)
        return self._shown

    def obey(self, line: str) -> None:
        word, *rest = line.split()
        if word == "size":
            self.width, self.height = map(int, rest)
        else:
            self.mode = word


def feed(scene: Scene, media: GstRtspServer.RTSPMedia) -> None:
    """Pushes a picture on every tick, until the client is gone."""
    source, sound = (media.get_element().get_by_name(name) for name in ("source", "sound"))
    silence = b"\xff" * (8000 // scene.fps)

    def push() -> bool:
        if scene.mode == "stall":
            return True
        sound.emit("push-buffer", Gst.Buffer.new_wrapped(silence))
        picture = scene.next()
        source.set_caps(Gst.Caps.from_string(
            f"video/x-raw,format=BGR,width={scene.width},height={scene.height},framerate={scene.fps}/1"
        ))  # fmt: skip
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(picture)) == Gst.FlowReturn.OK

    GLib.timeout_add(1000 // scene.fps, push)


def guard(server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str) -> None:
    """Nobody sees or learns anything without the password."""
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for what in (GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT):
        permissions.add_permission_for_role("viewer", what, True)
    factory.set_permissions(permissions)


def asked(_: object, context: GstRtspServer.RTSPContext) -> None:
    """A client wants one stream, of which 0 are the pictures and 1 is the sound."""
    tell(context.uri.abspath.rpartition("=")[2])


def tell(fact: object) -> None:
    sys.stdout.write(f"{fact}\n")
    sys.stdout.flush()


def main() -> None:
    options = json.loads(sys.stdin.readline())
    Gst.init(None)
    scene = Scene(options)
    factory = GstRtspServer.RTSPMediaFactory()
    encoder = ENCODERS[options["codec"]]
    # An interval of -1 would put parameter sets before every slice of a key frame, which tears it.
    factory.set_launch(
        "( appsrc name=source is-live=true do-timestamp=true format=time ! videoconvert ! video/x-raw,format=I420 ! "
        f"{encoder} name=pay0 pt=96 config-interval=1 "
        # As most cameras it has an ear, whether anybody listens or not.
        "appsrc name=sound is-live=true do-timestamp=true format=time caps=audio/x-mulaw,rate=8000,channels=1 "
        "! rtppcmupay name=pay1 pt=0 )"
    )
    factory.connect("media-configure", lambda _, media: feed(scene, media))
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(options["port"]))
    server.get_mount_points().add_factory("/door", factory)
    if options["user"]:
        guard(server, factory, options["user"], options["password"])
    server.connect("client-connected", lambda _, client: client.connect("setup-request", asked))
    if not server.attach(None):
        sys.exit("the port is taken")
    loop = GLib.MainLoop()

    def heard(*_: object) -> bool:
        lines = os.read(0, 4096).decode()
        for line in lines.splitlines():
            scene.obey(line)
        if not lines:
            loop.quit()
        return bool(lines)

    GLib.io_add_watch(0, GLib.IO_IN | GLib.IO_HUP, heard)
    tell(server.get_bound_port())
    loop.run()


if __name__ == "__main__":
    main()
