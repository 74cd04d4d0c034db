"""Reading photos: every kind that is promised, and nothing that could hurt."""

from __future__ import annotations

import os
import random
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from faceedge.errors import BadInput
from faceedge.jobs import photos
from faceedge.jobs.photos import check_photo, photos_in, read_photo

RED, GREEN, BLUE, WHITE = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255)  # BGR
FORMATS = [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")]


@pytest.fixture
def corners() -> PIL.Image.Image:
    """64 wide, 48 high; from the top left, clockwise: red, green, white, blue."""
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:24, :32], pixels[:24, 32:], pixels[24:, 32:], pixels[24:, :32] = RED[::-1], GREEN, WHITE, BLUE[::-1]
    return PIL.Image.fromarray(pixels)


def corner_colours(image: np.ndarray) -> list[tuple[int, ...]]:
    """Clockwise from the top left, each channel rounded to 0 or 255."""
    height, width = image.shape[:2]
    points = [(6, 6), (6, width - 6), (height - 6, width - 6), (height - 6, 6)]
    return [tuple(int(value > 127) * 255 for value in image[point]) for point in points]


@pytest.mark.parametrize(("kind", "suffix"), FORMATS)
def test_every_promised_format_is_read_as_bgr(tmp_path: Path, corners: PIL.Image.Image, kind: str, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    corners.save(path, kind)
    image = read_photo(path)
    assert image.dtype == np.uint8
    assert image.shape == (48, 64, 3)
    assert image.flags.c_contiguous
    assert corner_colours(image) == [RED, GREEN, WHITE, BLUE]


TURNED = {
    1: [RED, GREEN, WHITE, BLUE],
    2: [GREEN, RED, BLUE, WHITE],
    3: [WHITE, BLUE, RED, GREEN],
    4: [BLUE, WHITE, GREEN, RED],
    5: [RED, BLUE, WHITE, GREEN],
    6: [BLUE, RED, GREEN, WHITE],
    7: [WHITE, GREEN, RED, BLUE],
    8: [GREEN, WHITE, BLUE, RED],
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "suffix"), FORMATS)
def test_exif_orientation_is_applied(
    tmp_path: Path, corners: PIL.Image.Image, kind: str, suffix: str, orientation: int
) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"photo{suffix}"
    corners.save(path, kind, exif=exif.tobytes())
    image = read_photo(path)
    assert image.shape[:2] == ((64, 48) if orientation >= 5 else (48, 64))
    assert corner_colours(image) == TURNED[orientation]


@pytest.mark.assets
def test_one_photo_in_four_orientations_is_one_picture(assets: Path) -> None:
    folder = assets / "data" / "dev" / "exif"
    upright = read_photo(folder / "orient_1.jpg").astype(float)
    for number in (3, 6, 8):
        turned = read_photo(folder / f"orient_{number}.jpg").astype(float)
        assert turned.shape == upright.shape
        assert np.abs(turned - upright).mean() < 6


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGB"])
def test_other_colour_models_become_bgr(tmp_path: Path, corners: PIL.Image.Image, mode: str) -> None:
    path = tmp_path / "photo"
    corners.convert(mode).save(path, "JPEG" if mode == "CMYK" else "PNG")
    image = read_photo(path)
    assert image.shape == (48, 64, 3)
    if mode in ("CMYK", "P", "RGB"):
        assert corner_colours(image) == [RED, GREEN, WHITE, BLUE]


def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None, :].repeat(16, axis=0)
    PIL.Image.fromarray(ramp).save(tmp_path / "deep.png")
    image = read_photo(tmp_path / "deep.png")
    assert np.array_equal(image[0, :, 0], ramp[0] >> 8)


def test_what_is_transparent_is_shown_on_white(tmp_path: Path, corners: PIL.Image.Image) -> None:
    hidden = corners.convert("RGBA")
    hidden.putalpha(0)
    hidden.save(tmp_path / "hidden.png")
    assert read_photo(tmp_path / "hidden.png").min() == 255


def grey_png(width: int, height: int) -> bytes:
    """A valid 8-bit grey PNG of zeros, a thousandth of its decoded size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(1 + width)) for _ in range(height)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


GROWTH = """
import resource, sys
from pathlib import Path
from faceedge.errors import BadInput
from faceedge.jobs.photos import read_photo
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read_photo(Path(sys.argv[1]))
    raise SystemExit("it was read")
except BadInput as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("size", [(20_000, 10_000), (10_000, 6_000)])
def test_a_picture_of_too_many_pixels_is_refused_without_the_memory(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(grey_png(*size))
    result = subprocess.run([sys.executable, "-c", GROWTH, path], capture_output=True, text=True, check=True)
    message, growth_kb = result.stdout.splitlines()
    assert message.startswith(f"{path}: ")
    assert "more than 50 megapixels; scale it down first" in message
    assert int(growth_kb) < 8_000


def test_the_largest_bearable_picture_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "edge.png").write_bytes(grey_png(100, 50))
    monkeypatch.setattr(photos, "MAX_PIXELS", 5_000)
    assert read_photo(tmp_path / "edge.png").shape == (50, 100, 3)
    monkeypatch.setattr(photos, "MAX_PIXELS", 4_999)
    with pytest.raises(BadInput, match="100x50"):
        read_photo(tmp_path / "edge.png")


