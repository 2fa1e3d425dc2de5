"""What no section can see by itself: whether platforms have what they need, and whether names name something."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from invbi_pipeline.config.sections import LocationConfig, ServeConfig, SystemConfig
from invbi_pipeline.domain.words import Role

__all__ = [
    "PLATFORM_KEYS",
    "TELLS_BY_QUEUE",
    "Problem",
    "place_problems",
    "platform_problems",
    "reference_problems",
    "serve_problems",
    "twice_problems",
]

Problem = tuple[str, str, str]  # where, what was expected, how to mend it

# The keys that a platform cannot be called without: of each group one. Its module is a row of `channels.registry.PLATFORMS`.
PLATFORM_KEYS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "shopify": (("account", "base_url"),),
    "square": (),
    "amazon": (("account",), ("marketplace",)),
    "files": (("files",),),
}
TELLS_BY_QUEUE: Final = ("amazon",)  # its events are no webhooks
_CALLED_BY_ACCOUNT: Final = ("shopify",)  # without a base URL the account is the host that is called
_HOST: Final = r"[\w-]+(\.[\w-]+)+(:\d+)?"
_KEYS_MEANING: Final = {
    "account": "the account's name or address",
    "marketplace": "the id of one marketplace",
    "files": "at least one dataset",
}


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


def twice_problems(systems: Mapping[str, SystemConfig]) -> list[Problem]:
    """Return the systems that are another one's account once more: two would write each number, and count each order twice.

    Of Square and files nothing in the configuration names the account.
    """
    first, problems = dict[tuple[str, ...], str](), list[Problem]()
    for name, system in systems.items():
        account = (system.platform, system.base_url.rstrip("/"), system.account.lower(), system.marketplace)
        known = first.setdefault(account, name)
        if known != name and system.platform in ("shopify", "amazon") and (system.account or system.base_url):
            mend = "give it its own account, or make one system of the two"
            problems.append((f"systems.{name}", f"it is the account of systems.{known} once more", mend))
    return problems


def place_problems(name: str, place: LocationConfig, systems: Mapping[str, SystemConfig]) -> list[Problem]:
    """Return what is wrong with the system that is said to count a location."""
    where, owner = f"locations.{name}.counted_by", systems.get(place.counted_by)
    if owner is None:
        counting = ", ".join(n for n, s in systems.items() if s.counts) or "none: give one the role 'counts'"
        return [(where, f"no system is called {place.counted_by!r}", f"use one that counts: {counting}")]
    if not owner.counts:
        mend = f"add 'counts' to systems.{place.counted_by}.roles, or name another system"
        return [(where, f"{place.counted_by!r} has not the role 'counts'", mend)]
    return []


def reference_problems(name: str, system: SystemConfig, places: Mapping[str, LocationConfig]) -> list[Problem]:
    """Return a lacking role, names of no location, and locations that a system names twice."""
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


def serve_problems(serve: ServeConfig, systems: Mapping[str, SystemConfig]) -> list[Problem]:
    """Return what no platform could deliver to, and queues of systems that have none."""
    problems = list[Problem]()
    parts = urlsplit(serve.public_url)
    if parts.scheme == "http" and not _here(parts.hostname or ""):
        what = "platforms deliver to https:// only, and what they sign must not be read on the way"
        problems.append(("serve.public_url", what, "write https://, with a proxy before it that holds the certificate"))
    able = [name for name, system in systems.items() if system.platform in TELLS_BY_QUEUE]
    mend = f"use one of: {', '.join(able) or 'none: only Amazon writes to a queue'}"
    problems += [
        (f"serve.queues.{name}", f"no system with a queue is called {name!r}", mend) for name in serve.queues if name not in able
    ]
    return problems


def _here(host: str) -> bool:
    """Say whether a host is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
