"""Take the pictures of the calculator that its page shows: ``python docs/screenshots.py [FOLDER]``.

Needs the extras ``[calculator]`` and ``[test]``, and Chromium.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parent / "images"
FIRST_FIT = 180_000  # milliseconds: it may have to compile


def calculate(page: Page) -> None:
    """Press the button, and wait until everything is drawn."""
    page.click("#calculate")
    page.wait_for_selector("#results:not([hidden])", timeout=FIRST_FIT)
    page.wait_for_selector("#picture .main-svg")
    page.wait_for_timeout(700)


def take(page: Page, folder: Path) -> None:
    """Inputs with the sample; a result; a choice of K."""
    page.screenshot(path=folder / "calculator-inputs.png")
    page.click("[data-example=sensors]")
    page.wait_for_selector("#data-note:has-text('2000 rows')")
    page.fill("#k", "4")
    calculate(page)
    page.check("#density")
    page.wait_for_selector("#picture .contourlayer path")
    page.wait_for_timeout(700)
    page.locator("#results").screenshot(path=folder / "calculator-result.png")
    page.locator("#settings").get_by_text("Choose for me").click()
    calculate(page)
    page.click("#tab-choice-tab")
    page.wait_for_selector("#criteria .main-svg")
    page.wait_for_timeout(700)
    page.locator("#tab-choice").screenshot(path=folder / "calculator-choice.png")


def main(folder: Path) -> None:
    """Start a calculator, and look at it."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "gmmfast", "calculator", "--no-browser", "--port", "0"]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            page.goto(address)
            page.wait_for_selector("body[data-ready]")
            take(page, folder)
            browser.close()
    finally:
        process.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
