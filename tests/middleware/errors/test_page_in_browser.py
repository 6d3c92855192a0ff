"""The error pages in a real browser: what is seen at first, keys, search, copying, source on demand, no scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from error_samples import CHECKOUT, MARKUP, SAMPLES, poisoned, rich, simple
from selenium.common.exceptions import JavascriptException
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait
from threaded_wsgi import serving

from wheatpaste.middleware.errors.render.editor import editor_of
from wheatpaste.middleware.errors.render.links import Links
from wheatpaste.middleware.errors.render.page import debug_page, new_nonce, page_headers
from wheatpaste.middleware.errors.render.plain_page import plain_headers, plain_page

pytestmark = pytest.mark.slow

FUNCTION = range(16, len(CHECKOUT.splitlines()) + 1)
LINKS = Links(errors="/.errors", editor=editor_of("vscode"))


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Each sample at its name; 200, so that whatever the browser complains of is of the page."""
    first, _, rest = environ["PATH_INFO"].strip("/").partition("/")
    if first == ".errors" and rest.endswith("/source"):
        query = parse_qs(environ["QUERY_STRING"])
        if query["frame"] == ["0.3"]:
            start_response("404 Not Found", [])
            return [b""]
        lines = CHECKOUT.splitlines()
        shown = FUNCTION if query["all"] == ["function"] else range(1, len(lines) + 1)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"lines": [{"number": n, "text": lines[n - 1]} for n in shown]}).encode()]
    if first == "public":
        page = plain_page(simple(), environ)
        headers = plain_headers(page)
    elif first == "framed":
        page, headers = f'<iframe src="/{rest}"></iframe>', [("Content-Type", "text/html")]
    elif first in SAMPLES:
        nonce = new_nonce()
        page, headers = debug_page(SAMPLES[first](), nonce=nonce, links=LINKS), page_headers(nonce)
    else:
        start_response("204 No Content", [])
        return []
    start_response("200 OK", headers)
    return [page.encode()]


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving(app) as address:
        yield address


DESK, PHONE = (1280, 800), (390, 844)


def show(
    browser: Chrome, address: str, size: tuple[int, int] = DESK, *, dark: bool = False, scripts: bool = True
) -> None:
    screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})
    browser.get("about:blank")  # or an address with a fragment would not be loaded anew
    browser.get(address)


def one(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def every(browser: Chrome, selector: str) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, selector)


def press(browser: Chrome, *keys: str) -> None:
    ActionChains(browser).send_keys(*keys).perform()


def focused(browser: Chrome) -> str | None:
    """The id of the frame whose row has the keyboard."""
    return browser.switch_to.active_element.find_element(By.XPATH, "..").get_attribute("data-frame")


def place_of(element: WebElement) -> tuple[float, float]:
    """Its upper and lower edge, as they were before anything was scrolled."""
    rect = element.rect
    return rect["y"], rect["y"] + rect["height"]


# --- what is seen at first --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize(
    "name", ["simple", "chain", "group", "recursion", "template", "syntax", "long_message", "slow"]
)
def test_the_failing_line_is_seen_without_scrolling(browser: Chrome, site: str, name: str, size: tuple[int, int]):
    show(browser, f"{site}/{name}", size)
    upper, lower = place_of(one(browser, ".focus .failing"))
    assert upper > 0
    assert lower < size[1]
    assert one(browser, ".focus .failing").is_displayed()


@pytest.mark.parametrize("width", [320, 390, 820, 1280, 1920])
def test_no_page_has_to_be_scrolled_sideways(browser: Chrome, site: str, width: int):
    for name in ("rich", "hostile", "long_message", "public"):
        show(browser, f"{site}/{name}", (width, 800))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("name", [*SAMPLES, "public"])
def test_row_44_the_browser_has_nothing_to_complain_of(browser: Chrome, site: str, name: str):
    browser.get_log("browser")
    show(browser, f"{site}/{name}")
    if name != "public":
        press(browser, "o", "j", "k")
    complaints = [entry["message"] for entry in browser.get_log("browser") if "favicon" not in entry["message"]]
    assert complaints == []


def test_row_45_hostile_text_runs_nothing_and_is_read_as_it_is(browser: Chrome, site: str):
    show(browser, f"{site}/hostile")
    assert one(browser, "h1").text == MARKUP
    assert len(every(browser, "script")) == 1
    assert every(browser, "[onclick], [onload], [onerror], img") == []


