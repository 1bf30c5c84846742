"""Takes the pictures of docs/look.md, of a demo that runs: ``make screenshots URL=http://127.0.0.1:6066/dashboard/``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
HERE = Path(__file__).parent


def main(url: str) -> None:
    """Take them all, once the page has some minutes of history to show."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(url)
            page.wait_for_selector("body[data-group]")
            page.wait_for_selector("[data-table]")
            page.wait_for_selector(".rate:not(:empty)")
            page.screenshot(path=HERE / f"{scheme}.png")
            if scheme == "light":
                page.locator("#lag-section").screenshot(path=HERE / "lag.png")
                page.locator("button.reason").first.click()
                page.locator("dialog button.explain").first.click()
                page.wait_for_selector(".because")
                page.screenshot(path=HERE / "explained.png")
        phone = browser.new_page(viewport={"width": 390, "height": 844})
        phone.goto(url)
        phone.wait_for_selector("body[data-group]")
        phone.screenshot(path=HERE / "phone.png")
        browser.close()
    for picture in HERE.glob("*.png"):
        Image.open(picture).convert("RGB").quantize(200).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
