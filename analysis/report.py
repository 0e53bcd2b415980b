"""`report.html`: one file, no network, readable without scripts except the list of trials."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from analysis.chapters import Chapter
from analysis.compact import is_compact
from analysis.figures import inline_svg
from analysis.metrics import rank_by
from analysis.records import Problem, Study
from analysis.tables import Table
from analysis.trials import COLUMNS, NUMERIC, trial_rows


def _script_json(value: object) -> Markup:
    """JSON for a script element, escaped so that no text can close the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - escaped in this line


def _typeset(plain: str) -> Markup:
    """A sentence with real minus signs, unbroken equations and `code` elements."""
    text = re.sub(r"(?<![\w.])-(?=\d)", "−", str(escape(plain)))
    text = re.sub(r"(?<=\w) (=|&lt;) (?=[\d+−])", "\u00a0\\1\u00a0", text)
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", text))  # noqa: S704 - escaped above


def _pretty(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = lambda drawing: Markup(inline_svg(drawing))  # noqa: S704
    environment.filters["script_json"] = _script_json
    environment.filters["typeset"] = _typeset
    environment.filters["pretty"] = _pretty
    return environment


def write_report(
    path: Path,
    *,
    studies: Sequence[Study],
    chapters: Sequence[Chapter],
    coverage: Table,
    problems: Mapping[str, Sequence[Problem]],
) -> Path:
    """Write the report and return its path."""
    template = _environment().get_template("report.html.j2")
    names = ", ".join(study.name for study in studies)
    command = "python -m analysis " + " ".join(shlex.quote(s.source.uri) for s in studies)
    if studies[0].metric != rank_by(studies)[0].metric:
        command += f" --metric {studies[0].metric.name}"
    html = template.render(
        title=names,
        studies=studies,
        chapters=chapters,
        coverage=coverage,
        problems=problems,
        command=command,
        trial_columns=COLUMNS,
        trial_numbers=NUMERIC,
        whole=not any(map(is_compact, studies)),
        trials=trial_rows(studies, path.parent.absolute()),
    )
    path.write_text(html, encoding="utf-8")
    return path
