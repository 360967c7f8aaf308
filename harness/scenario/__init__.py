"""Scenarios: what they say as frozen values, how they are read, found, explained and planned.

``read_file`` and ``read_text`` make a ``Scenario`` or raise every mistake at once, ``find`` names
files, ``plan_workload`` turns phases into calls, ``json_schema`` and ``explain`` tell people and
editors what may be written. Nothing here acts: no clock, no socket, no task.
"""

from harness.scenario.catalogue import bundled_root, default_root, files_below, find
from harness.scenario.explain import Page, Row, explain, listing, words
from harness.scenario.glossary import GLOSSARY
from harness.scenario.model import (
    AbandonWords,
    CancelWords,
    ClientSettings,
    Level,
    Origin,
    PhaseWords,
    PoolWords,
    Proxy,
    ProxyTls,
    Scenario,
)
from harness.scenario.reader import id_of, read_file, read_text
from harness.scenario.schema import json_schema
from harness.scenario.steps import (
    PhasePlan,
    PlannedCall,
    plan_phase,
    plan_workload,
    probe_nonce,
)

__all__ = [
    "GLOSSARY",
    "AbandonWords",
    "CancelWords",
    "ClientSettings",
    "Level",
    "Origin",
    "Page",
    "PhasePlan",
    "PhaseWords",
    "PlannedCall",
    "PoolWords",
    "Proxy",
    "ProxyTls",
    "Row",
    "Scenario",
    "bundled_root",
    "default_root",
    "explain",
    "files_below",
    "find",
    "id_of",
    "json_schema",
    "listing",
    "plan_phase",
    "plan_workload",
    "probe_nonce",
    "read_file",
    "read_text",
    "words",
]
