"""From records to tables, figures and a report; knows neither Ray nor the rest of the project.

`python -m analysis results/<study>` on the command line, `compile_study` from a program.
"""

from analysis.compilation import Report, compile_study
from analysis.errors import RecordsError
from analysis.reading import read_studies, read_study
from analysis.records import Problem, Record, Study

__all__ = [
    "Problem",
    "Record",
    "RecordsError",
    "Report",
    "Study",
    "compile_study",
    "read_studies",
    "read_study",
]
