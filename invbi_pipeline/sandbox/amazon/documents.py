"""Documents behind presigned addresses: feeds go up, reports and processing reports come down. An address lives five minutes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from invbi_pipeline.sandbox.amazon.store import Store

__all__ = ["Document", "Documents"]

ADDRESS_LIFETIME = timedelta(minutes=5)


@dataclass(slots=True)
class Document:
    id: str
    content_type: str
    content: bytes | None = None  # None: not uploaded yet
    gzip: bool = False


class Documents:
    """Documents by id, and the addresses that were given out for them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._documents: dict[str, Document] = {}
        self._addresses: dict[str, tuple[str, bool, datetime]] = {}

    def make(self, kind: str, content_type: str, content: bytes | None = None, *, gzip: bool = False) -> Document:
        """Keep a document; `kind` starts its id."""
        number = self._store.rng.getrandbits(128)
        made = Document(f"amzn1.spdoc.1.4.eu.{kind}.{number:032x}", content_type, content, gzip)
        self._documents[made.id] = made
        return made

    def get(self, document_id: str) -> Document | None:
        """Return a document by its id."""
        return self._documents.get(document_id)

    def address(self, document: Document, *, upload: bool = False) -> str:
        """Return a new presigned address of it."""
        key = f"{self._store.rng.getrandbits(160):040x}"
        self._addresses[key] = (document.id, upload, self._store.clock.now() + ADDRESS_LIFETIME)
        return f"{self._store.base_url}/documents/{key}?X-Amz-Expires=300"

    def put(self, key: str, content_type: str, content: bytes) -> Response:
        """Answer an upload; the content type must be the one that the document was made with."""
        document = self._found(key, upload=True)
        if document is None:
            return _denied("Request has expired")
        if content_type != document.content_type:
            return _denied("The request signature we calculated does not match the signature you provided.")
        document.content = content
        return Response(status_code=200)

    def fetch(self, key: str) -> Response:
        """Answer a download: the bytes as they are kept, compressed or not."""
        document = self._found(key, upload=False)
        if document is None or document.content is None:
            return _denied("Request has expired")
        return Response(document.content, media_type=document.content_type)

    def _found(self, key: str, *, upload: bool) -> Document | None:
        document_id, for_upload, ends = self._addresses.get(key, ("", upload, self._store.clock.now()))
        if ends <= self._store.clock.now() or for_upload is not upload:
            return None
        return self._documents.get(document_id)


def _denied(message: str) -> Response:
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>'
    return Response(content, status_code=403, media_type="application/xml")
