"""Alembic's migrations of the journal, run by `agentflow.runtime.journal.schema`."""
