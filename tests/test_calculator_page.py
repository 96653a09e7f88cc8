"""The calculator's page in a real browser: every button, and what a person may do to it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data import mixture
from playwright.sync_api import expect, sync_playwright

import gmmfast
from gmmfast import GaussianMixture
from gmmfast.datasets import load_customers
from gmmfast.reporting.report import significant
from gmmfast.tables import read_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"
)

SAMPLE = np.array([[1.0, 1.1], [1.5, 1.4], [5.0, 4.8], [5.5, 5.2], [1.2, 0.9], [5.1, 5.0]])
PICTURES = os.environ.get("GMMFAST_SCREENSHOTS")  # a folder to keep pictures of the page in
ZOOMING = ["Zoom", "Pan", "Zoom in", "Zoom out", "Autoscale", "Reset axes"]  # a chart's buttons
SIZE = {"width": 1200, "height": 900}
AXE = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"
OF_COLORS = ["color-contrast", "link-in-text-block"]  # axe-core's rules of its category cat.color
FIRST_FIT = 180_000  # milliseconds: it may have to compile


@pytest.fixture(scope="module")
def address():
    """A calculator as a user starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gmmfast", "calculator", "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process.stdout.readline().split()[-1]
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser):
    context = browser.new_context(viewport=SIZE)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture(scope="module")
def tab(context):
    """One tab for all tests: a new one takes several times as long as loading the page again."""
    faults = []
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: is_elsewhere(request.url) and faults.append(request.url))
    page.on("popup", lambda window: faults.append(f"a window: {window.url}"))
    return page, faults


@pytest.fixture
def page(tab, address):
    """The page as it is at first, on which nothing may go wrong and which may ask nobody else."""
    page, faults = tab
    faults.clear()
    page.unroute_all(behavior="ignoreErrors")
    page.set_viewport_size(SIZE)
    page.emulate_media(color_scheme="light")
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    yield page
    expected = r"the server responded with a status of 4(00|09)"  # the page tells what is wrong
    assert [fault for fault in faults if not re.search(expected, fault)] == []


def is_elsewhere(url):
    return not re.match(r"(http://127\.0\.0\.1:|data:|blob:)", url)


def calculate(page):
    page.click("#calculate")
    page.wait_for_selector("#results:not([hidden])", timeout=FIRST_FIT)
    page.wait_for_selector("#picture .main-svg")


def choose_for_me(page):
    page.locator("#settings").get_by_text("Choose for me").click()


def open_settings(page):
    page.click("#more > summary")


def show(page, tab):
    page.click(f"#tab-{tab}-tab")


def picture(page, name):
    if PICTURES:
        page.wait_for_timeout(500)
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def buttons(page, chart):
    """Titles of a chart's toolbar, in order; plotly's logo is one of its links."""
    page.hover(f"#{chart}")
    return page.eval_on_selector_all(
        f"#{chart} .modebar a, #{chart} .modebar button",
        "all => all.map(one => one.dataset.title ?? one.outerHTML)",
    )


def cells(page, table):
    """Numbers of a table in full precision, row by row."""
    return page.eval_on_selector_all(
        f"{table} tbody tr",
        "rows => rows.map(row => [...row.querySelectorAll('td[data-value]')]"
        ".map(cell => Number(cell.dataset.value)))",
    )


def load(page, name, content):
    body = content if isinstance(content, bytes) else content.encode()
    page.set_input_files("#file", {"name": name, "mimeType": "text/plain", "buffer": body})


def csv(X, names):
    rows = [",".join(map(repr, row)) for row in X.tolist()]
    return "\n".join([",".join(names), *rows, ""])


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


def heaviest_first(model):
    return np.argsort(-model.weights_, kind="stable")


# ----------------------------------------------------------------------------- the main road


def test_the_sample(page):
    calculate(page)
    direct = GaussianMixture(2, tol=1e-4, random_state=0, acceleration="auto").fit(SAMPLE)
    order = heaviest_first(direct)
    found = np.array(cells(page, "#components"))
    np.testing.assert_array_equal(found[:, 0], direct.weights_[order])
    np.testing.assert_array_equal(found[:, 1:], direct.means_[order])
    np.testing.assert_array_equal(
        cells(page, "#matrices"), direct.covariances_[order].reshape(4, 2)
    )
    numbers = [row[0] for row in cells(page, "#fit") if row]
    total = direct.score(SAMPLE) * 6
    assert numbers[:4] == [total, total / 6, direct.bic(SAMPLE), direct.aic(SAMPLE)]
    expect(page.locator("#fit")).to_contain_text(significant(total))
    expect(page.locator("#results-title")).to_contain_text("The 6 rows fall into 2 components.")
    expect(page.locator("#advice")).to_contain_text("6 rows for 11 free parameters are few")
    expect(page.locator("#results-title")).to_be_focused()
    picture(page, "sample")


def test_an_example_with_a_choice_of_k(page):
    page.click("[data-example=customers]")
    expect(page.locator("#data-note")).to_contain_text("customers: 350 rows, 2 columns")
    choose_for_me(page)
    page.fill("#k-to", "4")
    page.select_option("#criterion", "icl")
    expect(page.locator("input[value=all]")).to_be_checked()
    calculate(page)
    search = gmmfast.GaussianMixtureIC(
        range(1, 5), criterion="icl", tol=1e-4, max_iter=100, reg_covar=1e-6, random_state=0
    ).fit(load_customers().data)
    expect(page.locator("#fit")).to_contain_text(search.best_covariance_type_)
    assert page.locator("#components tbody tr").count() == search.best_n_components_
    show(page, "choice")
    page.wait_for_selector("#criteria .main-svg")
    assert page.locator("#criteria .legendtext").count() == 15  # and the chosen candidate
    best = page.locator("#ranking tbody tr").first
    expect(best).to_contain_text(search.best_covariance_type_)
    assert cells(page, "#ranking")[0][1] == 0 and best.locator("svg").count() == 1
    picture(page, "choice")


