"""study.json: the description of a study, from which records and captions quote."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from handssl.errors import DataError
from handssl.records.record import SCHEMA, check_schema

_MAPPINGS = ("fidelity", "data", "versions", "git", "config")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyDescription:
    """A study as its study.json describes it.

    Attributes:
        name: Its name, which is that of its folder.
        command: The command line that ran it.
        created_at: UTC, ISO 8601.
        fidelity: Label, number of images, epochs, size and encoder.
        data: Name, fingerprint and size of the data set.
        versions: Versions of the libraries.
        git: Revision of the code.
        plan: The planned trials: trial, hash, objective, composition, seed, repeat.
        config: The configuration.
    """

    name: str = ""
    command: str = ""
    created_at: str = ""
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)
    plan: Sequence[Mapping[str, Any]] = ()
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"schema": SCHEMA, **values}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any], *, file: object = "study.json") -> Self:
        """A description from its JSON form; missing fields are empty.

        Raises:
            DataError: The schema is newer, or a field has the wrong type.
        """
        check_schema(value, file)
        names = {f.name for f in dataclasses.fields(cls)}
        values = {name: item for name, item in value.items() if name in names and item is not None}
        for name, item in values.items():
            kind = Mapping if name in _MAPPINGS else list if name == "plan" else str
            if not isinstance(item, kind):
                raise DataError(f"{file} must be a description, but got {name}={item!r}")
        return cls(**values | {"plan": tuple(values.get("plan", ()))})
