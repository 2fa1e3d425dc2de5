"""The sections of `invbi.toml`, each with its keys, their bounds and their defaults.

Times in durations are seconds unless the key says otherwise; money is in the reporting currency.
"""

import os
from datetime import time
from functools import cache
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from invbi_pipeline.domain.words import Absorbs, Basis, Dataset, LocationKind, Mode, Role, Severity
from invbi_pipeline.errors import ConfigError

__all__ = [
    "AlertConfig",
    "BusinessConfig",
    "FileSource",
    "FindingsConfig",
    "GuardConfig",
    "Guards",
    "LocationConfig",
    "PolicyFiles",
    "PublishConfig",
    "Secret",
    "Section",
    "ServeConfig",
    "SheetsConfig",
    "StoreConfig",
    "SystemConfig",
    "time_zones",
]

Units = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000)]
Days = Annotated[int, Field(strict=True, ge=0, le=36_500)]
BasisPoints = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Seconds = Annotated[float, Field(ge=0, le=3_153_600_000)]  # a hundred years: no date is out of reach, and it is as good as never


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
    if "@" in parts.netloc or "?" in value or "#" in value:  # others are told it, or a path is added to it
        raise PydanticCustomError(
            "bare_address", "expected an address of host, port and path alone, without ? and #, a user or a password"
        )
    return value


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones: their files are searched for once."""
    return frozenset(available_timezones())


def _time_zone(value: str) -> str:
    if value not in time_zones():
        raise ValueError(f"{value!r} is not a time zone; expected a name such as Europe/London")
    return value


def _time_of_day(value: object) -> time:
    """Read a whole minute of the day, as text or as TOML's own local time."""
    wrong = ValueError(f"{str(value)[:20]!r} is no time of day; expected hours and minutes such as 04:00")
    try:
        told = time.fromisoformat(value) if isinstance(value, str) and ":" in value else value
    except ValueError:
        raise wrong from None
    if not isinstance(told, time) or told.tzinfo is not None or told.second or told.microsecond:
        raise wrong
    return told


WebAddress = Annotated[str, AfterValidator(_web_address)]  # checked where it is given; the default is an empty one
TimeZone = Annotated[str, AfterValidator(_time_zone)]