def test_density_axes_and_one_dimension(page):
    X = mixture(400, 5, 3, separation=4.0)[0]
    load(page, "five.csv", csv(X, "abcde"))
    expect(page.locator("#d")).to_have_value("5")
    page.fill("#k", "3")
    calculate(page)
    expect(page.locator("#picture-note")).to_contain_text("Seen along these two columns")
    page.select_option("#y-axis", "e")
    page.check("#density")
    page.wait_for_selector("#picture .contourlayer path")
    expect(page.locator("#picture .ytitle")).to_have_text("e")
    page.select_option("#x-axis", "e")
    expect(page.locator("#picture-note")).to_have_text("Choose two different columns.")
    picture(page, "five-columns")
    for name in "bcde":
        page.uncheck(f"#columns input[value={name}]")
    expect(page.locator("#d")).to_have_value("1")
    calculate(page)
    expect(page.locator("#axes")).to_be_hidden()
    page.wait_for_selector("#picture .barlayer path")
    direct = GaussianMixture(3, tol=1e-4, random_state=0, acceleration="auto").fit(X[:, :1])
    found = np.array(cells(page, "#components"))[:, 1]
    np.testing.assert_array_equal(found, direct.means_[heaviest_first(direct), 0])
    picture(page, "one-column")


def test_many_rows(page):
    X = mixture(200_000, 3, 4, separation=4.0)[0].round(4)
    load(page, "many.csv", csv(X, "abc"))
    expect(page.locator("#data-note")).to_contain_text("200000 rows", timeout=60_000)
    page.fill("#k", "4")
    calculate(page)
    expect(page.locator("#picture-note")).to_contain_text("5000 of 200000 rows are drawn; all were")
    assert (
        sum(int(text) for text in page.locator("#components td:nth-child(3)").all_inner_texts())
        == 200_000
    )


def begin_slow_fit(page):
    load(page, "slow.csv", csv(mixture(3000, 8, 2, separation=0.1)[0], "abcdefgh"))
    expect(page.locator("#data-note")).to_contain_text("3000 rows")
    open_settings(page)
    for name, value in (("#k", "60"), ("#tol", "0"), ("#max-iter", "100000")):
        page.fill(name, value)
    page.click("#calculate")
    page.wait_for_selector("#progress-chart .main-svg", timeout=FIRST_FIT)


def test_cancel_in_mid_fit(page):
    begin_slow_fit(page)
    expect(page.locator("#progress-text")).to_contain_text("Iteration")
    assert buttons(page, "progress-chart") == ZOOMING
    picture(page, "progress")
    page.click("#cancel")
    expect(page.locator("#message")).to_have_text("Canceled.")
    expect(page.locator("#calculate")).to_be_enabled()
    page.click("#reset")
    page.fill("#k", "1")
    calculate(page)


def test_leaving_the_page_ends_the_fit(page, context, address):
    begin_slow_fit(page)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    calculate(page)
    expect(page.locator("#results-title")).to_contain_text("The 6 rows")


def test_two_tabs_have_data_of_their_own(page, context, address):
    other = context.new_page()
    other.goto(address)
    other.wait_for_selector("body[data-ready]")
    page.click("[data-example=sensors]")
    expect(page.locator("#data-note")).to_contain_text("sensors")
    calculate(other)
    calculate(page)
    expect(other.locator("#results-title")).to_contain_text("The 6 rows")
    expect(page.locator("#results-title")).to_contain_text("The 2000 rows")
    other.locator("#density").check()
    other.wait_for_selector("#picture .contourlayer path")


# ------------------------------------------------------------------------------ the buttons


def test_typing_and_pasting(page):
    page.click("#clear")
    page.locator("#grid tbody input").first.focus()
    page.evaluate("navigator.clipboard.writeText('height\\tmass\\n1.8\\t80\\n1.6\\t55\\n1.7\\t60')")
    page.keyboard.press("Control+v")
    expect(page.locator("#grid thead input").nth(1)).to_have_value("mass")
    page.click("#add-row")
    page.keyboard.type("1.9")
    page.keyboard.press("Tab")
    page.keyboard.type("95")
    page.fill("#k", "1")
    calculate(page)
    found = cells(page, "#components")[0]
    np.testing.assert_allclose(found[1:], [1.75, 72.5])
    page.click("#add-column")
    expect(page.locator("#d")).to_have_value("3")
    page.click("#sample")
    expect(page.locator("#d")).to_have_value("2")
    expect(page.locator("#grid tbody tr")).to_have_count(6)


def test_enter_and_arrows_go_from_row_to_row(page):
    page.locator("#grid tbody input").nth(1).focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#grid tbody input").nth(3)).to_be_focused()
    page.locator("#grid tbody input").nth(11).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#grid tbody tr")).to_have_count(7)


def test_reset(page):
    open_settings(page)
    page.fill("#k", "5")
    page.fill("#tol", "0.5")
    page.fill("#trim", "0.1")
    page.check("#standardize")
    page.check("#prior")
    expect(page.locator("#more-summary")).to_contain_text("standardized, share left out 0.1, prior")
    page.click("#other-models > summary")
    page.locator("label", has=page.locator("input[value=VEV]")).click()
    expect(page.locator("input[value=VEV]")).to_be_checked()
    expect(page.locator("#more-summary")).to_contain_text("tolerance 0.5")
    expect(page.locator("#more-summary")).to_contain_text("share left out 0.1")
    page.click("#reset")
    expect(page.locator("input[value=full]")).to_be_checked()
    for name, value in (("#k", "2"), ("#tol", "0.0001"), ("#trim", "0")):
        expect(page.locator(name)).to_have_value(value)
    expect(page.locator("#standardize")).not_to_be_checked()
    expect(page.locator("#prior")).not_to_be_checked()


def test_tails__of_components_are_shown_until_the_defaults_are_back(page):
    open_settings(page)
    page.select_option("#component", "t")
    expect(page.locator("#more-summary")).to_contain_text(", t components")
    calculate(page)
    expect(page.locator("#sentences")).to_contain_text("The components are t distributions with")
    assert page.locator("#components th").all_inner_texts()[3] == "df"
    expect(page.locator("#picture-note")).to_contain_text("1, 2 and 3 times the scale")
    page.get_by_role("tab", name="Covariances").click()
    expect(page.locator("#matrices-note")).to_contain_text("Scale matrices of t components")
    page.click("#reset")
    expect(page.locator("#component")).to_have_value("gaussian")
    page.click("#calculate")
    expect(page.locator("#components")).not_to_contain_text("df", timeout=FIRST_FIT)
    expect(page.locator("#matrices")).to_be_visible()
    expect(page.locator("#matrices-note")).to_be_hidden()