def test_an_endless_strip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "strip.png").write_bytes(grey_png(30_001, 16))
    with pytest.raises(BadInput, match="30001 px long, more than 30000; cut it first"):
        read_photo(tmp_path / "strip.png")


@pytest.mark.parametrize("size", [(1, 1), (15, 40), (40, 15)])
def test_a_picture_too_small_for_any_face_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "dot.png").write_bytes(grey_png(*size))
    with pytest.raises(BadInput, match=f"{size[0]}x{size[1]} px are too few; use a larger photo"):
        read_photo(tmp_path / "dot.png")


def test_a_file_of_too_many_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fat.jpg"
    path.touch()
    os.truncate(path, photos.MAX_BYTES + 1)
    with pytest.raises(BadInput, match="more than 50 MB; scale it down"):
        read_photo(path)


def test_devices_pipes_sockets_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path in (Path("/dev/zero"), Path("/dev/full"), tmp_path / "pipe", tmp_path / "socket"):
            with pytest.raises(BadInput, match="is a device, pipe or socket"):
                read_photo(path)
    with pytest.raises(BadInput, match="is a folder"):
        read_photo(tmp_path)


def test_a_link_to_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to("/dev/zero")
    with pytest.raises(BadInput, match="is a device"):
        read_photo(tmp_path / "link.jpg")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"certainly not a picture", "not a JPEG, PNG or WebP image"),
        (bytes(range(256)) * 40, "not a JPEG, PNG or WebP image"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "header is damaged"),
        (b"GIF89a" + bytes(40), "not a JPEG, PNG or WebP image"),
    ],
)
def test_a_file_that_is_no_photo_is_refused_by_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said) as refusal:
        read_photo(path)
    assert str(refusal.value).startswith(f"{path}: ")


@pytest.mark.parametrize(("kind", "suffix"), FORMATS)
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, corners: PIL.Image.Image, kind: str, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    PIL.Image.fromarray(noise).save(path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadInput, match=r"damaged|truncated"):
        read_photo(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_photo(tmp_path / "nobody.jpg")
    with pytest.raises(BadInput, match="null byte"):
        read_photo(Path("nul\0.jpg"))


def test_refusals_are_one_line_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "two\nlines\x1b[31m.jpg"
    path.touch()
    with pytest.raises(BadInput) as refusal:
        read_photo(path)
    assert str(refusal.value).isprintable()


@pytest.mark.assets
def test_the_broken_files_of_the_assets_are_all_refused(assets: Path) -> None:
    broken = sorted((assets / "data" / "dev" / "broken").iterdir())
    assert broken
    for path in broken:
        with pytest.raises(BadInput, match=path.name):
            read_photo(path)


def test_damaged_bytes_are_read_or_refused_and_nothing_else(tmp_path: Path, corners: PIL.Image.Image) -> None:
    chance = random.Random(7)
    path = tmp_path / "photo"
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    seeds = []
    for kind, _ in FORMATS:
        corners.save(path, kind, exif=exif.tobytes())
        seeds.append(path.read_bytes())
    refused = 0
    for _ in range(600):
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 5)):
            content[min(len(content) - 1, int(chance.expovariate(1 / 80)))] = chance.randrange(256)
        path.write_bytes(content)
        try:
            read_photo(path)
        except BadInput:
            refused += 1
    assert refused > 100


def test_checking_a_photo_reads_its_header_only(tmp_path: Path, corners: PIL.Image.Image) -> None:
    path = tmp_path / "photo.png"
    corners.save(path)
    check_photo(path)
    path.write_bytes(path.read_bytes()[:60])
    check_photo(path)
    path.write_bytes(b"text")
    with pytest.raises(BadInput):
        check_photo(path)


def test_a_folder_stands_for_its_images_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.webp", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in photos_in([tmp_path])] == ["a.png", "b.JPG", "c.webp"]
    assert photos_in([tmp_path / "notes.txt"]) == [tmp_path / "notes.txt"]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no JPEG, PNG or WebP file in this folder"):
        photos_in([tmp_path])


def test_a_path_that_cannot_be_looked_at_is_told_when_it_is_read() -> None:
    endless = Path("a" * 10_000 + ".jpg")
    assert photos_in([endless]) == [endless]
    with pytest.raises(BadInput, match="too long"):
        read_photo(endless)


def test_a_folder_that_cannot_be_listed_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(BadInput, match=f"^{tmp_path}: cannot be read .Permission denied"):
        photos_in([tmp_path])
