"""`invbi.toml`, typed. Every error is found and reported at once, with where, what, and how to mend it.

Secrets are never in the file: it names environment variables, and `Secret.read` looks at them late.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from invbi_pipeline.config.fits import (
    PLATFORM_KEYS,
    TELLS_BY_QUEUE,
    Problem,
    place_problems,
    platform_problems,
    reference_problems,
    serve_problems,
    twice_problems,
)
from invbi_pipeline.config.sections import (
    AlertConfig,
    BusinessConfig,
    FileSource,
    FindingsConfig,
    GuardConfig,
    Guards,
    LocationConfig,
    PolicyFiles,
    PublishConfig,
    Secret,
    Section,
    ServeConfig,
    StoreConfig,
    SystemConfig,
)
from invbi_pipeline.errors import ConfigError

__all__ = [
    "PLATFORM_KEYS",
    "TELLS_BY_QUEUE",
    "Config",
    "FileSource",
    "FindingsConfig",
    "GuardConfig",
    "Guards",
    "LocationConfig",
    "Problem",
    "PublishConfig",
    "Secret",
    "ServeConfig",
    "StoreConfig",
    "SystemConfig",
    "load_config",
    "platform_problems",
]


class Config(Section):
    business: BusinessConfig
    systems: Annotated[dict[str, SystemConfig], Field(min_length=1)]
    locations: dict[str, LocationConfig] = Field(default_factory=dict)
    policies: PolicyFiles = PolicyFiles()
    guards: Guards = Guards()
    publish: PublishConfig = PublishConfig()
    alerts: AlertConfig = AlertConfig()
    findings: FindingsConfig = FindingsConfig()
    serve: ServeConfig = ServeConfig()
    store: StoreConfig = StoreConfig()
    data_dir: str = "."
    path: Path = Path("invbi.toml")  # set by load_config

    @property
    def folder(self) -> Path:
        """The folder the configuration lies in; relative paths start here."""
        return self.path.parent

    @property
    def data(self) -> Path:
        """The folder where state is written."""
        return self.folder / self.data_dir

    def zone_of(self, location: str) -> ZoneInfo:
        """Return the time zone a location's business days are told in: its own, else the business's."""
        return ZoneInfo(self.locations[location].timezone or self.business.timezone)

    @model_validator(mode="after")
    def _fits_together(self) -> "Config":
        wrong = [p for name, place in self.locations.items() for p in place_problems(name, place, self.systems)]
        for name, system in self.systems.items():
            wrong += [*platform_problems(name, system), *reference_problems(name, system, self.locations)]
        for name in self.guards.channels:
            if name not in self.systems or not self.systems[name].sells:
                channels = ", ".join(n for n, s in self.systems.items() if s.sells) or "none"
                wrong.append((f"guards.channels.{name}", f"no channel is called {name!r}", f"use one of: {channels}"))
        wrong += [*twice_problems(self.systems), *serve_problems(self.serve, self.systems)]
        if wrong:  # one error that holds them all: pydantic lets a validator raise only once
            said = "; ".join(f"{where}: {what}" for where, what, _ in wrong)
            raise PydanticCustomError("misfits", "{said}", {"said": said, "problems": wrong})
        return self


_MEND = {
    "missing": "add it",
    "extra_forbidden": "remove it, or correct its spelling",
    "enum": "use one of the words listed",
    "literal_error": "use one of the words listed",
    "web_address": "write the whole address, or remove the key",
    "bare_address": "remove them; a secret goes where an environment variable names it",
}


def load_config(path: Path | str, environ: Mapping[str, str] | None = None) -> Config:
    """Read and check the configuration.

    Raises `ConfigError` whose `problems` hold (file and key, what was expected, how to mend it) for every trouble at once.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as trouble:
        raise ConfigError(
            f"Cannot read {file}: {trouble.strerror}.",
            [(str(file), "a readable configuration file", "run `invbi init`, or name another with --config")],
        ) from trouble
    except UnicodeDecodeError as trouble:
        raise ConfigError(f"{file} is not UTF-8 text.", [(str(file), "UTF-8 text", "save it as UTF-8")]) from trouble
    try:
        raw: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as trouble:
        raise ConfigError(
            f"{file} is not valid TOML: {trouble}.", [(str(file), str(trouble), "correct the line named")]
        ) from trouble
    try:
        return Config.model_validate({**raw, "path": file.resolve()})
    except ValidationError as trouble:
        errors = trouble.errors(include_url=False, include_input=False)
        problems = [problem for error in errors for problem in _problems(file, dict(error))]
        raise ConfigError(f"{file} has {len(problems)} error{'s' * (len(problems) != 1)}.", problems) from None


def _problems(file: Path, error: dict[str, Any]) -> list[Problem]:
    if error["type"] == "misfits":
        return [(f"{file}: {where}", what, mend) for where, what, mend in error["ctx"]["problems"]]
    where = ".".join(str(part) for part in error["loc"]) or "(whole file)"
    what = str(error["msg"]).removeprefix("Value error, ")
    return [(f"{file}: {where}", what, _MEND.get(str(error["type"]), "correct the value"))]
