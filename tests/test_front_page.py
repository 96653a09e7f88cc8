"""The numbers of the front page and README, against the page that the benchmarks write."""

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
REPORT = (CHECKOUT / "docs" / "performance.md").read_text()
PAGES = [CHECKOUT / "docs" / "index.md", CHECKOUT / "README.md"]
NUMBERS = re.compile(r"\*\*(?:1/)?(\d+) (?:times faster|of the memory)\*\*")


def cells(section, line):
    """The cells of a line of the report, without the range of each."""
    text = REPORT.split(f"## {section}\n")[1].split("\n## ")[0]
    found = re.search(rf"^\| {re.escape(line)} \|(.*)\|$", text, re.MULTILINE)
    return [cell.split("(")[0].strip(" *") for cell in found[1].split("|")]


@pytest.mark.quick
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_front_page__numbers_are_those_of_the_report(page):
    iteration, search, memory = (float(number) for number in NUMBERS.findall(page.read_text()))
    line = "iteration, full, 100k x 32, K=32: scikit-learn / gmmfast"
    assert float(cells("One EM iteration", line)[0]) >= iteration
    mean = cells("Choosing a model", "search, geometric mean: mclust / gmmfast")
    assert float(mean[0]) >= search
    as_low = cells("Choosing a model", "searches, of 10 with a BIC as low from every seed")
    assert float(as_low[0]) == 10
    _, ours, _, theirs = cells("Peak memory", "1M x 10, K=10")
    assert float(theirs) / float(ours) >= memory
