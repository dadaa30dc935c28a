"""Ray itself: starting it here, connecting to a cluster, and what it has."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ray
from ray.exceptions import RayError

from eqagents.distributed.config import BUILT_IN
from eqenvs.errors import InputError, nearest


def start_ray(workers: int, address: str | None, object_store_memory: int | None) -> None:
    """Ray for this process: on this machine, or the cluster at an address.

    Args:
        workers: that will run.
        address: of a cluster; None: this machine.
        object_store_memory: of a Ray started here, in bytes; None: fits /dev/shm, at most 2 GiB.

    Raises:
        InputError: the cluster cannot be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with _own_handler_of(signal.SIGTERM):
        if address is not None:
            _connect(address)
            return
        ray.init(
            address="local",
            num_cpus=max(workers, os.cpu_count() or 1),  # more workers than cores is slow but allowed
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=object_store_memory or _object_store_bytes(),
            _node_ip_address="127.0.0.1",
        )


@contextmanager
def _own_handler_of(number: int) -> Iterator[None]:
    """What this process does at a signal stays so, where it said what; Ray would end the process."""
    before = signal.getsignal(number)
    yield
    if callable(before) and threading.current_thread() is threading.main_thread():
        signal.signal(number, before)


def _connect(address: str) -> None:
    import eqagents
    import eqenvs
    import eqsolvers

    host, _, port = address.rpartition(":")
    if host and port.isdigit() and "/" not in host:  # Ray itself would try for a minute, and then end the process
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10.0).close()
        except OSError as error:
            raise InputError(f"address {address!r}: nothing answers there ({error})") from error
    packages = [str(Path(str(package.__file__)).parent) for package in (eqenvs, eqsolvers, eqagents)]
    try:
        ray.init(
            address=address, log_to_driver=False, logging_level=logging.ERROR, runtime_env={"py_modules": packages}
        )
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        reason = str(error).strip().partition("\n")[0]
        hint = "a cluster that asks for a token needs it here too, and RAY_AUTH_MODE=token"
        raise InputError(f"address {address!r}: {reason}; {hint}") from error


def _object_store_bytes() -> int | None:
    """At most 2 GiB, 0.8 of the free /dev/shm and 0.3 of the memory; None, Ray's own choice, without /dev/shm."""
    try:
        shm = os.statvfs("/dev/shm")
    except OSError:
        return None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    fitting = min(2 * 2**30, int(0.8 * shm.f_bavail * shm.f_frsize), int(0.3 * memory))
    return max(fitting, 80_000_000)  # Ray's least; where it does not fit, Ray falls back to files in /tmp


def import_path() -> str:
    """The driver's sys.path as a PYTHONPATH, less what every process of the same interpreter has."""
    own = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    entries = [os.path.abspath(entry) for entry in sys.path]
    return os.pathsep.join(
        dict.fromkeys(
            entry
            for entry in entries
            if os.path.exists(entry) and os.path.realpath(entry) not in own and not entry.endswith("lib-dynload")
        )
    )


def require_room(count: int, each: Mapping[str, float], what: str) -> None:
    """Checks that the nodes that are there can hold the processes: Ray would wait for ever for one that fits nowhere.

    Args:
        count: of processes.
        each: resources that each of them reserves on one node.
        what: to call them in an error, such as "workers=4".

    Raises:
        InputError: they cannot.
    """
    needs = {name: amount for name, amount in each.items() if amount > 0}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    for name, amount in needs.items():
        there = sum(node.get(name, 0.0) for node in nodes)
        if amount * count > there * (1 + 1e-9):
            unit = f"{name}s" if name in BUILT_IN else f"of the resource {name!r}"
            known = {other for node in nodes for other in node if other not in BUILT_IN and ":" not in other}
            hint = "" if there or name in BUILT_IN else f"; {nearest(name, known)}" if known else "; it has no others"
            raise InputError(f"{what} need {amount * count:g} {unit}; the Ray cluster has {there:g}{hint}")
    if not needs:
        return
    room = sum(min(int(node.get(name, 0.0) / amount + 1e-9) for name, amount in needs.items()) for node in nodes)
    if room < count:
        wanted = ", ".join(f"{amount:g} {name}" for name, amount in needs.items())
        raise InputError(f"{what} need {wanted} each, on one node; the nodes of the Ray cluster have room for {room}")
