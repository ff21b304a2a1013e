"""The person's history in one local SQLite file. Knows nothing of models.

What belongs where: `Store` is what others open; `database` has the connection, transactions and error
texts; `migrations` the tables; `upgrade` how a file gets them; `erasure` how text leaves the file; every
other module is one room of the store.
"""
