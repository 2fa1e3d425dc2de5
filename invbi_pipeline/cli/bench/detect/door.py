"""The door for webhooks that a world is judged with: Shopify's orders are asked for, and what is delivered is kept."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import httpx
import uvicorn

from invbi_pipeline.channels.shopify.api import PATH
from invbi_pipeline.flows.context import Context
from invbi_pipeline.live.receiver import create_app, webhook_url

__all__ = ["TELLS", "open_door"]

TELLS: Final = "shopify"  # the platform that tells of lost webhooks within hours (Square: after a day)
_ASKED: Final = """mutation($hook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: ORDERS_CREATE, webhookSubscription: $hook) { userErrors { message } } }"""


@asynccontextmanager
async def open_door(ctx: Context) -> AsyncIterator[None]:
    """Serve the receiver on a loopback port, and have every Shopify system of a sandbox send it the webhooks of its orders."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_app(ctx.channels, ctx.state, ctx.clock, address)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, ws="none", lifespan="on"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            for name, system in ctx.config.systems.items():
                if system.platform == TELLS:
                    body = {"query": _ASKED, "variables": {"hook": {"uri": webhook_url(address, name), "format": "JSON"}}}
                    token = {"X-Shopify-Access-Token": system.secrets["token"].read()}
                    async with httpx.AsyncClient(base_url=str(system.base_url), timeout=30) as shop:
                        (await shop.post(PATH, json=body, headers=token)).raise_for_status()
            yield
        finally:
            server.should_exit = True
            await serving