def test_trim__leaves_rows_out_of_one_fit_but_not_of_a_choice(page):
    open_settings(page)
    page.fill("#trim", "0.6")
    page.click("#calculate")
    expect(page.locator("#trim")).to_have_attribute("aria-invalid", "true")
    page.fill("#trim", "0.2")
    calculate(page)
    expect(page.locator("#results")).to_contain_text("left out the least likely 20 % of the rows")
    choose_for_me(page)
    expect(page.locator("#trim")).to_be_hidden()
    expect(page.locator("#more-summary")).not_to_contain_text("left out")


def test_copies_and_downloads(page, tmp_path):
    calculate(page)
    direct = GaussianMixture(2, tol=1e-4, random_state=0, acceleration="auto").fit(SAMPLE)
    means = direct.means_[heaviest_first(direct)]
    page.click("#copy-text")
    expect(page.locator("#copied")).to_have_text("The results are copied.")
    assert "6 rows, 2 columns; 2 components" in clipboard(page)
    page.click("#copy-json")
    expect(page.locator("#copied")).to_have_text("The JSON is copied.")
    assert json.loads(clipboard(page))["means"] == means.tolist()
    names = {
        "model": "model.npz",
        "json": "result.json",
        "rows": "rows.csv",
        "xlsx": "rows.xlsx",
        "data": "typed.csv",
        "svg": "mixture.svg",
    }
    for button, name in names.items():
        with page.expect_download() as download:
            page.click(f"#get-{button}")
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
    np.testing.assert_array_equal(gmmfast.load(tmp_path / "model.npz").means_, means)
    assert json.loads((tmp_path / "result.json").read_text())["weights"] == [0.5, 0.5]
    rows = read_table(tmp_path / "rows.csv")
    assert rows.names == ["row", "x1", "x2", "component", "probability", "log_density", "outlier"]
    assert sorted(rows.values[:, 3]) == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(read_table(tmp_path / "typed.csv").values, SAMPLE)
    svg = (tmp_path / "mixture.svg").read_text()
    assert svg.startswith("<svg")
    addresses = re.findall(r"https?://[^\"' )<]+", svg)  # names of SVG itself, and no other
    assert all(address.startswith("http://www.w3.org/") for address in addresses)


def test_excel_download__is_there_only_with_the_extra(page):
    calculate(page)
    expect(page.locator("#get-xlsx")).to_be_visible()

    def without_extra(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"excel_rows": 0})

    page.route("**/api/options*", without_extra)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    calculate(page)
    expect(page.locator("#get-rows")).to_be_visible()
    expect(page.locator("#get-xlsx")).to_be_hidden()


def test_typed_table__columns_that_are_not_used_are_in_the_rows(page, tmp_path):
    """Text too; and a repeated or empty name is replaced by another one."""
    page.click("#add-column")
    page.click("#add-column")
    names = page.locator("#grid thead input")
    for j, name in enumerate(("who", "x", "x", "")):
        names.nth(j).fill(name)
    cells = page.locator("#grid tbody input")
    for i, name in enumerate("=ABCDE"):
        cells.nth(4 * i).fill(name)
        cells.nth(4 * i + 2).fill(str(9 - i))
    chips = page.locator("#columns label")
    expect(chips).to_have_text(["who", "x", "x_", "x4"])
    page.click("#calculate")
    expect(page.locator("#d-error")).to_have_count(0)
    expect(page.locator("#data-error")).to_contain_text("Row 1, column 'who'")
    for j in (0, 2, 3):
        chips.nth(j).locator("input").uncheck()
    calculate(page)
    with page.expect_download() as download:
        page.click("#get-rows")
    download.value.save_as(tmp_path / "rows.csv")
    first, *lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert first.startswith("row,who,x,x_,component,")  # x4 holds nothing
    assert [line.split(",")[1] for line in lines] == ["'=", *"ABCDE"]
    assert [line.split(",")[3] for line in lines] == [*"987654"]


def test_a_selection_is_copied_with_all_digits(page):
    calculate(page)
    show(page, "numbers")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#components tbody'))")
    page.keyboard.press("Control+c")
    lines = [line.split("\t") for line in clipboard(page).split("\n")]
    assert [[float(cell) for cell in line[1:]] for line in lines] == [
        [row[0], 3.0, *row[1:]] for row in cells(page, "#components")
    ]


def test_new_rows(page):
    calculate(page)
    show(page, "rows")
    page.fill("#new-rows", "x1,x2\n1.1,1.0\n5.2,5.0\n50,50")
    page.fill("#rate", "0.05")
    page.click("#apply")
    note = page.locator("#apply-note")
    expect(note).to_contain_text("1 outlier in 3 rows", timeout=FIRST_FIT)
    assert page.locator("#applied td:last-child").all_inner_texts() == ["no", "no", "yes"]
    page.click("#copy-applied")
    expect(page.locator("#applied-copied")).to_have_text("The table is copied.")
    lines = [line.split("\t") for line in clipboard(page).split("\n")]
    assert lines[0][:2] == ["row", "component"]
    assert [line[-1] for line in lines] == ["outlier", "no", "no", "yes"]
    assert [float(line[-2]) for line in lines[1:]] == [row[-1] for row in cells(page, "#applied")]
    page.fill("#new-rows", "1.886\t2")
    page.click("#apply")
    expect(note).to_contain_text("1 outlier in 1 row: log density below")
    expect(note).to_contain_text("Read with decimal points, like the data.")
    page.fill("#new-rows", "1\t")
    page.click("#apply")
    expect(note).to_contain_text("1 of 1 rows has missing values (x2: 1)")
    page.fill("#new-rows", "1,2,3")
    page.click("#apply")
    expect(page.locator("#apply-note")).to_contain_text("New rows need 2 columns: x1, x2; got 3.")
    expect(page.locator("#copy-applied")).to_be_hidden()


