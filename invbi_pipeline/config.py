"""`invbi.toml`, typed. Every error is found and reported at once, with where, what, and how to mend it.

Secrets are never in the file: it names environment variables, and `Secret.read` looks at them late.
Times in durations are seconds unless the key says otherwise; money is in the reporting currency.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from invbi_pipeline.domain.words import Absorbs, Basis, Dataset, LocationKind, Mode, Role
from invbi_pipeline.errors import ConfigError

__all__ = [
    "PLATFORM_KEYS",
    "Config",
    "FileSource",
    "GuardConfig",
    "LocationConfig",
    "Problem",
    "PublishConfig",
    "Secret",
    "SystemConfig",
    "load_config",
    "platform_problems",
]

Problem = tuple[str, str, str]  # where, what was expected, how to mend it

# The keys that a platform cannot be called without: of each group one. Its module is a row of `channels.registry.PLATFORMS`.
PLATFORM_KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "shopify": (("account", "base_url"),),
    "square": (),
    "amazon": (("account",), ("marketplace",)),
    "files": (("files",),),
}
_CALLED_BY_ACCOUNT: Final = ("shopify",)  # without a base URL the account is the host that is called
_HOST: Final = r"[\w-]+(\.[\w-]+)+(:\d+)?"
_KEYS_MEANING: Final = {
    "account": "the account's name or address",
    "marketplace": "the id of one marketplace",
    "files": "at least one dataset",
}

Units = Annotated[int, Field(ge=0)]
BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[float, Field(ge=0)]


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        plain = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that is no number
        plain = False
    if not plain or any(c.isspace() for c in value):  # the value is not repeated: an address may hold a password
        raise PydanticCustomError(
            "web_address", "expected an address that begins with https:// or http:// (without the key: the platform's own)"
        )
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"{value!r} is not a time zone; expected a name such as Europe/London")
    return value


WebAddress = Annotated[str, AfterValidator(_web_address)]  # checked where it is given; the default is an empty one
TimeZone = Annotated[str, AfterValidator(_time_zone)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Strict):
    """A secret by the name of the environment variable that holds it. Its value is never stored, printed or compared."""

    env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]

    def read(self) -> str:
        """Return the value now. Raises `ConfigError` naming the variable when it is not set."""
        value = os.environ.get(self.env, "")
        if not value:
            raise ConfigError(
                f"The environment variable {self.env} is not set.",
                [(self.env, "a secret is missing", f"export {self.env}=... before you start invbi")],
            )
        return value


class FileSource(_Strict):
    """How to read one dataset from files that some system exports (legacy ERP, WMS, 3PL, marketplace report)."""

    path: str  # a glob, relative to the configuration file; the newest match wins unless `all_matches`
    all_matches: bool = False
    format: Literal["auto", "csv", "tsv", "xlsx", "jsonl", "parquet"] = "auto"
    columns: dict[str, str]  # our column -> the file's header
    constants: dict[str, str] = {}  # our column -> a fixed value
    status: dict[str, str] = {}  # the file's status text (case and outer spaces ignored) -> our word
    skip_rows: Units = 0
    header: Literal["auto", "first", "none"] = "first"  # auto: the first row that names every mapped column
    until: str = ""  # tables stacked in one file: this one ends before the first row that has a field of exactly this text
    sheet: str = ""
    encoding: str = "utf-8"
    delimiter: str = ""
    date_format: str = ""  # strptime format; empty: ISO 8601
    timezone: str = "UTC"
    keep_last: bool = False  # true: a repeated key is replaced by its last row (with the others quarantined as duplicate)


class SystemConfig(_Strict):
    """A connection to one platform account."""

    platform: str
    roles: tuple[Role, ...]
    mode: Mode = Mode.OBSERVE
    base_url: WebAddress = ""
    account: str = ""  # shop domain, seller id, ...
    marketplace: str = ""  # Amazon marketplace id
    secrets: dict[str, Secret] = {}
    absorbs: Absorbs = Absorbs.OWN
    basis: Basis = Basis.NET  # read for `files`; API platforms state theirs as a fact
    booking_lag_s: Seconds = 3600.0  # how long the owner may take to book what happened
    max_age_s: Seconds = 1800.0  # an owner's number older than this holds every push that hangs on it
    order_lag_s: Seconds | None = None  # floors; None: the platform's own fact
    read_lag_s: Seconds | None = None
    visibility_lag_s: Seconds | None = None
    locations: dict[str, str] = {}  # the platform's location key -> our location
    default_location: str = ""  # where a system without locations keeps its stock (counts), or ships from
    sells_from: tuple[str, ...] = ()  # our locations this channel may promise from
    sku_fallback: bool = True  # a raw SKU that equals a master sku maps exactly; false: only the map does
    files: dict[str, FileSource] = {}  # dataset (listings, stock, orders, movements) -> source

    @property
    def counts(self) -> bool:
        return Role.COUNTS in self.roles

    @property
    def sells(self) -> bool:
        return Role.SELLS in self.roles

    @field_validator("files")
    @classmethod
    def _known_datasets(cls, value: dict[str, FileSource]) -> dict[str, FileSource]:
        wrong = sorted(set(value) - {str(d) for d in Dataset})
        if wrong:
            raise ValueError(f"unknown dataset {wrong[0]!r}; expected one of {', '.join(Dataset)}")
        return value


class LocationConfig(_Strict):
    """A physical place. Exactly one system owns its counts."""

    kind: LocationKind
    counted_by: str
    safety_stock: Units = 0
    timezone: Annotated[str, AfterValidator(lambda value: value and _time_zone(value))] = ""  # empty: the business's
    sellable: bool = True


class BusinessConfig(_Strict):
    name: str
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "GBP"
    timezone: TimeZone = "UTC"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class PolicyFiles(_Strict):
    """CSV files beside the configuration; every one optional. `data/README.md` lists their columns."""

    sku_map: str = ""
    kits: str = ""
    policies: str = ""
    prices: str = ""
    rates: str = ""


class GuardConfig(_Strict):
    """Limits a careful merchant would choose. Each can be narrowed for one channel under `[guards.channels.NAME]`."""

    max_changed_share_bp: BasisPoints = 2000  # of a channel's comparable points in one plan
    max_zeroed_share_bp: BasisPoints = 500  # of a channel's points that show more than 0 now
    min_points_for_share: Units = 50  # smaller channels are judged by the other guards
    max_change_units: Units = 500
    hold_first_look_raises: bool = True
    two_looks_for_raises: bool = True
    feed_min_volume_bp: BasisPoints = 7000  # of the last believed batch; below it the feed is truncated
    feed_max_zeroed_bp: BasisPoints = 2000  # of points that were above 0; above it the feed is a mass zero


class Guards(GuardConfig):
    channels: dict[str, GuardConfig] = {}

    def for_channel(self, system: str) -> GuardConfig:
        return self.channels.get(system, self)


class SheetsConfig(_Strict):
    spreadsheet_id: str
    credentials: Secret  # service-account JSON, or in the sandbox a bearer token
    base_url: WebAddress = ""  # without it: Google's own


class PublishConfig(_Strict):
    sheets: SheetsConfig | None = None
    xlsx: str = "dashboard.xlsx"  # relative to data_dir; empty: not written
    html: str = "dashboard.html"


class AlertConfig(_Strict):
    urls: tuple[Secret, ...] = ()  # apprise addresses
    quiet_s: Seconds = 3600.0


class StoreConfig(_Strict):
    warehouse: str = "warehouse.duckdb"  # relative to data_dir
    state_url: str = "sqlite:///state.db"  # SQLAlchemy; a relative SQLite path is relative to data_dir
    keep_raw_days: Units = 30
    wait_s: Seconds = 20.0


class Config(_Strict):
    business: BusinessConfig
    systems: Annotated[dict[str, SystemConfig], Field(min_length=1)]
    locations: dict[str, LocationConfig] = {}
    policies: PolicyFiles = PolicyFiles()
    guards: Guards = Guards()
    publish: PublishConfig = PublishConfig()
    alerts: AlertConfig = AlertConfig()
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

    @model_validator(mode="after")
    def _fits_together(self) -> "Config":
        wrong = [p for name, place in self.locations.items() for p in _place_problems(name, place, self.systems)]
        for name, system in self.systems.items():
            wrong += [*platform_problems(name, system), *_reference_problems(name, system, self.locations)]
        for name in self.guards.channels:
            if name not in self.systems or not self.systems[name].sells:
                channels = ", ".join(n for n, s in self.systems.items() if s.sells) or "none"
                wrong.append((f"guards.channels.{name}", f"no channel is called {name!r}", f"use one of: {channels}"))
        if wrong:  # one error that holds them all: pydantic lets a validator raise only once
            said = "; ".join(f"{where}: {what}" for where, what, _ in wrong)
            raise PydanticCustomError("misfits", "{said}", {"said": said, "problems": wrong})
        return self


def platform_problems(name: str, system: SystemConfig) -> list[Problem]:
    """Return what a system's platform cannot be called without and is not there; an unknown platform is one problem."""
    where = f"systems.{name}"
    if system.platform not in PLATFORM_KEYS:
        known = ", ".join(sorted(PLATFORM_KEYS))
        what = f"{system.platform!r} is no platform; expected one of {known}"
        return [(f"{where}.platform", what, "correct its spelling")]
    if (
        system.account
        and not system.base_url
        and system.platform in _CALLED_BY_ACCOUNT
        and not re.fullmatch(_HOST, system.account)
    ):
        return [(f"{where}.account", "expected a host name such as my-shop.myshopify.com", "correct it, or add base_url")]
    lacking = [keys for keys in PLATFORM_KEYS[system.platform] if not any(getattr(system, key) for key in keys)]
    return [
        (f"{where}.{keys[0]}", f"{system.platform} needs {_KEYS_MEANING[keys[0]]}", f"add {', or '.join(keys)}")
        for keys in lacking
    ]


