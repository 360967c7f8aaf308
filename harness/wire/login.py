"""PostgreSQL's login, step by step ("Frontend/Backend Protocol", section "Start-up").

Password, MD5 and SCRAM-SHA-256 are answered; anything else is an error that names it.
"""

from __future__ import annotations

from hashlib import md5

from harness.wire import postgres as pg
from harness.wire.errors import WireError
from harness.wire.scram import MECHANISM, Scram


class LoginError(Exception):
    """The server refused the login; ``response`` says why."""

    def __init__(self, response: pg.ErrorResponse) -> None:
        super().__init__(str(response))
        self.response = response


class Login:
    """What to send for each message until the session is ready.

    ``nonce`` is SCRAM's; it must be random for each login.
    """

    def __init__(self, user: str, password: str, database: str, nonce: str) -> None:
        self._user = user
        self._password = password
        self._database = database
        self._scram = Scram(user, password, nonce)
        self._scram_begun = self._scram_done = False
        self._is_let_in = False
        self.key: pg.BackendKey | None = None
        self.is_ready = False

    def begin(self) -> bytes:
        """The first message of the session."""
        return pg.startup({"user": self._user, "database": self._database or self._user})

    def answer(self, message: pg.Message) -> bytes:
        """What to send now, perhaps nothing; raises LoginError if refused, WireError if odd."""
        match message:
            case pg.Authentication():
                return self._authenticate(message)
            case pg.ErrorResponse():
                raise LoginError(message)
            case pg.BackendKey():
                self.key = message
            case pg.ReadyForQuery():
                if not self._is_let_in:
                    raise WireError("the session was ready before the login was over")
                self.is_ready = True
            case _:
                pass
        return b""

    def _authenticate(self, step: pg.Authentication) -> bytes:
        match step.code:
            case 0:
                if self._scram_begun and not self._scram_done:
                    raise WireError("the server lets us in without proving that it knows us")
                self._is_let_in = True
                return b""
            case 3:
                return pg.password(self._password)
            case 5:
                return pg.password(md5_answer(self._user, self._password, step.data))
            case 10:
                return self._begin_sasl(step.data)
            case 11:
                return pg.sasl_response(self._scram.final(step.data))
            case 12:
                self._scram.verify(step.data)
                self._scram_done = True
                return b""
            case _:
                raise WireError(f"the server asks for authentication {step.code}, not known here")

    def _begin_sasl(self, offered: bytes) -> bytes:
        mechanisms = [name.decode(errors="replace") for name in offered.split(b"\0") if name]
        if MECHANISM not in mechanisms:
            raise WireError(f"the server offers {', '.join(mechanisms)}; {MECHANISM} is known here")
        self._scram_begun = True
        return pg.sasl_initial(MECHANISM, self._scram.first)


def md5_answer(user: str, password: str, salt: bytes) -> str:
    """The answer to AuthenticationMD5Password: "md5", then hashes of both and the salt."""
    inner = md5(password.encode() + user.encode(), usedforsecurity=False).hexdigest()
    return "md5" + md5(inner.encode() + salt, usedforsecurity=False).hexdigest()
