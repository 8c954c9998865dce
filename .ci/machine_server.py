"""Print host:port/database of the PostgreSQL on this machine, if it lets us make what tests need.

That is two roles and an empty database of the owner's. Prints nothing when there is no server, or
when it is not ours to use. Roles and a database that exist stay as they are.
"""

import sys

import psycopg

from orchestra.embedded import APPLICATION_ROLE, OWNER_ROLE

ADDRESS = "127.0.0.1:5432"
DATABASE = "orchestra"
LEAST_POSTGRESQL = 150_000


def main() -> None:
    """Connect as whoever may make roles, then try what the tests do, as the owner."""
    for administrator in ("postgres", "root", OWNER_ROLE):
        try:
            make_roles(administrator)
            make_database(administrator)
            with psycopg.connect(
                f"postgresql://{OWNER_ROLE}@{ADDRESS}/postgres", connect_timeout=3
            ) as connection:
                if connection.info.server_version < LEAST_POSTGRESQL:
                    return
                may_create = connection.execute(
                    "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
                ).fetchone()
                connection.execute(f"SET ROLE {APPLICATION_ROLE}")
        except psycopg.Error:
            continue
        if may_create == (True,):
            sys.stdout.write(f"{ADDRESS}/{DATABASE}\n")
            return


def make_roles(administrator: str) -> None:
    """Make the owner and the application's role if they are missing."""
    address = f"postgresql://{administrator}@{ADDRESS}/postgres"
    with psycopg.connect(address, connect_timeout=3, autocommit=True) as connection:
        present = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        if OWNER_ROLE not in present:
            connection.execute(f"CREATE ROLE {OWNER_ROLE} LOGIN CREATEDB")
        if APPLICATION_ROLE not in present:
            connection.execute(f"CREATE ROLE {APPLICATION_ROLE} LOGIN")
        if not {OWNER_ROLE, APPLICATION_ROLE} <= present:
            connection.execute(f"GRANT {APPLICATION_ROLE} TO {OWNER_ROLE}")


def make_database(administrator: str) -> None:
    """Make the empty database that the checks connect to; tests make others beside it."""
    address = f"postgresql://{administrator}@{ADDRESS}/postgres"
    with psycopg.connect(address, connect_timeout=3, autocommit=True) as connection:
        present = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
        if DATABASE not in present:
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}")


if __name__ == "__main__":
    main()
