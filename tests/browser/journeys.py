"""What a person does in the UI: launch LEV-01 and look at its evidence; ask for what is refused."""

import re

from playwright.sync_api import expect

from tests.browser import pages

_SIZES = "images => images.map(image => [image.alt, image.src.slice(0, 11), image.naturalWidth])"


def evaluate_lev_01(ui: pages.Ui, seconds: float) -> tuple[str, dict[str, int]]:
    """Launch LEV-01 at quick effort from the form and wait; returns the run's id, and pictures' widths by title."""
    ui.open_form("evaluate-lever")
    ui.choose("lever", "LEV-01")
    ui.choose("effort", "quick")
    ui.turn_on("accept_noise")
    ui.picture("filled-in")
    ui.submit()
    run = ui.open_launched()
    ui.picture("launched")
    state = ui.wait_for_end(seconds)
    ui.picture(state.lower())
    assert state == "Completed", state
    return run, _evidence(ui)


def _evidence(ui: pages.Ui) -> dict[str, int]:
    page = ui.open_artifact("lev-01-verdict")
    ui.picture("verdict")
    assert any(word in page.inner_text().lower() for word in ("adopt", "reject", "undecided"))
    images = page.locator("img")
    expect(images).not_to_have_count(0)
    shown: dict[str, int] = {}
    for title, source, width in images.evaluate_all(_SIZES):
        assert source == "data:image/", source
        shown[title] = width
    for number, title in enumerate(shown):
        images.nth(number).scroll_into_view_if_needed()
        ui.picture("-".join(re.findall(r"[a-z]+", title.lower())[:4]))
    return shown


def ask_for_a_refused_seed(ui: pages.Ui) -> str:
    """Fill in a seed that no run may have; returns what the form says to it."""
    ui.open_form("evaluate-lever")
    ui.choose("lever", "LEV-01")
    ui.give_seed("-1")
    ui.submit()
    ui.picture("refused")
    expect(ui.page).to_have_url(re.compile("/run[?]"))
    return str(ui.page.locator("input[type=number]").evaluate("field => field.validationMessage"))
