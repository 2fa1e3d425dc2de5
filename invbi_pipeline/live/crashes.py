"""Crashes told to a Sentry server, where one is configured: what failed and where, never what was being worked on."""

from typing import TYPE_CHECKING, Any

from invbi_pipeline.config import ServeConfig
from invbi_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from sentry_sdk.types import Event

__all__ = ["tell_of_crashes"]


def tell_of_crashes(serve: ServeConfig) -> bool:
    """Send errors that are logged, and crashes, to `serve.sentry`; return whether there is one. Raises `ConfigError`."""
    if serve.sentry is None:
        return False
    address = serve.sentry.read()
    try:
        import sentry_sdk
        from sentry_sdk.utils import BadDsn
    except ImportError as trouble:
        what = "the library that speaks to Sentry is not installed"
        raise ConfigError(f"serve.sentry: {what}.", [("serve.sentry", what, "pip install 'invbi[sentry]'")]) from trouble
    try:
        sentry_sdk.init(
            address,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            auto_enabling_integrations=False,
            trace_propagation_targets=[],  # else every request to Google or AWS bears the project's key
            before_send=_without_what_it_quotes,
        )
    except BadDsn as trouble:
        what = "expected an address of Sentry's, https://KEY@HOST/PROJECT"
        raise ConfigError(f"{serve.sentry.env} is no address of Sentry's.", [(serve.sentry.env, what, "correct it")]) from trouble
    return True


def _without_what_it_quotes(event: "Event", _: dict[str, Any]) -> "Event":
    """Keep the kind of an error and its places, and what our own code says of it; a text may quote what a stranger sent.

    Our code's words are the template of a log line, without what it was filled with; of another logger the name alone is kept.
    """
    for error in (event.get("exception") or {}).get("values") or ():
        error["value"] = ""
    event.pop("request", None)
    event.pop("server_name", None)
    event.pop("extra", None)
    event.pop("modules", None)
    if "logentry" in event:
        logger = event.get("logger") or ""
        ours = logger.partition(".")[0] == "invbi"
        event["logentry"] = {"message": str(event["logentry"].get("message", "")) if ours else f"an error of {logger}"}
    return event
