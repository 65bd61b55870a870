"""Pictures that arrive in parts: one websocket message may not exceed 10 MiB."""

from __future__ import annotations

from regiondrag_widget.widget.incoming import Load
from regiondrag_widget.widget.protocol import MAX_BUFFER_BYTES, ProtocolError

MAX_PARTS = 64


class Uploads:
    """Puts the parts of one upload together.

    A new upload replaces one that never ended. Parts may come in any order.
    """

    def __init__(self) -> None:
        self._upload: str | None = None
        self._parts: dict[int, bytes] = {}

    def add(self, message: Load) -> bytes | None:
        """Take one part; the whole once its last part is here, else None.

        Raises
        ------
        ProtocolError
            Too many parts, or too many bytes in all; the upload is forgotten.
        """
        if message.parts == 1:
            return message.data
        if message.parts > MAX_PARTS:
            raise ProtocolError(f"a picture in {message.parts} parts: at most {MAX_PARTS}", code="too-large")
        if message.upload != self._upload:
            self._upload, self._parts = message.upload, {}
        self._parts[message.part] = message.data
        if sum(map(len, self._parts.values())) > MAX_BUFFER_BYTES:
            self._forget()
            limit = MAX_BUFFER_BYTES // 2**20
            raise ProtocolError(
                f"the picture is larger than {limit} MiB: use a smaller one", code="too-large"
            )
        if len(self._parts) < message.parts:
            return None
        whole = b"".join(self._parts[index] for index in sorted(self._parts))
        self._forget()
        return whole

    def _forget(self) -> None:
        self._upload, self._parts = None, {}
