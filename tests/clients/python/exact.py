"""Numbers by their digits: httpx reads JSON through binary floats, which lose them."""

import json
from decimal import Decimal
from typing import Any

import httpx


class ExactResponse(httpx.Response):
    """A response whose numbers with a fraction are decimals."""

    def json(self, **options: Any) -> Any:
        return json.loads(self.content, parse_float=Decimal, **options)


class ExactTransport(httpx.HTTPTransport):
    """For a generated client: AuthenticatedClient(..., httpx_args={"transport": ExactTransport()})."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        plain = super().handle_request(request)
        return ExactResponse(plain.status_code, headers=plain.headers, stream=plain.stream, extensions=plain.extensions)
