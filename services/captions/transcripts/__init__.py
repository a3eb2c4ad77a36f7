"""What was said in a session, as files that people and players read."""
