"""The page of an audit: it says what was found, loads nothing, and nothing that a name holds gets out of its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from faceedge.gallery.store import Gallery
from faceedge.jobs.audit import plots, rates, svg
from faceedge.jobs.audit.page import page
from tests.jobs.made_up_audit import add, face, fill, looked_at

HOSTILE = "</title><script>alert(\"x\")</script> & 'Söhne'"


@pytest.fixture(autouse=True)
def _few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_POINTS", 5)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.open(tmp_path) as opened:
        yield opened


def figures(text: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)


def test_names_and_files_are_words_and_nothing_else(gallery: Gallery) -> None:
    ids = fill(gallery)
    person = gallery.find(ids["p1"])
    assert person
    gallery.rename(person, HOSTILE)
    add(gallery, ids["p1"], face(2, 9), '"><img src=x onerror=alert(1)>')
    text = page(looked_at(gallery))
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#x27;Söhne&#x27;" in text
    for figure in figures(text):
        ElementTree.fromstring(figure)


def test_it_loads_nothing_and_forbids_itself_to(gallery: Gallery) -> None:
    fill(gallery)
    text = page(looked_at(gallery))
    assert not re.search(r"""(src|href|@import|url\()\s*=?\s*["']?(https?:)?//""", text)
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text


def test_all_plots_are_there_and_say_what_they_show(gallery: Gallery) -> None:
    fill(gallery)
    labels = [re.search(r'aria-label="([^"]+)"', figure) for figure in figures(page(looked_at(gallery)))]
    assert [label[1].split()[0] for label in labels if label] == ["shares", "false", "the", "people", "templates"]


def test_what_is_to_be_mended_is_said_on_top_and_in_its_row(gallery: Gallery) -> None:
    ids = fill(gallery)
    add(gallery, ids["p1"], face(2, 9), "holiday.jpg")
    text = page(looked_at(gallery))
    assert "There is something to mend" in text
    (row,) = (row for row in re.findall(r"<tr>.*?</tr>", text) if "holiday.jpg" in row)
    assert "remove</span>" in row


def test_a_clean_gallery_has_nothing_to_mend(gallery: Gallery) -> None:
    fill(gallery)
    assert "Nothing to mend" in page(looked_at(gallery))


@pytest.mark.parametrize(("people", "pictures"), [(0, 0), (1, 1), (1, 3), (2, 1), (1, 0)])
def test_a_gallery_with_next_to_nothing_makes_a_page_all_the_same(gallery: Gallery, people: int, pictures: int) -> None:
    fill(gallery, people, pictures)
    text = page(looked_at(gallery))
    assert text.startswith("<!doctype html>")
    assert "nan" not in "".join(figures(text))


def test_the_axes_of_a_trade_off_are_those_of_normal_deviates() -> None:
    assert svg.probit(0.5) == 0
    assert svg.probit(0.1) == pytest.approx(-1.2816, abs=1e-4)
    scale = svg.Scale(0.1, 0.9, 0, 100, svg.probit)
    assert (scale.at(0.1), scale.at(0.5), scale.at(0.9)) == (0, 50, 100)
    assert (scale.at(0.0), scale.at(1.0)) == (0, 100)


def test_a_name_that_is_too_long_for_its_plot_is_cut(gallery: Gallery) -> None:
    ids = fill(gallery, 2)
    person = gallery.find(ids["p1"])
    assert person
    gallery.rename(person, "Maximiliane Mustermann-Musterfrau")
    assert "Maximiliane Must…" in plots.pairs(looked_at(gallery))


def test_ticks_are_round_and_lie_within() -> None:
    assert svg.even(-0.31, 1.02, 6) == [0.0, 0.5, 1.0]
    assert svg.even(0, 78, 4) == [0, 20, 40, 60]