def test_how_sure__shows_standard_errors_beside_the_parameters(page):
    calculate(page)
    show(page, "numbers")
    page.click("#sure")
    expect(page.locator("#sure-note")).to_contain_text("From 999 fits", timeout=FIRST_FIT)
    lines = cells(page, "#sureness")
    assert len(lines) == 2 + 2 * 4  # weights; means and variances
    estimate, error, low, high = lines[0]
    assert estimate == pytest.approx(0.5, abs=1e-3) and low < 0.5 < high
    # 3 of 6 rows with exponential weights: the share is Beta(3, 3), with standard deviation 0.189
    assert error == pytest.approx(0.189, rel=0.1)
    page.click("#calculate")
    expect(page.locator("#sureness tr")).to_have_count(0)


def test_the_lines_are_there(page):
    calculate(page)
    page.locator("summary", has_text="in Python").click()
    expect(page.locator("#python")).to_contain_text("mixture = GaussianMixture(")
    expect(page.locator("#command")).to_contain_text("gmmfast fit typed.csv -k 2")


# ------------------------------------------------------------------ never a stale result


def hold(page, path):
    """Hold back requests, and return the list of them."""
    held = []
    page.route(f"**/api/{path}*", lambda route: held.append(route))
    return held


def let_go(page, held):
    expect(page.locator("#data-note")).to_contain_text("Reading")
    assert held
    held.pop(0).continue_()


THREE = "a,b\n1,2\n2,1\n3,4\n4,3\n9,9\n8,9\n9,8\n"


def test_calculate__waits_for_a_file_that_is_being_read(page):
    held = hold(page, "data")
    load(page, "late.csv", THREE)
    page.click("#calculate")
    expect(page.locator("#progress-text")).to_have_text("Waiting until late.csv has been read …")
    expect(page.locator("#results")).to_be_hidden()
    let_go(page, held)
    expect(page.locator("#results-title")).to_contain_text("The 7 rows", timeout=FIRST_FIT)
    expect(page.locator("#outdated")).to_be_hidden()


def test_calculate__does_nothing_if_the_file_cannot_be_read(page):
    held = hold(page, "data")
    load(page, "late.csv", "a,b\n1,2\n3,x\n")
    page.click("#calculate")
    let_go(page, held)
    expect(page.locator("#data-error")).to_contain_text("late.csv")
    expect(page.locator("#data-error")).to_be_focused()
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator("#calculate")).to_be_enabled()


def test_files__of_two_the_later_counts(page):
    held = hold(page, "data")
    load(page, "first.csv", THREE)
    load(page, "second.csv", THREE + "7,7\n")
    page.click("#calculate")
    let_go(page, held)
    page.wait_for_timeout(200)
    let_go(page, held)
    expect(page.locator("#results-title")).to_contain_text("The 8 rows", timeout=FIRST_FIT)
    expect(page.locator("#data-note")).to_contain_text("second.csv: 8 rows")


def test_result__is_outdated_by_other_settings_until_they_are_as_before(page):
    calculate(page)
    expect(page.locator("#outdated")).to_be_hidden()
    page.fill("#k", "1")
    expect(page.locator("#outdated")).to_contain_text("Outdated")
    for button in ("#copy-text", "#get-svg"):
        expect(page.locator(button)).to_be_disabled()
    assert page.locator("#exports a[href]").count() == 0
    page.fill("#k", "2")
    expect(page.locator("#outdated")).to_be_hidden()
    assert page.locator("#exports a[href]").count() > 1
    open_settings(page)
    page.check("#standardize")
    expect(page.locator("#outdated")).to_be_visible()
    page.click("#again")
    expect(page.locator("#outdated")).to_be_hidden()
    expect(page.locator("#results-title")).to_be_focused()


def test_result__is_outdated_by_other_data(page):
    calculate(page)
    page.locator("#grid tbody input").first.fill("1.25")
    expect(page.locator("#outdated")).to_be_visible()
    page.click("#again")
    expect(page.locator("#outdated")).to_be_hidden()
    page.uncheck("#columns input[value=x2]")
    expect(page.locator("#outdated")).to_be_visible()
    load(page, "three.csv", THREE)
    expect(page.locator("#data-note")).to_contain_text("three.csv: 7 rows")
    expect(page.locator("#results")).to_be_hidden()


def test_result__is_outdated_by_what_is_changed_during_the_fit(page):
    held = hold(page, "fit")
    page.click("#calculate")
    page.wait_for_timeout(200)
    page.fill("#k", "1")
    held.pop().continue_()
    page.unroute("**/api/fit*")
    expect(page.locator("#results-title")).to_contain_text("2 components", timeout=FIRST_FIT)
    expect(page.locator("#outdated")).to_be_visible()


def test_files__end_a_fit_of_other_data(page):
    begin_slow_fit(page)
    load(page, "three.csv", THREE)
    expect(page.locator("#message")).to_have_text("Canceled.")
    expect(page.locator("#data-note")).to_contain_text("three.csv: 7 rows")
    page.click("#reset")
    calculate(page)
    expect(page.locator("#results-title")).to_contain_text("The 7 rows")


def test_enter__calculates(page):
    page.fill("#k", "1")
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_contain_text("one component", timeout=FIRST_FIT)


def paste(page, text):
    page.evaluate("text => navigator.clipboard.writeText(text)", text)
    page.keyboard.press("Control+v")


@pytest.mark.parametrize(
    ("text", "columns", "n_rows"),
    [
        ("a\tb\n1\t2\n3\t4", ["a", "b"], 2),
        ("1\t2\n3\t4\n5\t6", ["x1", "x2"], 3),
        ("5\n6\n7", ["x1"], 3),
    ],
)
def test_paste__replaces_the_sample(page, text, columns, n_rows):
    """Rows of it below those that are pasted would be part of the result."""
    page.locator("#grid tbody input").nth(2).focus()
    paste(page, text)
    expect(page.locator("#grid tbody tr")).to_have_count(n_rows)
    names = page.locator("#grid thead input")
    assert [names.nth(j).input_value() for j in range(names.count())] == columns


def test_paste__within_a_typed_table_keeps_the_rest(page):
    page.locator("#grid tbody input").first.fill("1.25")
    page.locator("#grid tbody input").nth(3).focus()
    paste(page, "7\n8\n9")
    expect(page.locator("#grid tbody tr")).to_have_count(6)
    cells = page.locator("#grid tbody input")
    assert [cells.nth(i).input_value() for i in (0, 3, 5, 7, 9)] == ["1.25", "7", "8", "9", "0.9"]


