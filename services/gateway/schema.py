"""The journal's tables, and how the journal of an older gateway gets what it has not."""

from __future__ import annotations

import sqlite3

from services.errors import WrongState

# Told apart by what an older gateway would do wrong with it; new tables and columns alone are none.
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS journal (journal_id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
  session_id TEXT PRIMARY KEY,
  config BLOB NOT NULL,
  start_time_ms INTEGER NOT NULL,
  end_time_ms INTEGER,
  settled_sample INTEGER NOT NULL DEFAULT 0,
  revision_epoch INTEGER NOT NULL DEFAULT 0,
  final_count INTEGER NOT NULL DEFAULT 0,
  first_sequence INTEGER NOT NULL DEFAULT 0,
  last_sequence INTEGER NOT NULL DEFAULT 0,
  held_from_sample INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  session_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  segment_id INTEGER NOT NULL DEFAULT 0,
  language TEXT NOT NULL DEFAULT '',
  event BLOB NOT NULL,
  checksum INTEGER
);
CREATE INDEX IF NOT EXISTS events_of_session ON events (session_id, sequence);
CREATE INDEX IF NOT EXISTS events_of_segment ON events (session_id, segment_id);
CREATE UNIQUE INDEX IF NOT EXISTS one_event_a_segment
  ON events (session_id, segment_id, language, kind)
  WHERE kind IN ('transcript', 'translation', 'translation_failed', 'pair_scored');
CREATE UNIQUE INDEX IF NOT EXISTS one_alternative_a_segment
  ON events (session_id, segment_id, language) WHERE kind = 'alternative_translation';
CREATE INDEX IF NOT EXISTS suppressed_of_session
  ON events (session_id, sequence) WHERE kind = 'segment_suppressed';
CREATE INDEX IF NOT EXISTS screens_of_journal ON events (sequence) WHERE kind = 'screens';
CREATE TABLE IF NOT EXISTS reviews (
  review_id TEXT PRIMARY KEY,
  session_id TEXT NOT NULL,
  segment_id INTEGER NOT NULL,
  language TEXT NOT NULL,
  revision INTEGER NOT NULL,
  decision INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL,
  sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reviews_of_pair ON reviews (session_id, segment_id, language);
CREATE TABLE IF NOT EXISTS forgetting (
  session_id TEXT PRIMARY KEY,
  event_count INTEGER NOT NULL,
  audio_bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owed (
  sequence INTEGER NOT NULL,
  stage TEXT NOT NULL,
  session_id TEXT NOT NULL,
  segment_id INTEGER NOT NULL,
  language TEXT NOT NULL,
  PRIMARY KEY (stage, sequence, language)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owed_of_session ON owed (session_id, stage);
"""

# What tables got after journals were written with them: table, column, type.
_ADDED_COLUMNS = (
    ("sessions", "held_from_sample", "INTEGER"),
    ("events", "checksum", "INTEGER"),
)


def prepare(connection: sqlite3.Connection) -> None:
    """Makes what a journal has not yet; its rows stay as they are.

    Raises:
        WrongState: JOURNAL_NEWER.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise WrongState(
            "JOURNAL_NEWER",
            f"a newer Glossa wrote this journal (version {version}, known here: {_VERSION}); start "
            "that one, or put the copy in its place that was made before the upgrade",
        )
    connection.executescript(_SCHEMA)
    for table, column, kind in _ADDED_COLUMNS:
        known = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
        if column not in known:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