def test_row_44_no_page_shows_it_in_a_frame(browser: Chrome, site: str):
    show(browser, f"{site}/framed/simple")
    browser.switch_to.frame(one(browser, "iframe"))
    assert "BREAD-7" not in browser.page_source
    browser.switch_to.default_content()
    browser.get_log("browser")


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_another_site_cannot_fetch_it(browser: Chrome, site: str, mode: str):
    show(browser, f"{site.replace('127.0.0.1', 'localhost')}/framed/nothing")
    fetched = browser.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        fetch(arguments[0], {mode: arguments[1]}).then((answer) => done(answer.type), () => done("refused"));
        """,
        f"{site}/simple",
        mode,
    )
    assert fetched == "refused"
    browser.get_log("browser")


def test_scripts_of_others_do_not_run_in_it(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    added = """
        const script = document.createElement("script");
        script.textContent = "window.owned = 1";
        document.body.append(script);
        return window.owned;
    """
    with pytest.raises(JavascriptException, match="TrustedScript"):
        browser.execute_script(added)
    assert browser.execute_script("return window.owned") is None
    browser.get_log("browser")


# --- light and dark ---------------------------------------------------------------------------------------------------


def brightness(browser: Chrome) -> float:
    """0 to 1, of the ground."""
    colour = browser.execute_script(
        "const c = document.createElement('canvas').getContext('2d');"
        "c.fillStyle = getComputedStyle(document.body).backgroundColor; c.fillRect(0, 0, 1, 1);"
        "return [...c.getImageData(0, 0, 1, 1).data]"
    )
    return sum(colour[:3]) / 765


@pytest.mark.parametrize("name", ["simple", "public"])
def test_it_is_light_by_day_and_dark_by_night(browser: Chrome, site: str, name: str):
    show(browser, f"{site}/{name}")
    assert brightness(browser) > 0.8
    show(browser, f"{site}/{name}", dark=True)
    assert brightness(browser) < 0.2


@pytest.mark.parametrize("dark", [False, True])
def test_the_other_light_is_kept_when_the_page_is_loaded_again(browser: Chrome, site: str, dark: bool):
    show(browser, f"{site}/simple", dark=dark)
    press(browser, "t")
    assert (brightness(browser) < 0.5) is not dark
    browser.refresh()
    assert (brightness(browser) < 0.5) is not dark
    assert browser.execute_script("return [localStorage.length, sessionStorage.length]") == [0, 0]


def contrast(browser: Chrome, selector: str) -> float:
    """The ratio of WCAG 2.2 between a text and the ground that it stands on."""
    return browser.execute_script(
        """
        const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const light = (colour) => {
          probe.fillStyle = colour;
          probe.fillRect(0, 0, 1, 1);
          const [r, g, b] = [...probe.getImageData(0, 0, 1, 1).data].map((each) => each / 255)
            .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const element = document.querySelector(arguments[0]);
        const text = light(getComputedStyle(element).color);
        let ground = element;
        while (/, 0\\)$/.test(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
        const paper = light(getComputedStyle(ground).backgroundColor);
        return (Math.max(text, paper) + 0.05) / (Math.min(text, paper) + 0.05);
        """,
        selector,
    )


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground(browser: Chrome, site: str, dark: bool):
    show(browser, f"{site}/rich", dark=dark)
    press(browser, "o")
    for selector in (
        *("h1", ".kind", ".facts li", ".facts code", ".leads", ".hint", ".eyebrow", "nav span", "nav .root small"),
        *(".frame .at", ".failing", ".failing b", "mark", ".values var", ".variables dt", ".variables dd", ".note"),
        *(".run > summary", ".repeated", ".left-out", "#request dt", "#request i", ".way span", "footer", ".language"),
        *(".search input", ".copy button", ".copy", ".warning"),
    ):
        assert contrast(browser, selector) >= 4.5, selector


# --- keys -------------------------------------------------------------------------------------------------------------


def test_j_and_k_go_from_frame_to_frame(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    seen = []
    for key in "jjjkk":
        press(browser, key)
        seen.append(focused(browser))
    assert seen == ["0.4", "0.3", "0.3", "0.4", "0.5"]  # what is folded away is passed over
    press(browser, "j", Keys.ENTER)
    assert one(browser, '[data-frame="0.4"]').get_attribute("open") is not None


def test_o_opens_all_frames_and_closes_them(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    press(browser, "o")
    assert len(every(browser, ".frames > .frame[open]")) == 3
    press(browser, "o")
    assert len(every(browser, ".frames > .frame[open]")) == 0


def test_a_question_mark_lists_the_keys(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    press(browser, "?")
    assert one(browser, "dialog").is_displayed()
    press(browser, "o")  # no key of the page while the list is open
    assert len(every(browser, ".frame[open]")) == 1
    press(browser, Keys.ESCAPE)
    assert not one(browser, "dialog").is_displayed()
    one(browser, "[data-help]").click()
    one(browser, "[data-close]").click()
    assert not one(browser, "dialog").is_displayed()


def test_keys_with_control_are_the_browsers(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("o").key_up(Keys.CONTROL).perform()
    assert len(every(browser, ".frame[open]")) == 1


def test_the_page_can_be_used_with_the_keyboard_alone(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    reached = set()
    for _ in range(40):
        press(browser, Keys.TAB)
        active = browser.switch_to.active_element
        if active.tag_name == "body":
            break
        reached.add(active.tag_name)
        seen = browser.execute_script("return arguments[0].matches(':focus-visible')", active)
        assert seen, active.get_attribute("outerHTML")[:200]
    assert {"input", "button", "a", "summary", "pre"} <= reached


# --- search -----------------------------------------------------------------------------------------------------------


def search(browser: Chrome, text: str) -> list[str]:
    """The ids of the frames that are seen then."""
    press(browser, "/")
    press(browser, text)
    return [frame.get_attribute("data-frame") for frame in every(browser, "[data-frame]") if frame.is_displayed()]


def test_search_finds_frames_by_source_and_variables(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    assert search(browser, "decimal quantize") == ["0.4"]
    assert one(browser, ".search output").text == "1 frame"
    press(browser, Keys.ESCAPE)
    assert one(browser, '[data-frame="0.5"]').get_attribute("open") is not None
    assert len([frame for frame in every(browser, "[data-frame]") if frame.is_displayed()]) == 3


def test_search_opens_what_is_folded(browser: Chrome, site: str):
    show(browser, f"{site}/group")
    assert search(browser, "CAKE-1") == []  # a message is no frame
    press(browser, Keys.ESCAPE)
    assert search(browser, "with_session") != []
    press(browser, Keys.ESCAPE)
    assert not one(browser, ".run .frame").is_displayed()


def test_search_finds_rows_of_the_request(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    assert search(browser, "multithread") == []
    assert one(browser, ".search output").text == "0 frames, 1 more"
    rows = [row for row in every(browser, "#request .pairs > div") if row.is_displayed()]
    assert [row.text.split() for row in rows] == [["wsgi.multithread", "True"]]


def test_letters_typed_into_the_search_are_no_keys(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    search(browser, "joke?")
    assert one(browser, ".search input").get_attribute("value") == "joke?"
    assert not one(browser, "dialog").is_displayed()


# --- copying ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def clipboard(browser: Chrome, site: str) -> Iterator[None]:
    given = {"origin": site, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", given)
    yield
    browser.execute_cdp_cmd("Browser.resetPermissions", {})


def copied(browser: Chrome) -> str:
    """What the clipboard holds, when the page has said that something was copied."""
    WebDriverWait(browser, 10).until(lambda _: "copied" in one(browser, ".toast").text)
    return browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")


@pytest.mark.usefixtures("clipboard")
@pytest.mark.parametrize(("name", "begins"), [("markdown", "# "), ("text", "PriceMissing"), ("curl", "# Put your own")])
def test_row_34_the_error_is_copied_as(browser: Chrome, site: str, name: str, begins: str):
    show(browser, f"{site}/simple")
    one(browser, f"[data-copy={name}]").click()
    assert copied(browser).startswith(begins)


@pytest.mark.usefixtures("clipboard")
def test_row_34_c_copies_markdown(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    press(browser, "c")
    assert copied(browser).startswith("# ")


@pytest.mark.usefixtures("clipboard")
def test_row_41_a_click_copies_the_id(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    one(browser, "[data-copyable]").click()
    assert copied(browser) == "K7QX-M3PZ"


@pytest.mark.usefixtures("clipboard")
def test_row_45_what_is_copied_is_the_text_and_not_its_markup(browser: Chrome, site: str):
    show(browser, f"{site}/hostile")
    one(browser, "[data-copy=text]").click()
    assert MARKUP in copied(browser)


# --- source on demand -------------------------------------------------------------------------------------------------


def numbers(browser: Chrome, frame: str) -> list[int]:
    return [int(each.get_property("textContent")) for each in every(browser, f'[data-frame="{frame}"] .line b')]


def ask_for(browser: Chrome, frame: str, what: str) -> WebElement:
    details = one(browser, f'[data-frame="{frame}"]')
    if details.get_attribute("open") is None:
        details.find_element(By.CSS_SELECTOR, "summary b").click()
    button = details.find_element(By.CSS_SELECTOR, f"[data-source={what}]")
    button.click()
    return button


@pytest.mark.parametrize(("what", "lines"), [("function", FUNCTION), ("file", range(1, FUNCTION.stop))])
def test_row_01_the_whole_source_comes_on_demand(browser: Chrome, site: str, what: str, lines: range):
    show(browser, f"{site}/simple")
    ask_for(browser, "0.4", what)
    WebDriverWait(browser, 10).until(lambda _: numbers(browser, "0.4") == [*lines])
    frame = '[data-frame="0.4"]'
    assert [each.text for each in every(browser, f"{frame} mark")] == ["price_of(item.sku, self.currency)"]
    assert [each.text for each in every(browser, f"{frame} .failing b")] == ["20"]
    assert len(every(browser, f"{frame} .values")) == 1
    assert one(browser, f"{frame} .failing").is_displayed()


def test_row_01_source_that_is_gone_is_said(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    before = numbers(browser, "0.3")
    button = ask_for(browser, "0.3", "file")
    WebDriverWait(browser, 10).until(lambda _: "not at hand" in one(browser, ".toast").text)
    assert numbers(browser, "0.3") == before
    assert button.is_enabled()
    browser.get_log("browser")


def test_source_has_colours_where_the_browser_can(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    sizes = "return ['keyword', 'text', 'number'].map((kind) => CSS.highlights.get(kind).size)"
    keywords, strings, _ = browser.execute_script(sizes)
    assert keywords > 3
    assert strings > 1


# --- links ------------------------------------------------------------------------------------------------------------


def test_the_navigation_opens_what_it_leads_to(browser: Chrome, site: str):
    show(browser, f"{site}/group")
    one(browser, 'nav a[href="#e4"]').click()
    WebDriverWait(browser, 10).until(lambda _: one(browser, "#e4 .focus .failing").is_displayed())
    assert not one(browser, "#e5 .focus .failing").is_displayed()


def test_the_root_cause_is_one_click_away(browser: Chrome, site: str):
    show(browser, f"{site}/chain")
    one(browser, ".leads a").click()
    top = browser.execute_script("return document.querySelector('section.root').getBoundingClientRect().top")
    assert 0 <= top < 200


def test_row_11_the_switch_shows_hidden_frames(browser: Chrome, site: str):
    show(browser, f"{site}/chain", scripts=False)
    hidden = one(browser, ".frame.concealed")
    one(browser, ".run summary").click()
    assert not hidden.is_displayed()
    one(browser, "#hidden").click()
    assert hidden.is_displayed()


# --- without a script, on paper ---------------------------------------------------------------------------------------


def test_without_a_script_everything_can_be_read(browser: Chrome, site: str):
    show(browser, f"{site}/chain", scripts=False)
    assert one(browser, ".focus .failing").is_displayed()
    for selector in ("[data-script]", ".more", "dialog"):
        assert not any(each.is_displayed() for each in every(browser, selector)), selector
    for details in every(browser, "details:not([open]) > summary"):
        if details.is_displayed():
            details.click()
    for selector in (".run .frame .line", ".variables dd", "#request dd", "#copy-text", "details.linked .frame"):
        assert one(browser, selector).is_displayed(), selector


def test_without_a_script_the_light_can_be_changed(browser: Chrome, site: str):
    show(browser, f"{site}/simple", scripts=False)
    one(browser, ".turn").click()
    assert one(browser, "html").value_of_css_property("color-scheme") == "dark"


def test_on_paper_the_whole_page_is_open(browser: Chrome, site: str):
    show(browser, f"{site}/simple")
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert every(browser, "details:not([open])") == []
    browser.execute_script("dispatchEvent(new Event('afterprint'))")
    assert len(every(browser, ".frame[open]")) == 1


def test_a_poisoned_page_still_works(browser: Chrome, site: str):
    assert poisoned(rich(), MARKUP).headline.count("<script>") == 2
    show(browser, f"{site}/hostile")
    press(browser, "j")
    assert focused(browser) is not None
    assert search(browser, "textarea") != []
