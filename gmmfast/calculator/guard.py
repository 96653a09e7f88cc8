"""Access to the calculator: only this machine's browser, with the token of this run.

Pages on the web must neither read from the calculator nor control it. So each request is checked
for its Host (against DNS rebinding), its Origin, and a cookie that only the address in the terminal
sets; each response forbids its page to load anything from elsewhere or to open windows.
"""

from __future__ import annotations

import ipaddress
import secrets
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
        "style-src 'self' 'unsafe-inline'; "  # plotly writes styles into its charts
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        # no windows; the page itself reads its form, which goes nowhere
        "sandbox allow-scripts allow-same-origin allow-downloads allow-forms"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CLOSED = "This calculator is open to the address that was shown in the terminal. Use that one.\n"


class Guard:
    """Middleware that passes requests with the right Host, Origin and token.

    Parameters
    ----------
    app : ASGI application
        The guarded application.
    token : str
        Secret of this run.
    port : int
        Port of the server.
    any_address : bool
        Whether other addresses than this machine's own are served.
    """

    def __init__(self, app: ASGIApp, token: str, port: int, any_address: bool = False) -> None:
        self._app, self._token, self._any_address = app, token, any_address
        self.cookie = f"gmmfast-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that is not passed on."""
        host = request.headers.get("host", "")
        if not is_known_host(host, self._any_address):
            return failure(421, "This address is not one of the calculator's.")
        origin = request.headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return failure(403, "Other web pages cannot use the calculator.")
        given = parse_qs(request.url.query).get("token", [""])[0]
        if given and secrets.compare_digest(given.encode(), self._token.encode()):
            return self._admission(request)
        cookie = request.cookies.get(self.cookie, "")
        if secrets.compare_digest(cookie.encode(), self._token.encode()):
            return None
        if request.url.path.startswith("/api/"):
            return failure(401, "Open the calculator with the address that the terminal shows.")
        return PlainTextResponse(CLOSED, 401)

    def _admission(self, request: Request) -> Response:
        """Exchange the token in the address for a cookie."""
        rest = {k: v for k, v in request.query_params.items() if k != "token"}
        response = RedirectResponse(request.url.path + (f"?{urlencode(rest)}" if rest else ""), 303)
        response.set_cookie(self.cookie, self._token, httponly=True, samesite="strict", path="/")
        return response


def is_known_host(host: str, any_address: bool) -> bool:
    """Return whether a Host header can be this server's, never a name that others own."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return any_address or address.is_loopback


def failure(status: int, sentence: str) -> JSONResponse:
    """Return an error in the form that all errors have."""
    return JSONResponse({"error": sentence}, status)
