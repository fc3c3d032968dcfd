"""The package behind the two scripts. `docs/architecture.md` draws it."""
