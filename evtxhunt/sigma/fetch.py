"""Gets a zip of rules from a URL or a file, bounded, into a file without a name, with its SHA-256."""

import hashlib
import http.client
import ipaddress
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import urlsplit

from evtxhunt.errors import RulesError

# All rules of SigmaHQ are a zip of 4 MB, its whole repository one of 40 MB.
MOST_BYTES = 128_000_000
MOST_SECONDS = 300.0
_SILENT_SECONDS = 30.0
_CHUNK_BYTES = 1 << 16


@contextmanager
def fetched(source: str, folder: Path) -> Iterator[tuple[BinaryIO, str]]:
    """An open copy of what the URL or file holds, and its SHA-256; it is gone afterwards. `folder` has the room.

    Raises RulesError, OSError if the folder cannot be written.
    """
    with tempfile.TemporaryFile(dir=folder) as copy:
        if "://" in source:
            _check_url(source)
            sha256 = _download(source, copy)
        else:
            sha256 = _copy_file(Path(source), copy)
        copy.seek(0)
        yield copy, sha256


def _copy_file(path: Path, copy: IO[bytes]) -> str:
    try:
        with path.open("rb") as file:
            return _copy(file, copy, str(path))
    except OSError as error:
        raise RulesError(f"{path}: cannot be read: {error.strerror}; give --from a zip or its URL") from error


def _check_url(url: str) -> None:
    """Raises RulesError unless the URL is one of https, or of http on this computer."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise RulesError(f"{url}: no URL: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise RulesError("the URL holds a user or password, which would be kept with the rules; give one without")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise RulesError(f"{url}: rules are fetched by https only; download the file by other means and give its path")
    if not host:
        raise RulesError(f"{url}: the URL names no host")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within a scheme only: GitHub's go from one host to another, all by https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        with closing(fp):  # its text is not read, however long
            if urlsplit(newurl).scheme != req.type:
                raise RulesError(f"{req.full_url}: leads to {newurl}, which is not by {req.type}; nothing was fetched")
            _check_url(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Knows http and https, nothing else that urllib knows. Proxies are the environment's, but not to ourselves."""
    opener = urllib.request.OpenerDirector()
    is_here = _is_loopback(urlsplit(url).hostname or "")
    for handler in (
        urllib.request.ProxyHandler({} if is_here else None),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _download(url: str, copy: IO[bytes]) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": "evtxhunt"})
    try:
        with _opener(url).open(request, timeout=_SILENT_SECONDS) as response:
            announced = response.headers.get("Content-Length")
            sha256 = _copy(response, copy, url)
    except urllib.error.HTTPError as error:
        error.close()
        raise RulesError(f"{url}: the server answers {error.code} {error.reason}; check the URL") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise RulesError(f"{url}: cannot be fetched: {reason}; try again, or give --from a file") from error
    if announced is not None and announced != str(copy.tell()):
        raise RulesError(f"{url}: broke off after {copy.tell():,} of {announced} bytes; try again")
    return sha256


def _copy(source: IO[bytes], copy: IO[bytes], shown: str) -> str:
    """Raises RulesError past the bounds of size and time."""
    digest = hashlib.sha256()
    end = time.monotonic() + MOST_SECONDS
    # read1() gives what has come; read() would wait for a whole chunk from a server that sends byte by byte.
    read = getattr(source, "read1", source.read)
    while chunk := read(_CHUNK_BYTES):
        digest.update(chunk)
        copy.write(chunk)
        if copy.tell() > MOST_BYTES:
            raise RulesError(f"{shown}: larger than {MOST_BYTES:,} bytes, which no rules are; nothing was kept")
        if time.monotonic() > end:
            raise RulesError(f"{shown}: not complete after {MOST_SECONDS:.0f} seconds; download it and give its path")
    return digest.hexdigest()
