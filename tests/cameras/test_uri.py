"""An address is taken apart once, and what is shown of it holds no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceedge.cameras.uri import parse
from faceedge.errors import CameraError


@pytest.mark.parametrize(
    ("uri", "kind", "what", "shown"),
    [
        ("csi:1", "csi", "1", "csi:1"),
        ("0", "device", "/dev/video0", "/dev/video0"),
        ("/dev/video2", "device", "/dev/video2", "/dev/video2"),
        ("/dev/v4l/by-id/usb-cam", "device", "/dev/v4l/by-id/usb-cam", "/dev/v4l/by-id/usb-cam"),
        ("RTSP://u:p@porch:554/1?t=x", "network", "rtsp://u:p@porch:554/1?t=x", "rtsp://porch:554/…"),
        ("https://[fe80::1]:8443", "network", "https://[fe80::1]:8443", "https://[fe80::1]:8443"),
        ("http://porch?token=x", "network", "http://porch?token=x", "http://porch"),
        ("file:a:b.mp4", "file", "a:b.mp4", "a:b.mp4"),
        ("clips/a.mp4", "file", "clips/a.mp4", "clips/a.mp4"),
        ("images:faces", "images", "faces", "faces"),
    ],
)
def test_every_form_is_understood(uri: str, kind: str, what: str, shown: str) -> None:
    source = parse(uri)
    assert (source.kind, source.what, source.shown) == (kind, what, shown)
    assert source.is_live == (kind in ("csi", "device", "network"))


@pytest.mark.parametrize("uri", ["csi:", "csi:a", "csi:-1", "csi:999"])
def test_a_sensor_is_named_by_its_number(uri: str) -> None:
    with pytest.raises(CameraError, match="as in csi:0"):
        parse(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "rtsp://admin:hunter2@porch/live",
        "rtsp://admin:hunter2/live@porch/live",
        "rtsp://admin:hunter2?live@porch/live",
        "rtsp://admin:hunter2#@porch/live",
        "rtsp://admin@hunter2@porch/live",
        "http://porch/user=admin&password=hunter2&channel=1",
        "http://porch/live.mjpg?user=admin&token=hunter2",
        "rtmp://admin:hunter2@porch/live",
        "htp://porch/live?token=hunter2",
        "admin:hunter2@porch/live",
    ],
)
def test_no_secret_of_an_address_is_shown(uri: str) -> None:
    source = parse(uri)
    assert "hunter2" not in source.shown + repr(source) + str(source)
    assert "porch" in source.shown


SECRET = st.text("abcXYZ019/?#@:%&=;,", min_size=6, max_size=20)


@given(SECRET.map(lambda user: user.replace(":", "_")), SECRET)
def test_whatever_the_user_and_the_password_are_none_is_shown_or_told(user: str, password: str) -> None:
    source = parse(f"rtsp://<{user}>:<{password}>@porch:554/live")
    assert source.shown == "rtsp://porch:554/…"
    told = source.cleaned(f"{source.shown} does not open: {source.what} is refused for <{user}>")
    assert told.startswith("rtsp://porch:554/… does not open")
    assert f"<{password}>" not in told
    assert f"<{user}>" not in told.replace(source.shown, "")


def test_what_is_no_address_is_told_as_it_is() -> None:
    assert parse("/dev/video0").cleaned("/dev/video0 is busy") == "/dev/video0 is busy"
