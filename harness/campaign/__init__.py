"""Campaigns: many runs in virtual time, to find what one run doesn't show.

``explore`` runs a scenario with many seeds, each with times of its own; ``shrink`` makes the first
failure small, ``story`` tells it in ten lines, and ``export`` writes it down so that anybody can
run it again.
"""

from harness.campaign.explore import Exploration, Outcome, explore, perturbed, run_seed
from harness.campaign.export import export
from harness.campaign.minimise import Minimal, minimise
from harness.campaign.perturbation import perturbation
from harness.campaign.shrink import Shrunk, shrink
from harness.campaign.story import story
from harness.campaign.target import Target, target_of

__all__ = [
    "Exploration",
    "Minimal",
    "Outcome",
    "Shrunk",
    "Target",
    "explore",
    "export",
    "minimise",
    "perturbation",
    "perturbed",
    "run_seed",
    "shrink",
    "story",
    "target_of",
]