def _place_problems(name: str, place: LocationConfig, systems: Mapping[str, SystemConfig]) -> list[Problem]:
    where, owner = f"locations.{name}.counted_by", systems.get(place.counted_by)
    if owner is None:
        counting = ", ".join(n for n, s in systems.items() if s.counts) or "none: give one the role 'counts'"
        return [(where, f"no system is called {place.counted_by!r}", f"use one that counts: {counting}")]
    if not owner.counts:
        mend = f"add 'counts' to systems.{place.counted_by}.roles, or name another system"
        return [(where, f"{place.counted_by!r} has not the role 'counts'", mend)]
    return []


def _reference_problems(name: str, system: SystemConfig, places: Mapping[str, LocationConfig]) -> list[Problem]:
    where, problems = f"systems.{name}", list[Problem]()
    if not system.roles:
        problems.append((f"{where}.roles", "it has no role", f"name at least one of {', '.join(Role)}"))
    mend = f"use one of: {', '.join(places)}" if places else "add [locations.NAME]"
    named = [(f"locations.{key!r}", place) for key, place in system.locations.items()]
    named += [("sells_from", place) for place in system.sells_from]
    named += [("default_location", system.default_location)] * bool(system.default_location)
    problems += [(f"{where}.{key}", f"no location is called {place!r}", mend) for key, place in named if place not in places]
    first = {place: key for key, place in reversed(system.locations.items())}
    return problems + [  # two numbers for one shelf: which of them would be compared?
        (f"{where}.locations.{key!r}", f"{first[place]!r} is {place!r} already", "give each its own location, or remove one")
        for key, place in system.locations.items()
        if place in places and key != first[place]
    ]


_MEND = {
    "missing": "add it",
    "extra_forbidden": "remove it, or correct its spelling",
    "enum": "use one of the words listed",
    "literal_error": "use one of the words listed",
    "web_address": "write the whole address, or remove the key",
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