class Section(BaseModel):
    """Keys that are not known are refused; what was read does not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Section):
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


class FileSource(Section):
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


class SystemConfig(Section):
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
    revisions_a_day: Annotated[int, Field(ge=1)] | None = None  # most changes of one listing; None: the platform's own fact
    connect_unstocked: bool = False  # Shopify: a correction may stock an item at a location that does not stock it yet
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


class LocationConfig(Section):
    """A physical place. Exactly one system owns its counts."""

    kind: LocationKind
    counted_by: str
    safety_stock: Units = 0
    timezone: Annotated[str, AfterValidator(lambda value: value and _time_zone(value))] = ""  # empty: the business's
    day_ends: Annotated[time, BeforeValidator(_time_of_day)] = time(0)  # local: what moves before it is the day before's
    sellable: bool = True


class BusinessConfig(Section):
    name: str
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "GBP"
    timezone: TimeZone = "UTC"
    unpaid_days: Days = 7  # an order that nobody paid or released for so long holds its units in vain,
    unshipped_days: Days = 14  # ... one of which nothing (more) was shipped,
    on_hold_days: Days = 30  # ... and one that somebody stopped
    restock_hours: Annotated[int, Field(ge=0, le=876_000)] = 24  # from goods' coming back to their being booked
    transit_days: Days = 3  # from one shelf of ours to another

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class PolicyFiles(Section):
    """CSV files beside the configuration; every one optional. `data/README.md` lists their columns."""

    sku_map: str = ""
    kits: str = ""
    policies: str = ""
    prices: str = ""
    rates: str = ""


class GuardConfig(Section):
    """Limits a careful merchant would choose. Each can be narrowed for one channel under `[guards.channels.NAME]`."""

    max_changed_share_bp: BasisPoints = 2000  # of a channel's comparable points in one plan
    max_zeroed_share_bp: BasisPoints = 500  # of a channel's points that show more than 0 now
    min_points_for_share: Units = 50  # smaller channels are judged by the other guards
    max_change_units: Units = 500
    hold_first_look_raises: bool = True
    two_looks_for_raises: bool = True
    late_orders_s: Seconds = 1800.0  # so late may orders be where several numbers fell and none was as late before; 0: never
    max_changed_small_bp: BasisPoints = 5000  # the share of changes for a channel below min_points_for_share, from ten on
    max_zeroed_small_bp: BasisPoints = 2500  # the same share for a channel below min_points_for_share, from five numbers on
    zeroed_within_s: Seconds = 3600.0  # what nobody bought and was sent to 0 so long ago counts into the same shares; 0: never
    hold_stale_owner: bool = True  # a raise that hangs on an owner's number older than its max_age_s
    hold_doubted_identity: bool = True
    second_writer_after: Units = 2  # of our pushes in a row that something unexplained wrote over; 0: never
    frozen_after: Units = 2  # effects and pushes in a row that did not move the number; 0: never
    hold_undone: bool = True  # what a person took back is not done again without a person
    feed_min_volume_bp: BasisPoints = 7000  # of the last believed batch; below it the feed is truncated
    feed_max_zeroed_bp: BasisPoints = 2000  # of points that were above 0; above it the feed is a mass zero


class Guards(GuardConfig):
    channels: dict[str, GuardConfig] = {}

    def for_channel(self, system: str) -> GuardConfig:
        """Return the limits of one channel: its own where it names them, else those of all."""
        named = self.channels.get(system)
        own = {name: getattr(named, name) for name in named.model_fields_set} if named else {}
        return GuardConfig(**{**{name: getattr(self, name) for name in GuardConfig.model_fields}, **own})


class SheetsConfig(Section):
    spreadsheet_id: str
    credentials: Secret  # service-account JSON, or in the sandbox a bearer token
    base_url: WebAddress = ""  # without it: Google's own


class PublishConfig(Section):
    sheets: SheetsConfig | None = None
    xlsx: str = "dashboard.xlsx"  # relative to data_dir; empty: not written
    html: str = "dashboard.html"


class AlertConfig(Section):
    urls: tuple[Secret, ...] = ()  # apprise addresses
    quiet_s: Seconds = 3600.0  # what is alike is told once in this time
    remind_s: Seconds = 86400.0  # what stands is told again this often
    settled_s: Seconds = 900.0  # what was gone for so long is over
    heartbeat: Secret | None = None  # an address that is called after every run; its watcher notices when that stops
    silent_after_s: Seconds = 3600.0  # `invbi check` says when no run has ended for longer


class FindingsConfig(Section):
    """When a finding is due unless a person says otherwise: at the end of the day that many days after it opened."""

    due_days: dict[Severity, Annotated[int, Field(ge=0, le=3650)]] = {}  # a severity not named: `domain.findings.DUE_DAYS`


class ServeConfig(Section):
    """The event process: where its door is, and how often it looks for itself."""

    public_url: WebAddress = ""  # where the platforms find its door; without it every system is polled
    host: str = "127.0.0.1"  # what it listens on: behind a proxy, never the open network
    port: Annotated[int, Field(ge=0, le=65_535)] = 8650
    queues: dict[str, str] = {}  # system -> the address of the SQS queue that its platform writes to
    poll_s: Annotated[float, Field(ge=1, le=300)] = 15.0  # shortest time between two looks at a system that announces nothing
    sweep_s: Annotated[float, Field(ge=1, le=300)] = 300.0  # ... at one that does
    sheet_s: Annotated[float, Field(ge=5)] = 20.0  # shortest time between two publications to the sheet
    sentry: Secret | None = None  # the address that crashes are told to


class StoreConfig(Section):
    warehouse: str = "warehouse.duckdb"  # relative to data_dir
    state_url: str = "sqlite:///state.db"  # SQLAlchemy; a relative SQLite path is relative to data_dir
    keep_raw_days: Days = 30
    wait_s: Seconds = 20.0