GAPS = "who;a;b\nx;1,5;2\ny;;3\nz;4,5;6\nw;7,25;\nv;2;1,125\n"


def test_files__rows_with_missing_values_are_left_out_by_a_button(page):
    load(page, "gaps.csv", GAPS)
    error = page.locator("#data-error")
    expect(error).to_contain_text("gaps.csv: 2 of 5 rows have missing values (a: 1, b: 1)")
    page.get_by_role("button", name="Leave out 2 rows").click()
    note = page.locator("#data-note")
    expect(note).to_contain_text("gaps.csv: 3 rows, 2 columns")
    expect(note).to_contain_text("2 of 5 rows have missing values, and are left out.")
    expect(note).to_contain_text("decimal commas")
    expect(error).to_have_text("")
    expect(page.locator("#drop-missing")).to_be_hidden()
    picture(page, "gaps")
    page.fill("#k", "1")
    calculate(page)
    expect(page.locator("#results-title")).to_contain_text("3 rows")


def test_files__rows_with_missing_values_are_used_as_far_as_they_are_known(page):
    load(page, "gaps.csv", GAPS)
    expect(page.locator("#data-error")).to_contain_text("or use what is known of them")
    picture(page, "unknown")
    page.get_by_role("button", name="Use what is known").click()
    note = page.locator("#data-note")
    expect(note).to_contain_text("gaps.csv: 5 rows, 2 columns")
    expect(page.locator("#data-error")).to_have_text("")
    expect(page.locator("#missing")).to_be_hidden()
    expect(page.locator("#grid tbody tr").nth(1)).to_have_text(re.compile("^23$"))
    page.fill("#k", "1")
    calculate(page)
    expect(page.locator("#results-title")).to_contain_text("5 rows")
    expect(page.locator("#results")).to_contain_text("2 rows lack values. They count with what")
    picture(page, "known")


def test_typed_rows_with_missing_values_are_used_as_far_as_they_are_known(page):
    page.locator("#grid tbody input").nth(1).fill("")
    page.fill("#k", "1")
    page.get_by_role("button", name="Calculate parameters").click()
    expect(page.locator("#data-error")).to_contain_text("1 of 6 rows has missing values (x2: 1)")
    page.get_by_role("button", name="Use what is known").click()
    expect(page.locator("#results-title")).to_contain_text("6 rows")
    expect(page.locator("#results")).to_contain_text("1 row lacks values. It counts with what")
    expect(page.locator("#data-error")).to_have_text("")
    expect(page.locator("#missing")).to_be_hidden()
    page.locator("#grid tbody input").nth(3).fill("")  # the choice is kept
    calculate(page)
    expect(page.locator("#results")).to_contain_text("2 rows lack values.")


def grid_values(page):
    """Cells of the typed table, row by row; the first holds the names."""
    return page.eval_on_selector_all(
        "#grid tr", "rows => rows.map(row => [...row.querySelectorAll('input')].map(x => x.value))"
    )


@pytest.mark.parametrize("header", ["Umsatz\r\n", ""])
def test_paste__one_column_with_decimal_commas(page, header):
    """It can be edited as it was read."""
    page.locator("h1").click()
    paste(page, f"{header}1.498,37\r\n1.000,50\r\n2.100,10\r\n")
    note = page.locator("#data-note")
    expect(note).to_contain_text("pasted.csv: 3 rows, 1 column.")
    expect(note).to_contain_text("decimal commas, points between thousands")
    name = header.strip() or "x1"
    assert grid_values(page) == [[name], ["1498.37"], ["1000.5"], ["2100.1"]]
    page.locator("#grid tbody input").first.fill("1500")
    expect(note).to_have_text("")
    page.fill("#k", "1")
    calculate(page)
    assert cells(page, "#components")[0][1] == pytest.approx((1500 + 1000.5 + 2100.1) / 3)


def test_paste__the_notes_are_those_of_the_newest_data(page):
    load(page, "gaps.csv", "who;a;b\nx;1,5;2\ny;2,5;3\n")
    note = page.locator("#data-note")
    expect(note).to_contain_text("gaps.csv: 2 rows, 2 columns")
    paste(page, "a\tb\n1.886\t10\n2.114\t3\n3.007\t4\n")
    expect(note).to_contain_text("pasted.csv: 3 rows, 2 columns.")
    expect(note).to_contain_text("a point before three digits, which is read as the decimal mark")
    expect(note).not_to_contain_text("gaps.csv")
    page.click("#clear")
    expect(note).to_have_text("")


def test_paste__with_gaps_at_its_end(page):
    page.locator("h1").click()
    paste(page, "1,5\tx\t2\r\n2,5\ty\t\r\n3\tz\t4\r\n5,5\tz\t\r\n")
    error = page.locator("#data-error")
    expect(error).to_contain_text("2 of 4 rows have missing values (x3: 2), first in line 2.")
    page.get_by_role("button", name="Leave out 2 rows").click()
    expect(page.locator("#data-note")).to_contain_text("pasted.csv: 2 rows, 2 columns.")
    expect(page.locator("#grid thead")).to_contain_text("x3")
    paste(page, "1,5\r\nNA\r\n2,5\r\n")
    page.get_by_role("button", name="Leave out 1 row").click()
    expect(page.locator("#data-note")).to_contain_text("pasted.csv: 2 rows, 1 column.")
    paste(page, "1,5\r\nNA\r\n2,5\r\n")
    expect(error).to_contain_text("The table still holds the rows that you see.")
    drop(page, ("a.csv", ""), ("b.csv", ""))
    expect(error).to_contain_text("One file is read at a time")
    expect(page.locator("#drop-missing")).to_be_hidden()


