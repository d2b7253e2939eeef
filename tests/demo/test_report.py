"""The report in a real browser: it moves, it makes no errors and asks nobody for anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from demo.config import DemoConfig
from demo.report import write_report
from demo.scores import score_run
from demo.sheet import drawn_weights, write_sheet
from sdepth.checkpoint import bundled, read_card
from tests.conftest import ROOT
from tests.demo.runs import make_run

_FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    run = make_run()
    write_report(path, run, score_run(run), DemoConfig())
    return path


@pytest.fixture(scope="module")
def page(report: Path) -> Iterator[Any]:
    """Return the opened report; ``page.troubles`` collects script errors and requests."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium here; sudo apt install chromium")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=_FLAGS)
        page = browser.new_page()
        page.troubles = []
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("console", lambda m: m.type == "error" and page.troubles.append(m.text))
        page.on("request", lambda r: page.troubles.append(r.url) if _leaves(r.url) else None)
        page.set_default_timeout(120_000)  # a busy machine draws the cloud slowly
        page.goto(report.as_uri())
        page.wait_for_selector("body[data-ready]")
        yield page
        browser.close()


def _leaves(url: str) -> bool:
    """Tell whether a request goes beyond the file itself."""
    return not url.startswith(("data:", "blob:", "file:")) or url.endswith((".js", ".css"))


def _pictures(page: Any) -> list[str]:
    """Return the pictures shown that differ from frame to frame."""
    return [page.get_attribute(f"#{name}", "src") for name in ("image", "depth", "truth")]


@pytest.mark.browser
def test_moving_the_slider_changes_every_picture(page: Any) -> None:
    before = _pictures(page)
    page.locator("#slider").fill("9")
    assert page.locator("#where").inner_text().startswith("frame 9 of 11")
    assert all(a != b for a, b in zip(before, _pictures(page), strict=True))
    assert "night network" in page.locator("#score").inner_text()
    assert all(page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)"))
    assert page.troubles == []


@pytest.mark.browser
def test_a_dropped_frame_says_so(page: Any) -> None:
    page.locator("#slider").fill("5")
    assert "dropped" in page.locator("#score").inner_text()
    assert page.troubles == []


@pytest.mark.browser
def test_plots_follow_the_frame(page: Any) -> None:
    page.locator("#slider").fill("11")
    marker = page.evaluate("document.getElementById('trajectory').data[DATA.marker].y[0]")
    cursor = page.evaluate("document.getElementById('timeline').layout.shapes[DATA.cursor].x0")
    points = page.evaluate("document.getElementById('cloud').data[0].x.length")
    assert (marker, cursor) == (11, 1.1)
    assert points > 50
    assert page.troubles == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 950])
def test_no_plot_s_buttons_cover_its_legend(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    covered = """id => {
        const box = (name) => document.querySelector(`#${id} .${name}`).getBoundingClientRect();
        const a = box("modebar"), b = box("legend");
        return a.width > 0 && b.width > 0 &&
            a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    }"""
    names = ("cloud", "trajectory", "timeline")
    page.wait_for_timeout(500)  # plots follow the window
    assert [name for name in names if page.evaluate(covered, name)] == []


@pytest.mark.browser
def test_play_runs_to_the_last_frame(page: Any) -> None:
    page.locator("#play").click()
    page.wait_for_function("document.getElementById('slider').value === '11'")
    assert page.troubles == []


def test_report_is_one_file_without_links_and_of_sane_size(report: Path) -> None:
    text = report.read_text()
    assert "{{" not in text.split("<script>")[0]
    assert '<link rel="stylesheet"' not in text
    assert "<script src" not in text
    assert report.stat().st_size < 15e6


def test_sheet_is_a_picture(tmp_path: Path) -> None:
    run = make_run()
    write_sheet(tmp_path / "sheet.png", run, score_run(run), DemoConfig())
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] > 1000
    assert sheet.std() > 20
    assert drawn_weights(tmp_path / "sheet.png") == run.weights


def test_picture_in_the_readme_is_of_the_weights_that_ship() -> None:
    ours = {mode: read_card(bundled(mode)).sha256[:12] for mode in ("day", "night")}

    assert drawn_weights(ROOT / "docs/demo.png") == ours
