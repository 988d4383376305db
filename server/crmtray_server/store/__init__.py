"""The server's own database: tables, the feed, accounts, sessions. One module a noun, SQLAlchemy Core.

Functions take a Connection inside a transaction that `database.Store` opened; none of them commits.
"""
