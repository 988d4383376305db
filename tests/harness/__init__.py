"""What tests start and end: a PostgreSQL, a server process, a private desktop."""
