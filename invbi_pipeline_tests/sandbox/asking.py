"""Asks an emulated platform over its HTTP face and judges request and answer by the published model, where that is at hand."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.types import ASGIApp

from invbi_pipeline_tests.openapi import OpenApi

__all__ = ["Asking"]


class Asking:
    """A caller with fixed headers. Without a model nothing is judged; `judge_request=False` sends what is meant wrong."""

    def __init__(self, app: ASGIApp, base_url: str, headers: Mapping[str, str], model: OpenApi | None) -> None:
        self._app = app
        self._base_url = base_url
        self.headers = dict(headers)
        self.model = model

    def ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        judge_request: bool = True,
        **more: Any,
    ) -> httpx.Response:
        """Send one request and return its judged answer."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url) as client:
                given = {**self.headers, **(headers or {})}
                return await client.request(method, path, json=json, params=params, headers=given, **more)

        answer = asyncio.run(send())
        route = answer.request.url.raw_path.decode().partition("?")[0]
        if self.model is not None and self.model.covers(method, route):
            if judge_request:
                self.model.validate_request(method, route, dict(params or {}), json)
            self.model.validate_response(method, route, answer.status_code, answer.json())
        return answer
