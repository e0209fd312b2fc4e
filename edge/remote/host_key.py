"""Why a board's host key was refused, and what to do about it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .host import Host

if TYPE_CHECKING:
    import asyncssh


async def explain_host_key(host: Host) -> str:
    """One line: the key is unknown, or it is not the one that is known.

    Args:
        host: A board whose key was just refused.
    """
    key = await _shown_key(host)
    shown = f" {key.get_fingerprint()}" if key else ""
    place = f"[{host.name}]:{host.port}" if host.port not in (None, 22) else host.name
    if await asyncio.to_thread(_known_keys, host):
        return (
            f"{host} shows the host key{shown}, which is not the one in known_hosts: somebody else "
            "may be answering; if the board was set up anew, run: ssh-keygen -R "
            f"'{place}' and then: ssh {host.ssh_arguments}"
        )
    return (
        f"{host} shows the host key{shown}, which is not in known_hosts; compare it with the "
        "board's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there) and take it up by "
        f"running: ssh {host.ssh_arguments}"
    )


async def is_of_another_kind(host: Host) -> bool:
    """Whether the board answers, but with no kind of key that is known of it.

    The two sides then find no common ground and part before any key is shown.
    """
    known = {key.algorithm for key in await asyncio.to_thread(_known_keys, host)}
    key = await _shown_key(host) if known else None
    return key is not None and key.algorithm not in known


async def _shown_key(host: Host) -> asyncssh.SSHKey | None:
    import asyncssh

    options: dict[str, Any] = {"port": host.port} if host.port else {}
    try:
        return await asyncssh.get_server_host_key(host.name, **options)
    except (OSError, asyncssh.Error):
        return None


def _known_keys(host: Host) -> list[asyncssh.SSHKey]:
    import asyncssh

    try:
        known = asyncssh.read_known_hosts(str(Path.home() / ".ssh" / "known_hosts"))
        address = socket.gethostbyname(host.name)
    except (OSError, ValueError):
        return []
    return list(known.match(host.name, address, host.port)[0])
