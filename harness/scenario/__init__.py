"""Scenarios: what they say as frozen values, how they are read, found, explained and planned.

``read_file`` and ``read_text`` make a ``Scenario`` or raise every mistake at once, ``find`` names
files, ``plan_workload`` turns phases into calls, ``json_schema`` and ``explain`` tell people and
editors what may be written. Nothing here acts: no clock, no socket, no task.
"""

from harness.scenario.catalogue import bundled_root, default_root, files_below, find
from harness.scenario.explain import Page, Row, explain, listing, words
from harness.scenario.fabrics import FABRICS, KERNEL_FABRIC, FabricWord, fabrics_of
from harness.scenario.glossary import GLOSSARY
from harness.scenario.model import (
    AbandonWords,
    CancelWords,
    ClientSettings,
    Level,
    Origin,
    OwnServer,
    Perturb,
    PhaseWords,
    PoolWords,
    Proxy,
    ProxyTls,
    Scenario,
    Sweep,
    Topology,
)
from harness.scenario.needs import needs
from harness.scenario.perturbing import packet_delay
from harness.scenario.reader import id_of, read_file, read_text
from harness.scenario.refusals import refusals
from harness.scenario.schema import json_schema
from harness.scenario.steps import (
    PhasePlan,
    PlannedCall,
    plan_phase,
    plan_workload,
    probe_nonce,
)
from harness.scenario.sweep import SWEPT, at_value, exact_duration, swept_value, variants
from harness.scenario.writing import Document, document_of, written

__all__ = [
    "FABRICS",
    "GLOSSARY",
    "KERNEL_FABRIC",
    "SWEPT",
    "AbandonWords",
    "CancelWords",
    "ClientSettings",
    "Document",
    "FabricWord",
    "Level",
    "Origin",
    "OwnServer",
    "Page",
    "Perturb",
    "PhasePlan",
    "PhaseWords",
    "PlannedCall",
    "PoolWords",
    "Proxy",
    "ProxyTls",
    "Row",
    "Scenario",
    "Sweep",
    "Topology",
    "at_value",
    "bundled_root",
    "default_root",
    "document_of",
    "exact_duration",
    "explain",
    "fabrics_of",
    "files_below",
    "find",
    "id_of",
    "json_schema",
    "listing",
    "needs",
    "packet_delay",
    "plan_phase",
    "plan_workload",
    "probe_nonce",
    "read_file",
    "read_text",
    "refusals",
    "swept_value",
    "variants",
    "words",
    "written",
]
