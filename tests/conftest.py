"""What all tests share: hypothesis doesn't judge by speed, for machines are shared and noisy."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("patient")

pytest_plugins = ["pytester"]  # pytest takes it here alone; tests/pytest_plugin needs it
