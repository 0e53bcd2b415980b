"""From records to tables, figures and a report; imports neither torch nor Ray.

Use `python -m analysis results/<study>` on the command line, `compile_study` in a program.
"""

from analysis.compilation import Report, compile_study
from analysis.reading import read_studies, read_study
from analysis.records import Problem, Record, Study

__all__ = [
    "Problem",
    "Record",
    "Report",
    "Study",
    "compile_study",
    "read_studies",
    "read_study",
]
