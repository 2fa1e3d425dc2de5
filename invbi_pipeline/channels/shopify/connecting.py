"""Stocking an item at a location that does not stock it yet; only where the merchant's configuration allows it."""

import hashlib
from uuid import UUID

from invbi_pipeline.channels.protocol import Write
from invbi_pipeline.channels.shopify.api import Api, gid
from invbi_pipeline.channels.shopify.documents import ACTIVATE
from invbi_pipeline.errors import InvbiError

__all__ = ["UNSTOCKED", "connect"]

UNSTOCKED = "ITEM_NOT_STOCKED_AT_LOCATION"


async def connect(api: Api, write: Write) -> str:
    """Stock the item of a correction at its location; return why that could not be done, empty when it was.

    No number is given with it: what the location held before is kept, and the correction itself, which is sent next, compares.
    An uncertain answer needs no settling: the correction is refused again where it was not done.
    """
    name = f"connect {write.idempotency_key}"
    variables = {
        "item": gid("InventoryItem", write.listing_key),
        "location": gid("Location", write.location_key),
        "key": str(UUID(bytes=hashlib.sha256(name.encode()).digest()[:16])),
    }
    try:
        said = await api.run(ACTIVATE, variables, changes=True)
    except InvbiError as trouble:
        return str(trouble)
    payload = said.data.get("inventoryActivate") or {}
    return "; ".join(str(error.get("message") or "refused") for error in payload.get("userErrors") or ())
