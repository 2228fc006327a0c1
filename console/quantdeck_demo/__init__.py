"""The demo: two hosts, real engines, real traffic and a rollback, through the same doors as production."""
