"""Protocols that remember what they answered for a class."""

from typing import ClassVar, Protocol, runtime_checkable

from harness.remembering import Remembering


@runtime_checkable
class Named(Protocol, metaclass=Remembering):
    NAME: ClassVar[str]

    def call(self):
        """Whatever."""


class Fits:
    NAME = "fits"

    def call(self):
        return 1


class LacksTheName:
    def call(self):
        return 1


def test_the_answer_is_the_protocols_own_and_stays():
    for _ in range(2):
        assert isinstance(Fits(), Named)
        assert not isinstance(LacksTheName(), Named)
        assert not isinstance(None, Named)


def test_a_class_that_inherits_fits_as_well():
    class Child(Fits):
        pass

    assert isinstance(Child(), Named)
