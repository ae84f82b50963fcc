"""One measurement of one page, by whichever load generator is to be had."""

import http.client
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from benchmarks.cases import Case
from benchmarks.generator import Generator
from benchmarks.servers import HOST

ANSWER_SECONDS = 15.0


class WrongAnswer(Exception):
    """A server does not give the expected answer; its speed would mean nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """Answers counted, requests per second, latencies in milliseconds.

    ``errors`` is empty when all went well. ``cpu`` are the processor seconds which all processes
    of the server used meanwhile.

    ``client_cpu`` is the share of one core which the generator itself used, if it can tell:
    near 1.0 it is the generator that was measured.
    """

    answered: int
    rps: float
    p50_ms: float
    p99_ms: float
    errors: str = ""
    client_cpu: float | None = None
    cpu: float = 0.0

    @property
    def cpu_us(self) -> float:
        """Processor time of the server for one answer, in microseconds."""
        return 1e6 * self.cpu / self.answered if self.answered else 0.0


class Tool(Protocol):
    """A load generator."""

    name: str

    def version(self) -> str:
        """Name and version, for the report."""

    def run(self, port: int, case: Case, body: bytes, connections: int, seconds: float) -> Load:
        """Ask for ``case`` during ``seconds`` over ``connections`` keep-alive connections."""


def fetch_right_answer(port: int, case: Case) -> bytes:
    """Ask once and return the body, or raise WrongAnswer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)
    try:
        connection.request(case.method, case.path, case.body or None, case.headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswer(f"no answer: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise WrongAnswer(f"status {answer.status} instead of 200: {body[:120]!r}")
    if not case.is_right(body):
        raise WrongAnswer(f"unexpected body: {body[:120]!r}")
    return body


class BuiltIn:
    """Our own generator: needs nothing installed and checks each answer."""

    name = "builtin"

    def version(self) -> str:
        return "builtin (benchmarks/generator.py)"

    def run(self, port: int, case: Case, body: bytes, connections: int, seconds: float) -> Load:
        tally = Generator((HOST, port), case.path, body, connections, case.body).run(seconds)
        ordered = sorted(tally.latencies)
        if not ordered:
            return Load(0, 0.0, 0.0, 0.0, _join(tally.errors) or "no answer at all")
        return Load(
            tally.right,
            tally.right / tally.elapsed,
            1000 * ordered[len(ordered) // 2],
            1000 * ordered[len(ordered) * 99 // 100],
            _join(tally.errors),
            tally.cpu / tally.elapsed,
        )


class Wrk:
    """https://github.com/wg/wrk"""

    name = "wrk"

    def version(self) -> str:
        # wrk prints its version and ends with code 1.
        output = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout
        return " ".join(output.split()[:2])

    def run(self, port: int, case: Case, body: bytes, connections: int, seconds: float) -> Load:
        with self.command(port, case, connections, seconds) as command:
            return self.read(_output_of(command, seconds))

    @contextmanager
    def command(
        self, port: int, case: Case, connections: int, seconds: float
    ) -> Iterator[list[str]]:
        """The command line."""
        command = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
        with _script_of(case) as script:
            yield [*command, *script, _url(port, case)]

    def read(self, output: str) -> Load:
        """The figures that it has printed."""
        errors = re.findall(r"Socket errors: .*|Non-2xx or 3xx responses: \d+", output)
        return Load(
            int(_first(r"(\d+) requests in", output)),
            float(_first(r"Requests/sec:\s+([\d.]+)", output)),
            _milliseconds(_first(r"50%\s+([\d.]+\w+)", output)),
            _milliseconds(_first(r"99%\s+([\d.]+\w+)", output)),
            "; ".join(errors),
        )


class Autocannon:
    """https://github.com/mcollina/autocannon"""

    name = "autocannon"

    def version(self) -> str:
        output = subprocess.run(
            ["autocannon", "--version"], capture_output=True, text=True, check=False
        ).stdout
        return " ".join(output.split()[:2])

    def run(self, port: int, case: Case, body: bytes, connections: int, seconds: float) -> Load:
        command = ["autocannon", "--json", "--expectBody", body.decode()]
        command += ["-c", str(connections), "-d", str(max(1, round(seconds)))]
        if case.body:
            command += ["-m", "POST", "-b", case.body.decode()]
            command += [f"-H{name}={value}" for name, value in case.headers.items()]
        result = json.loads(_output_of([*command, _url(port, case)], seconds))
        names = ("errors", "timeouts", "mismatches", "non2xx")
        errors = {name: result[name] for name in names if result.get(name)}
        return Load(
            result["requests"]["total"],
            result["requests"]["total"] / result["duration"],
            float(result["latency"]["p50"]),
            float(result["latency"]["p99"]),
            _join(errors),
        )


TOOLS: tuple[Tool, ...] = (Wrk(), BuiltIn(), Autocannon())
"""In the order of preference; the first one that is to be had is used."""


def choose_tool(name: str | None = None) -> Tool:
    """The tool of that name, or the best one at hand."""
    for tool in TOOLS:
        if name in (None, tool.name) and (tool.name == "builtin" or shutil.which(tool.name)):
            return tool
    raise LookupError(f"the load generator {name!r} is not on the PATH")


@contextmanager
def _script_of(case: Case) -> Iterator[list[str]]:
    """The arguments for wrk which make it send the body of ``case``, if it has one."""
    if not case.body:
        yield []
        return
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "{case.method}"\nwrk.body = [=[{case.body.decode()}]=]\n')
        for name, value in case.headers.items():
            script.write(f'wrk.headers["{name}"] = "{value}"\n')
        script.flush()
        yield ["-s", script.name]


def _url(port: int, case: Case) -> str:
    return f"http://{HOST}:{port}{case.path}"


def _output_of(command: Sequence[str], seconds: float) -> str:
    """Run a load generator against one page; its output, or OSError with what it complained of."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=seconds + 30
        )
    except subprocess.SubprocessError as error:
        raise OSError(f"{command[0]} failed: {getattr(error, 'stderr', '') or error}") from error
    return done.stdout


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise OSError(f"the load generator printed no line like {pattern!r}")
    return found.group(1)


def _milliseconds(text: str) -> float:
    """``"1.25ms"``, ``"310.00us"``, ``"2.00s"`` or ``"1.00m"`` as milliseconds."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}[unit]


def _join(errors: dict[str, int]) -> str:
    return "; ".join(f"{reason}: {count}" for reason, count in errors.items())