def drop(page, *files):
    page.evaluate(
        """files => {
            const dataTransfer = new DataTransfer();
            for (const [name, text] of files) dataTransfer.items.add(new File([text], name));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
        [list(file) for file in files],
    )


def test_drop__reads_one_file_at_a_time(page):
    drop(page, ("a.csv", "a\n1\n2\n"), ("b.csv", "a\n3\n4\n"))
    expect(page.locator("#data-error")).to_have_text(
        "One file is read at a time; got 2. Put their rows into one file."
    )
    expect(page.locator("#data-note")).to_have_text("")
    drop(page, ("a.csv", "a\n1\n2\n"))
    expect(page.locator("#data-note")).to_contain_text("a.csv: 2 rows, 1 column.")
    expect(page.locator("#data-error")).to_have_text("")


def test_welcome__tells_of_the_six_points_while_they_are_there(page):
    expect(page.locator("#ready")).to_be_visible()
    load(page, "a.csv", "a\n1\n2\n")
    expect(page.locator("#data-note")).to_contain_text("a.csv: 2 rows")
    expect(page.locator("#ready")).to_be_hidden()
    expect(page.locator("#welcome")).to_be_visible()
    page.click("#sample")
    expect(page.locator("#ready")).to_be_visible()
    page.locator("#grid tbody input").first.fill("2")
    expect(page.locator("#ready")).to_be_hidden()


def test_columns__at_least_one_is_ticked(page):
    boxes = page.locator("#columns input")
    for j in range(2):
        boxes.nth(j).uncheck()
    page.click("#calculate")
    expect(page.locator("#message")).to_have_text("Tick at least one column.")
    boxes.first.check()
    page.click("#more > summary")
    page.fill("#d", "2")
    page.click("#calculate")
    expect(page.locator("#d-error")).to_contain_text("D is 2, but 1 column is chosen. Set D to 1")


def test_models__of_one_column_are_offered_for_one_column(page):
    page.click("#other-models > summary")
    codes = page.locator("#coded-models label")
    shown = codes.and_(page.locator(":not([hidden])"))
    expect(codes).to_have_count(16)
    expect(shown).to_have_count(14)
    boxes = page.locator("#columns input")
    boxes.nth(1).uncheck()
    expect(shown).to_have_count(16)
    codes.get_by_text("V", exact=True).click()
    page.click("#calculate")
    words = "Model V (different variances)."
    expect(page.locator("#facts")).to_contain_text(words, timeout=FIRST_FIT)
    expect(page.locator("#command")).to_contain_text("--covariance V ")
    boxes.nth(1).check()  # V becomes the same model of two columns
    expect(shown).to_have_count(14)
    expect(page.locator("#coded-models :checked")).to_have_value("VII")
    choose_for_me(page)
    every = page.locator("#common-models label").last
    expect(every).to_have_text("all 14")
    boxes.nth(1).uncheck()
    expect(every).to_have_text("E and V")


def test_paste__decimal_commas(page):
    page.locator("#grid tbody input").first.focus()
    paste(page, "who\ta\tb\nx\t1,5\t2\ny\t2,5\t3,25")
    expect(page.locator("#data-note")).to_contain_text("pasted.csv: 2 rows, 2 columns")
    expect(page.locator("#data-note")).to_contain_text("decimal commas")
    cells = page.locator("#grid tbody").inner_text().split()  # with the numbers of rows
    assert cells == ["1", "1.5", "2", "2", "2.5", "3.25"]


def test_paste__columns_of_text_are_left_out(page):
    page.locator("#grid tbody input").first.focus()
    paste(page, "who\theight\nAnn\t1.8\nBob\t1.6\nCy\t1.7")
    expect(page.locator("#data-note")).to_contain_text("pasted.csv: 3 rows, 1 column")
    expect(page.locator("#data-note")).to_contain_text("not numbers: who")
    paste(page, "1\t2\n3\t4")  # over the table of a file too
    expect(page.locator("#grid thead input")).to_have_count(2)


# ------------------------------------------------------------------------------ what is wrong


def test_malformed_files__are_refused_and_change_nothing(page):
    for name, content, sentence in (
        (
            "text.csv",
            "a,b\n1,2\n3,x\n",
            "text.csv, line 3, column 'b': every cell must be a number",
        ),
        ("gap.csv", "a,b\n1,2\nnan,2\n", "1 of 2 rows has missing values (a: 1), first in line 3."),
        ("short.csv", "a,b\n1,2\n3\n", "line 3: every row must have 2 cells"),
        ("empty.csv", "", "the file is empty"),
        ("rows.npy", b"\x93NUMPY\x01\x00", "rows.npy"),
        ("rows.parquet", b"PAR1", "rows.parquet"),
        ("rows.exe", b"MZ", "the file must end in .csv"),
    ):
        load(page, name, content)
        expect(page.locator("#data-error")).to_contain_text(name)
        expect(page.locator("#data-error"), name).to_contain_text(sentence)
        page.evaluate("document.querySelector('#results-title').textContent = ''")
        page.click("#calculate")  # the sample is still there
        expect(page.locator("#results-title")).to_contain_text("The 6 rows", timeout=FIRST_FIT)


def test_wrong_inputs__are_explained_where_they_are(page):
    for field, value, place, sentence in (
        ("#k", "7", "#message", "7 components need at least as many rows; got 6. Lower K."),
        ("#k", "", "#k-error", "K, number of components: please enter a number."),
        ("#k", "1.5", "#k-error", "components must be a whole number from 1 to 200; got 1.5."),
        ("#d", "3", "#d-error", "D is 3, but 2 columns are chosen. Set D to 2"),
        ("#max-iter", "0", "#max-iter-error", "Maximum iterations must be a whole number"),
        ("#grid tbody input", "abc", "#data-error", "Row 1, column 'x1': every cell must be"),
        ("#grid tbody input", "", "#data-error", "1 of 6 rows has missing values (x1: 1)"),
    ):
        open_settings(page)
        page.locator(field).first.fill(value)
        open_settings(page)  # folded again: it opens where an error is
        page.click("#calculate")
        expect(page.locator(place), sentence).to_contain_text(sentence)
        if place in (f"{field}-error", "#data-error"):  # lead to it
            expect(page.locator(field if place != "#data-error" else place)).to_be_focused()
        expect(page.locator("#results")).to_be_hidden()
        picture(page, "error")
        page.click("#sample")
        page.eval_on_selector("#reset", "button => button.click()")  # where settings are folded too
        page.eval_on_selector("#more", "settings => { settings.open = false; }")


def test_names_are_never_markup(page):
    name = "<script>document.title='x'</script><b>bold</b>"
    load(page, "names.csv", csv(SAMPLE, [name, "<img src=x onerror=alert(1)>"]))
    expect(page.locator("#grid thead th").nth(1)).to_have_text(name)
    calculate(page)
    expect(page.locator("#components thead th").nth(3)).to_have_text(name)
    expect(page.locator("#picture .xtitle")).to_contain_text("<script>")
    assert page.title() == "Gaussian mixture calculator"
    assert page.locator("b:text-is('bold'), img[src=x]").count() == 0


# ------------------------------------------------------------------- nothing leaves the machine


def test_toolbars__have_no_button_that_sends_the_chart_anywhere(page):
    """Of every kind of chart: plane, likelihood, criterion, density, line."""
    found = {}
    choose_for_me(page)
    page.fill("#k-to", "2")
    calculate(page)
    for tab, chart in (("curve", "curve"), ("choice", "criteria"), ("picture", "picture")):
        show(page, tab)
        page.wait_for_selector(f"#{chart} .main-svg")
        found[chart] = buttons(page, chart)
    picture(page, "toolbar")
    page.check("#density")
    page.wait_for_selector("#picture .contourlayer path")
    found["density"] = buttons(page, "picture")
    page.uncheck("#columns input[value=x2]")
    calculate(page)
    page.wait_for_selector("#picture .barlayer path")
    found["line"] = buttons(page, "picture")
    assert found == dict.fromkeys(found, ZOOMING) and len(found) == 5


def test_plotly__knows_no_address_to_send_charts_to(page):
    calculate(page)
    for chart in ("picture", "curve"):
        show(page, chart)
        page.wait_for_selector(f"#{chart} .main-svg")
        context = page.evaluate(f"document.getElementById('{chart}')._context")
        assert (context["showSendToCloud"], context["plotlyServerURL"]) == (False, "")
        assert (context["displaylogo"], context["editable"]) == (False, False)


def test_page__cannot_open_windows_or_reach_other_servers(context, address):
    """A page of its own: what the browser refuses is an error in the console."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    assert page.evaluate("window.open('https://example.com/') === null")
    refused = page.evaluate(
        """async () => {
            const refused = [];
            const hear = (event) => refused.push(event.effectiveDirective);
            document.addEventListener("securitypolicyviolation", hear);
            new Image().src = "https://example.com/x.png";
            await fetch("https://example.com/").catch(() => null);
            await new Promise((done) => setTimeout(done, 200));
            return refused.sort();
        }"""
    )
    assert refused == ["connect-src", "img-src"]
    elsewhere = (
        "a[target], form[action], iframe, [href^='http'], [src^='http'], [href^='//'], [src^='//']"
    )
    assert page.locator(elsewhere).count() == 0


# --------------------------------------------------------------------------------- layout


def test_cards__say_what_distinguishes_a_component(page):
    page.click("[data-example=customers]")
    expect(page.locator("#data-note")).to_contain_text("350 rows")
    calculate(page)
    card = page.get_by_role("article", name="Component 0")
    expect(card).to_contain_text("65.7 %")
    expect(card).to_contain_text("231 rows; low average order value, high orders per month")
    expect(card).to_contain_text("39.78 ± 9.56")


def test_picture__is_in_sight_after_a_fit(page):
    page.set_viewport_size({"width": 1280, "height": 800})
    calculate(page)
    page.wait_for_timeout(300)
    box = page.locator("#picture").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= 800 and box["height"] > 300


def test_components__have_12_colors_and_12_symbols_in_either_theme(page):
    load(page, "many.csv", csv(np.random.default_rng(0).normal(size=(60, 2)), "ab"))
    expect(page.locator("#data-note")).to_contain_text("60 rows")
    page.fill("#k", "13")
    calculate(page)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        marks = page.eval_on_selector_all(
            "#cards h3 path",
            "all => all.map(one => [getComputedStyle(one).fill, one.getAttribute('d')])",
        )
        colors = [mark[0] for mark in marks]
        assert len({*colors[:12]}) == len({mark[1] for mark in marks[:12]}) == 12
        assert colors[12] == colors[0] and marks[12][1] != marks[0][1]
        distances = [
            np.linalg.norm(lab(one) - lab(other))
            for i, one in enumerate(colors[:12])
            for other in colors[:i]
        ]
        assert min(distances) > 0.06  # in OKLab, where 0.02 can just be told apart


def lab(color):
    """OKLab of a color as browsers write it (Ottosson 2020)."""
    rgb = np.array([int(part) for part in re.findall(r"\d+", color)[:3]]) / 255
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    cones = np.array([[0.4122214708, 0.5363325363, 0.0514459929],
                      [0.2119034982, 0.6806995451, 0.1073969566],
                      [0.0883024619, 0.2817188376, 0.6299787005]]) @ linear  # fmt: skip
    return np.array([[0.2104542553, 0.7936177850, -0.0040720468],
                     [1.9779984951, -2.4285922050, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.8086757660]]) @ np.cbrt(cones)  # fmt: skip


def test_targets__have_24_pixels(page):
    calculate(page)
    open_settings(page)
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        small = page.eval_on_selector_all(
            "button, summary, select, input, .button, nav a",
            """all => all.map(one => one.closest("label") ?? one)
                .filter(one => one.checkVisibility() && !one.closest("#grid, .modebar"))
                .map(one => [one, one.getBoundingClientRect()])
                .filter(([one, box]) => one.id !== "file" && (box.width < 24 || box.height < 24))
                .map(([one]) => one.outerHTML)""",
        )
        assert small == []


def test_tables__show_where_they_are_cut(page):
    load(
        page, "wide.csv", csv(np.ones((40, 30)) * np.arange(30), [f"column{j}" for j in range(30)])
    )
    place = page.locator("#grid-scroll")
    expect(place).to_have_class(re.compile("cut-right.*cut-below|cut-below.*cut-right"))
    first = page.locator("#grid tbody th").first
    before = first.bounding_box()["x"]
    place.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    expect(place).not_to_have_class(re.compile("cut-right"))
    assert first.bounding_box()["x"] == before


# -------------------------------------------------------------------------- whom it is for


def fits_in(page, width):
    """Wait until nothing is wider than the screen: a chart follows a change when it is drawn."""
    page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)


