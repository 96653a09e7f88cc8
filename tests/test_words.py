"""The words of code and documentation: American spelling, and phrases that a reader knows."""

import re
import tokenize
from pathlib import Path

import pytest

import gmmfast

pytestmark = pytest.mark.quick

PACKAGE = Path(gmmfast.__file__).parent
CHECKOUT = Path(__file__).parent.parent

BRITISH = re.compile(
    r"""
    \w* (?: centr(?:e[sd]?\b|es?_|ing) | colour | neighbour | behaviour | favour | honour | labour
      | cancell(?:ed|ing) | labell(?:ed|ing) | modell | travell | signall | totall(?:ed|ing)
      | \bgrey | metres?\b | fibre | artefact | catalogue | analogue | judgement | learnt | spelt
      | whilst | amongst | \btowards\b | \bafterwards\b | \bmaths\b | per[\s#]+cent\b | licence
      | defence | analys(?:e[sd]?|ing)\b
      | (?: optim | maxim | minim | initial | normal | regular | standard | penal | recogn | factor
        | organ | real | summar | general | special | parallel | vector | serial | random | token
        | util | visual | symbol | emphas | quant | categor | character | orthogonal | diagonal
        | linear | stabil | marginal | synchron | memor | parametr | parameter | discret | local
        ) is(?:e[srd]?|ing|ation)\b
    ) \w*
    """,
    re.IGNORECASE | re.VERBOSE,
)
ALLOWED = re.compile(
    r"CancelledError|labelledby|\"Labour\"|\| Labour \||capital labour|Robust mixture modelling"
)  # of Dask, HTML and R, and in a title

# the phrase, in place of it
PHRASES = {
    "nats a row": "nats per row",
    "a row a candidate": "one row per candidate",
    "a matrix a component": "one matrix per component",
    "one a (?:feature|column|line|row)": "one per ...",
    "one (?:matrix|task|thread|variance) a (?:component|partition|row|worker)": "one ... per ...",
    "for this there": "there",
    "whereof|thereof|hereof": "of it",
    "all that (?:is|was|were)": "everything that",
    "[0-9]+ bytes? a row": "bytes per row",
    "at the most": "at most",
    "at the least": "at least",
    "all else": "everything else",
    "else than": "other than",
    "in one go": "at once",
    "as one likes": "arbitrarily",
    "(?:is|are|was|were) told": "is reported",
    "dear(?:er|est)?": "expensive",
    "gained so far": "the total gain",
    "may be worth to": "may pay",
    "what the process is at": "the current job",
    "ones? that": "name the thing",
    "those of": "name the thing",
    "may not be what": "invalid",
}
AVOIDED = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b".replace(" ", r"[\s#]+"), re.IGNORECASE)

TEXT = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def prose_of(path):
    """Docstrings, comments and messages of a module, on their lines; all of another file."""
    if path.suffix != ".py":
        return path.read_text()
    lines = [""] * (path.read_text().count("\n") + 1)
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in TEXT:
                for i, text in enumerate(token.string.split("\n"), token.start[0] - 1):
                    lines[i] += text
    return "\n".join(lines)


def found(pattern, text):
    """What a pattern finds, also across the end of a line, and where."""
    text = ALLOWED.sub("", text)
    for match in pattern.finditer(text):
        line = 1 + text.count("\n", 0, match.start())
        yield f"line {line}: {' '.join(match[0].split())}"


def name_of(path):
    return str(path.relative_to(PACKAGE.parent if path.is_relative_to(PACKAGE) else CHECKOUT))


SOURCES = [*sorted(PACKAGE.rglob("*.py")), *sorted(CHECKOUT.glob("benchmarks/*.py"))]
PAGE = sorted(path for path in (PACKAGE / "calculator" / "static").glob("*") if path.is_file())
DOCS = [path for path in sorted((CHECKOUT / "docs").rglob("*.md")) if "_build" not in path.parts]
DOCS += [CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md", *CHECKOUT.glob("benchmarks/*.md")]
DOCS += sorted(path for path in CHECKOUT.glob("docs/examples/*") if path.is_file())
TESTS = sorted(set(CHECKOUT.glob("tests/*.py")) - {Path(__file__)})


@pytest.mark.parametrize("path", [*SOURCES, *PAGE, *DOCS], ids=name_of)
def test_phrases__are_plain_english(path):
    assert not [*found(AVOIDED, prose_of(path))]


@pytest.mark.parametrize("path", [*SOURCES, *PAGE, *DOCS, *TESTS], ids=name_of)
def test_spelling__is_american(path):
    assert not [*found(BRITISH, path.read_text())]


@pytest.mark.parametrize(
    "text", ["the centre of", "centre_shift", "nearest_neighbours", "Standardise", "per\n# cent"]
)
def test_spelling__british_words_are_found(text):
    assert len([*found(BRITISH, text)]) == 1


@pytest.mark.parametrize("text", ["passes at the\n# most", "Nats a row", "tiles, dear and cheap"])
def test_phrases__are_found(text):
    assert len([*found(AVOIDED, text)]) == 1


@pytest.mark.parametrize(
    "word", ["otherwise", "promise", "stepwise", "central", "analysis", "gray"]
)
def test_spelling__similar_words_are_left(word):
    assert not [*found(BRITISH, word)]
