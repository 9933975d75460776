"""Bytes of addresses that others have written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

from clip_everywhere import _native
from clip_everywhere.errors import ClipError


class Fetcher:
    """Gets images over HTTP as the scraper does: ``robots.txt`` is obeyed, each host has its pace,
    and addresses that lead into a private network are refused, redirects included.

    :param allow_private: also addresses of private networks (never a cloud's metadata service).
    :param max_bytes: largest file.

    >>> from clip_everywhere import Fetcher
    >>> [error] = Fetcher().fetch(["http://127.0.0.1/a.png"], on_error="return")
    >>> error.kind
    'fetch.private'
    """

    def __init__(self, *, allow_private: bool = False, max_bytes: int = 64 << 20) -> None:
        self._settings = (allow_private, max_bytes)
        self._native = _native.Fetcher(False, allow_private, max_bytes)

    def __reduce__(self) -> tuple[object, tuple[bool, int]]:
        return _make, self._settings

    @overload
    def fetch(self, addresses: Iterable[str], *, on_error: Literal["raise"] = "raise") -> list[bytes]: ...
    @overload
    def fetch(
        self, addresses: Iterable[str], *, on_error: Literal["return"]
    ) -> list[bytes | ClipError]: ...
    def fetch(
        self, addresses: Iterable[str], *, on_error: Literal["raise", "return"] = "raise"
    ) -> list[bytes] | list[bytes | ClipError]:
        """The content of each address, many at a time, in their order.

        :raises FetchError: the first that fails, unless ``on_error="return"``, which puts the
            exceptions in their places.
        """
        fetched = self._native.fetch(list(addresses))
        if on_error == "return":
            return fetched
        contents: list[bytes] = []
        for content in fetched:
            if isinstance(content, ClipError):
                raise content
            contents.append(content)
        return contents


def _make(allow_private: bool, max_bytes: int) -> Fetcher:
    return Fetcher(allow_private=allow_private, max_bytes=max_bytes)