def test_fits_every_screen(page):
    calculate(page)
    for width in (360, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            fits_in(page, width)
            picture(page, f"{scheme}-{width}")


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: npm ci, in the project's folder")
def test_axe__finds_nothing(page):
    """Before a fit, with all that unfolds and an error, and in each tab of a result."""
    page.evaluate(AXE.read_text())
    assert barriers(page) == []
    page.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
    page.fill("#k", "")
    page.click("#calculate")
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    assert barriers(page) == []
    load(page, "three.csv", csv(mixture(90, 3, 2, separation=6.0)[0], "abc"))
    expect(page.locator("#data-note")).to_contain_text("90 rows")
    choose_for_me(page)
    page.fill("#k-to", "2")
    calculate(page)
    page.eval_on_selector("#learn", "one => one.remove()")  # seen before; most of axe-core's work
    tabs = page.get_by_role("tab")
    assert tabs.count() == 9
    assert barriers(page, "#results") == []
    for tab in tabs.all()[1:]:  # around them nothing changes
        tab.click()
        panel = page.locator("[role=tabpanel]:visible").get_attribute("id")
        assert barriers(page, "#tabs", f"#{panel}") == [], panel
    page.fill("#k-to", "3")
    expect(page.locator("#outdated")).to_be_visible()
    assert barriers(page, "#results") == []


def barriers(page, *parts):
    """What axe-core finds in either theme on a screen and a telephone: the rule, and the element.

    The themes differ in colors only. plotly draws its charts and their toolbars itself.
    """
    found = []
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme, rules in (("light", {}), ("dark", {"runOnly": OF_COLORS})):
            page.emulate_media(color_scheme=scheme)
            fits_in(page, width)
            violations = page.evaluate(
                """([include, rules]) => axe.run(
                    { include, exclude: [".modebar", ".main-svg"] },
                    { resultTypes: ["violations"], ...rules },
                ).then((result) => result.violations)""",
                [parts or ["html"], rules],
            )
            found += [
                f"{width} {scheme} {one['id']}: {node['html']} {node['failureSummary']}"
                for one in violations
                for node in one["nodes"]
            ]
    return found


def test_everything_has_a_name(page):
    calculate(page)
    nameless = page.eval_on_selector_all(
        "input, select, textarea, button, a, [role=img]",
        """all => all.filter(one => one.checkVisibility() && !one.closest(".modebar")
            && !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim()))
            .map(one => one.outerHTML)""",
    )
    assert nameless == []


def test_the_whole_road_by_keyboard(page):
    page.locator("#calculate").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_be_focused(timeout=FIRST_FIT)
    page.keyboard.press("Tab")
    expect(page.locator("#tab-picture-tab")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-profile")).to_be_visible()
    expect(page.locator("#tab-picture")).to_be_hidden()


def test_focus__is_never_behind_the_button_that_stays_below(page):
    page.set_viewport_size({"width": 1280, "height": 700})
    page.locator("#k").focus()
    bottom = "(document.activeElement.closest('label') ?? document.activeElement)"
    top = "document.querySelector('#go')"
    for _ in range(5):  # explanations, models and more settings
        page.keyboard.press("Tab")
        assert page.evaluate(
            f"{bottom}.getBoundingClientRect().bottom <= {top}.getBoundingClientRect().top"
        )
    page.keyboard.press("Tab")
    expect(page.locator("#calculate")).to_be_focused()


def test_pictures__of_many_columns(page):
    X = mixture(300, 4, 3, separation=6.0)[0]
    load(page, "four.csv", csv(X, "abcd"))
    expect(page.locator("#data-note")).to_contain_text("300 rows")
    page.fill("#k", "3")
    calculate(page)
    show(page, "pairs")
    page.wait_for_selector("#pairs .main-svg")
    expect(page.locator("#pairs .subplot")).to_have_count(10)  # six pairs and four histograms
    show(page, "profile")
    page.wait_for_selector("#profile .main-svg")
    expect(page.locator("#profile .scatterlayer .trace")).to_have_count(3)
    show(page, "uncertainty")
    expect(page.locator("#uncertainty-note")).to_contain_text("1 row (0.3 %) has more than 0.1")
    show(page, "covariances")
    page.check("#correlations")
    first = np.array(cells(page, "#matrices")[:4])
    np.testing.assert_array_equal(np.diag(first), 1)
    assert np.abs(first).max() == 1
    picture(page, "covariances")


# ------------------------------------------------------------------------------------ learn


def test_learn__numbers_of_the_examples_are_right(page):
    """One step of EM for 1, 2, 6, 7; and the bundled customers."""
    x, means, variances = np.array([1.0, 2.0, 6.0, 7.0]), np.array([2.0, 6.0]), np.full(2, 4.0)

    def e_step():
        distances = (x[:, None] - means) ** 2
        density = 0.5 * np.exp(-distances / (2 * variances)) / np.sqrt(2 * np.pi * variances)
        return np.log(density.sum(1)).sum(), density / density.sum(1, keepdims=True)

    before, resp = e_step()
    means = resp.T @ x / resp.sum(0)
    variances = (resp * (x[:, None] - means) ** 2).sum(0) / resp.sum(0)
    after, _ = e_step()
    text = page.locator("#learn").inner_text().replace("−", "-")
    for value in [*resp[:, 0]]:
        assert f"\t{value:.3f}" in text
    assert f"/ 2 = {means[0]:.2f}" in text and f"is {variances[0]:.2f}" in text
    assert f"second mean is {means[1]:.2f}" in text
    assert f"rises\nfrom {before:.2f} to {after:.2f}".replace("\n", " ") in text
    customers = load_customers().data
    fit = GaussianMixture(2, tol=1e-4, random_state=0, acceleration="auto").fit(customers)
    k = fit.weights_.argmax()
    assert f"{100 * fit.weights_[k]:.1f} %" in text and f"BIC is {fit.bic(customers):.1f}" in text
    assert f"orders of {fit.means_[k, 0]:.1f}" in text
    assert f"is {350 * fit.score(customers):.1f}, or {fit.score(customers):.2f} per row" in text


def test_learn__links_lead_to_inputs_and_to_answers(page):
    targets = page.eval_on_selector_all(
        "a[href^='#']", "all => all.map(one => one.getAttribute('href').slice(1))"
    )
    missing = [name for name in targets if page.locator(f"[id='{name}']").count() != 1]
    assert missing == [] and len({*targets}) > 20
    page.locator("#learn a[href='#n-init']").first.click()
    expect(page.locator("#n-init")).to_be_in_viewport()  # its settings have unfolded
    assert page.locator("#learn math").count() >= 7
