"""``gmmfast calculator``: listen, print the address, and open the browser."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
import sys
import threading
import webbrowser

PORT = 8423


def calculator(port: int = PORT, host: str = "127.0.0.1", open_browser: bool = True) -> None:
    """Serve the calculator until Ctrl-C.

    Parameters
    ----------
    port : int
        Port to listen on; 0 takes any free port.
    host : str
        Address to listen on.
    open_browser : bool
        Whether to open the page.

    Raises
    ------
    ImportError
        If the extra ``[calculator]`` is not installed.
    OSError
        If the port is taken.
    """
    try:
        import plotly  # noqa: F401
        import uvicorn

        from gmmfast.calculator.app import make_app
    except ImportError as error:
        raise ImportError(
            f"The calculator needs {error.name}; install it with: pip install 'gmmfast[calculator]'"
        ) from None
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(16)
    any_address = not ipaddress.ip_address(host).is_loopback
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/?token={token}"
    print(f"gmmfast calculator: {address}\nPress Ctrl-C to end it.", flush=True)
    if any_address:
        print(
            "gmmfast: warning: everyone who can reach this machine and knows the address can use "
            "the calculator; the connection is not encrypted",
            file=sys.stderr,
        )
    config = uvicorn.Config(
        make_app(token, port, any_address), log_level="error", server_header=False
    )
    if open_browser:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    uvicorn.Server(config).run([listening])


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; OSError with a remedy where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            text = f"Port {port} is taken, perhaps by another calculator. Choose one with --port."
        elif error.errno == errno.EADDRNOTAVAIL:
            text = f"This machine has no address {host}. Leave --host out, or name one of its own."
        else:
            text = f"It is not possible to listen at {host}, port {port}: {error.strerror}."
        raise OSError(text) from None
    return listening
