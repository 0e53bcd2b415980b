import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis import compile_study
from handssl.errors import ConfigError
from tests.analysis.conftest import Make, StudyMaker

VOID = {"meta", "input", "br", "hr", "link", "img"}


class Outline(HTMLParser):
    """Checks that tags nest, and collects what a reader of the page depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag in ("script", "link", "img", "iframe"):
            self.loads += [str(found[key]) for key in ("src", "href") if key in found]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = StudyMaker(folder=tmp_path_factory.mktemp("results") / "embedded")
    study.add_grid(repeats=2, errors=True)
    study.add("T", "contrastive", repeat=7, status="failed",
              changes={"error": {"type": "X</script>", "message": "<b>&"}})  # fmt: skip
    study.write_study(command="python search/run_grid.py study.name='<embedded>'")
    return compile_study(study.folder).html


def test_the_report_nests_and_its_outline_has_no_gap(report: Path) -> None:
    outline = Outline()
    outline.feed(report.read_text())
    assert outline.open == []
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert all(after - before <= 1 for before, after in steps)
    assert len(outline.ids) == len(set(outline.ids))


def test_the_report_loads_nothing_and_its_links_lead_somewhere(report: Path) -> None:
    outline = Outline()
    text = report.read_text()
    outline.feed(text)
    assert outline.loads == []
    assert not re.search(r"@import|url\(\s*['\"]?(?:http|//)", text)
    for link in outline.links:
        if link.startswith("#"):
            assert link[1:] in outline.ids, link
        else:
            assert (report.parent / link).exists(), link


def test_every_trial_is_listed_with_a_path_to_its_record(report: Path) -> None:
    found = re.search(r'id="trial-data">(.*?)</script>', report.read_text(), re.S)
    assert found
    rows = json.loads(found[1])
    assert len(rows) == 61
    assert all((report.parent / row[11]).is_file() for row in rows)
    assert rows[-1][12] == "X</script>: <b>&"


def test_the_report_says_how_to_reproduce_it_and_escapes_what_it_quotes(report: Path) -> None:
    text = report.read_text()
    assert "study.name=&#39;&lt;embedded&gt;&#39;" in text
    assert "git checkout 0123abcd" in text
    assert "A demonstration, not evidence." in text
    assert "<b>&" not in text.replace("\\u003cb>&", "")
    assert "<code>python search/run_transfer.py study=lowshot</code>" in text


def test_the_same_records_give_the_same_report_twice(report: Path) -> None:
    before = report.read_bytes()
    compile_study(report.parent.parent)
    assert report.read_bytes() == before


def test_an_empty_running_study_still_makes_a_report(make_study: Make) -> None:
    study = make_study()
    study.plan.append({"trial": "t0", "objective": "contrastive", "composition": "T"})
    study.write_study()
    report = compile_study(study.folder)
    assert "nothing has finished yet" in report.html.read_text()
    assert report.table("table1_best").rows[0][1].text == "not run"
    assert "Not complete: 0 trials so far, 1 not started." in report.html.read_text()


def test_what_is_missing_and_what_is_broken_is_said_at_the_top(make_study: Make) -> None:
    study = make_study()
    study.add_grid(("contrastive",))
    (study.folder / "trials" / "t00003" / "record.json").write_text("{")
    (study.folder / "trials" / "t00004" / "record.json").unlink()
    study.plan.append({"trial": "t99", "objective": "contrastive", "composition": "T"})
    study.write_study()
    top = compile_study(study.folder).html.read_text().partition("<nav")[0]
    assert "Not complete: 13 trials so far, 1 running or interrupted, 1 not started." in top
    assert ">1 problem</a> with files" in top


@pytest.mark.parametrize(
    "description",
    [
        {"schema": 1},
        {"plan": {"a": 1}, "config": [1], "data": None, "git": "main", "versions": 3, "command": 7,
         "fidelity": "low", "name": ["x"], "created_at": None},
        {"plan": [1, {"trial": None}, {"composition": 3}], "config": {"search": {"kind": 4}},
         "data": {"images_val": "many"}, "fidelity": {"label": 3, "images": "few"}},
    ],
)  # fmt: skip
def test_a_description_that_lacks_keys_or_has_odd_ones_is_no_obstacle(
    make_study: Make, description: dict[str, object]
) -> None:
    study = make_study()
    study.add("T")
    (study.folder / "study.json").write_text(json.dumps(description))
    assert "T has the lowest median error" in compile_study(study.folder).html.read_text()


def test_an_unknown_table_is_refused_with_the_names(make_study: Make) -> None:
    study = make_study()
    study.add("T")
    study.write_study()
    with pytest.raises(ConfigError, match="table1_best"):
        compile_study(study.folder).table("table10")
