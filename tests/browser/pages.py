"""The Prefect UI as a person uses it: links, the form, the artifacts; a picture of each step."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.support import programs

# What a page needs on a busy machine; a run's end has a time of its own.
PAGE_MS = 60_000
_SIZE = {"width": 1280, "height": 1400}
_ENDED = re.compile("^(Completed|Failed|Crashed|Cancelled)$")


@dataclass
class Ui:
    """A browser on the UI at `root`; pictures go to the folder `pictures`, numbered in order."""

    page: Page
    root: str
    pictures: Path
    taken: list[Path] = field(default_factory=list)

    def picture(self, name: str, *, pause_ms: int = 800) -> None:
        """What is seen now, when what still moves has settled."""
        self.page.wait_for_timeout(pause_ms)
        path = self.pictures / f"{len(self.taken) + 1:02}-{name}.png"
        self.page.screenshot(path=path)
        self.taken.append(path)

    def open_form(self, deployment: str) -> None:
        """Deployments, the deployment, Run, Custom run."""
        self.page.goto(self.root)
        self.page.get_by_role("link", name="Deployments", exact=True).click()
        self.page.get_by_role("link", name=deployment, exact=True).first.click()
        self.page.get_by_role("button", name="Run", exact=True).click()
        self.page.get_by_text("Custom run").click()
        expect(self.page.get_by_role("button", name="Select lever")).to_be_visible()
        self.picture("form")

    def choose(self, parameter: str, option: str) -> None:
        """Take an option of a parameter's dropdown."""
        self.page.get_by_role("button", name=f"Select {parameter}").click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def turn_on(self, parameter: str) -> None:
        """A parameter's switch."""
        self.page.get_by_label(parameter).and_(self.page.get_by_role("switch")).click()

    def give_seed(self, value: str) -> None:
        """The seed is nothing until it is said to be a number."""
        self.page.get_by_text("int", exact=True).click()
        self.page.locator("input[type=number]").fill(value)

    def submit(self) -> None:
        """Press Submit."""
        self.page.get_by_role("button", name="Submit").click()

    def open_launched(self) -> str:
        """Follow the message that a run was created, to its page; returns the run's id."""
        self.page.get_by_role("button", name="View run").click()
        self.page.wait_for_url("**/runs/flow-run/*")
        return self.page.url.split("/flow-run/")[1].split("?")[0]

    def wait_for_end(self, seconds: float) -> str:
        """The state that the page of a run shows in the end."""
        badge = self.page.locator("[data-slot=badge]", has_text=_ENDED).first
        expect(badge).to_be_visible(timeout=1000 * seconds)
        return badge.inner_text()

    def open_artifact(self, key: str) -> Locator:
        """The run's artifacts, the one of this key with its history, and it alone; returns all that it shows."""
        self.page.get_by_role("tab", name="Artifacts").click()
        self.picture("artifacts")
        self.page.get_by_role("link", name=key).first.click()
        self.page.wait_for_url(f"**/artifacts/key/{key}")
        self.picture("artifact-history")
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()
        shown = self.page.get_by_role("tabpanel")
        expect(shown.get_by_role("heading", name="Verdict").first).to_be_visible()
        return shown


@contextmanager
def browser(root: str, pictures: Path) -> Iterator[Ui]:
    """The browser of this machine, without a window."""
    pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        # As root there is no sandbox; it looks at nothing but the server of this machine.
        chromium = playwright.chromium.launch(executable_path=programs.find(programs.BROWSER), args=["--no-sandbox"])
        page = chromium.new_page(viewport=_SIZE)
        page.set_default_timeout(PAGE_MS)
        expect.set_options(timeout=PAGE_MS)
        try:
            yield Ui(page, root, pictures)
        finally:
            chromium.close()
