"""Whether a Ray cluster answers at an address: Ray itself takes a minute to say that none does."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from ray._private.services import canonicalize_bootstrap_address
from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
from ray.exceptions import AuthenticationError, RayError, RpcError

from raymtl.errors import PreflightError

_CONNECT_SECONDS = 5.0


def check_address(address: str) -> None:
    """Makes sure that a cluster is there and lets this process in.

    Args:
        address: ``host:port``, or ``auto`` for what RAY_ADDRESS or this machine knows.

    Raises:
        PreflightError: when nobody listens, the token is not the cluster's, or there is none.
    """
    _check_token()
    where = _resolved(address)
    host, _, port = where.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise PreflightError(
            f"--address {address}: nothing listens at {where} ({error}). Start the cluster "
            "(`ray start --head`, `ray up cluster.yaml`), or leave the option out to work on this "
            "machine alone."
        ) from error
    try:
        GcsClient(address=where)
    except AuthenticationError as error:
        raise PreflightError(
            f"--address {address}: the cluster does not accept this process's token. Set "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH to the cluster's token file."
        ) from error
    except (RayError, RpcError, RuntimeError) as error:
        raise PreflightError(
            f"--address {address}: what listens at {where} does not answer as a Ray cluster does "
            f"({str(error).splitlines()[0]}). Check host and port."
        ) from error


def _resolved(address: str) -> str:
    """As host:port."""
    if "://" in address:
        raise PreflightError(
            f"--address {address}: expected host:port or auto. Run the command on the cluster's "
            "head node (`ray exec`, `ray attach`); Ray Client cannot carry a sweep."
        )
    try:
        where = canonicalize_bootstrap_address(address)
    except (ConnectionError, OSError, ValueError) as error:
        raise PreflightError(
            f"--address {address}: no Ray cluster ({error}). Expected host:port, or auto on a "
            "machine of the cluster."
        ) from error
    if where is None:
        raise PreflightError(
            f"--address {address}: no Ray cluster runs on this machine. Start one, give "
            "host:port, or leave the option out."
        )
    return str(where)


def _check_token() -> None:
    """Ray ends the whole process when its token file cannot be read."""
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if path is None or os.environ.get("RAY_AUTH_TOKEN"):
        return
    try:
        empty = not Path(path).expanduser().read_text().strip()
    except OSError as error:
        raise PreflightError(
            f"RAY_AUTH_TOKEN_PATH={path}: the token cannot be read ({error}). Copy the "
            "cluster's token there."
        ) from error
    if empty:
        raise PreflightError(
            f"RAY_AUTH_TOKEN_PATH={path}: the file is empty. Copy the cluster's token there."
        )
