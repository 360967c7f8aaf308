"""The faults: one file each, found by themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

from harness import registry
from harness.connection import Ending
from harness.faults._base import (
    CALL_TRIGGERS,
    CONNECTION_TRIGGERS,
    PACKET_TRIGGERS,
    RUN_TRIGGERS,
    STREAM_TRIGGERS,
    AcceptDecision,
    AcceptFault,
    Admission,
    BackendChange,
    BackendFault,
    CallerFault,
    Cancellation,
    CertificateProblem,
    Delay,
    DirectionWord,
    Fault,
    HandshakeDecision,
    HandshakeEnding,
    HandshakeFault,
    HostFault,
    LinkStreamFault,
    ListenFault,
    LiveConnections,
    PacketFault,
    PacketPolicy,
    PresentCertificate,
    ShapingFault,
    SharingFault,
    SideWord,
    SocketFault,
    StreamFault,
    StrikeFault,
)
from harness.faults._spec import (
    FaultSpec,
    allowed_triggers,
    own_side,
    site,
    strikes_links_only,
)
from harness.units import YAML_CONFIG

__all__ = [
    "CALL_TRIGGERS",
    "CONNECTION_TRIGGERS",
    "PACKET_TRIGGERS",
    "RUN_TRIGGERS",
    "STREAM_TRIGGERS",
    "YAML_CONFIG",
    "AcceptDecision",
    "AcceptFault",
    "Admission",
    "BackendChange",
    "BackendFault",
    "CallerFault",
    "Cancellation",
    "CertificateProblem",
    "Delay",
    "DirectionWord",
    "Ending",
    "Fault",
    "FaultSpec",
    "HandshakeDecision",
    "HandshakeEnding",
    "HandshakeFault",
    "HostFault",
    "LinkStreamFault",
    "ListenFault",
    "LiveConnections",
    "PacketFault",
    "PacketPolicy",
    "PresentCertificate",
    "ShapingFault",
    "SharingFault",
    "SideWord",
    "SocketFault",
    "StreamFault",
    "StrikeFault",
    "all_faults",
    "allowed_triggers",
    "fault_aliases",
    "own_side",
    "site",
    "strikes_links_only",
]


@cache
def all_faults() -> dict[str, type[Any]]:
    """Every fault by its word, third parties' included."""
    return registry.members("harness.faults")


@cache
def fault_aliases() -> dict[str, str]:
    """Words of Toxiproxy, netem and WireMock, and the fault each became."""
    return {
        alias: name
        for name, fault in all_faults().items()
        for alias in getattr(fault, "ALIASES", ())
    }
