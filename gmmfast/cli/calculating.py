"""``gmmfast calculator``."""

import argparse
import ipaddress

from gmmfast.calculator.launch import calculator


def calculate(arguments: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    try:
        is_loopback = ipaddress.ip_address(arguments.host).is_loopback
    except ValueError:
        raise ValueError(
            f"--host must be an address such as 127.0.0.1; got {arguments.host!r}."
        ) from None
    if not is_loopback and not arguments.i_know:
        raise ValueError(
            f"--host {arguments.host} opens the calculator to other machines; if that is meant, "
            "add --i-know."
        )
    calculator(arguments.port, arguments.host, not arguments.no_browser)
