"""Builds and deployments on PostgreSQL."""

from __future__ import annotations

import json

import psycopg

from codemation.core.errors import HostError
from codemation.core.ports import Deployment, NewDeployment
from codemation.host.postgres.codes import FIRST_FINISHED, digest_bytes
from codemation.host.postgres.connection import Connections
from codemation.host.postgres.rows import storable
from codemation.host.postgres.statements import statement

_KEEP = statement("INSERT INTO bundles (digest, archive) VALUES (:digest, :archive) ON CONFLICT (digest) DO NOTHING")
# Who deploys is alone with the list: two who deploy the same build at once make one deployment.
_ALONE = statement("SELECT pg_advisory_xact_lock(hashtextextended('codemation deployments', 0))")
_BUILD = statement("INSERT INTO builds (digest, manifest) VALUES (:build, :manifest) ON CONFLICT (digest) DO NOTHING")
_CODE = statement("""
    INSERT INTO deployed_code (definition, bundle, file, build)
    SELECT decode(one ->> 0, 'hex'), decode(one ->> 1, 'hex'), one ->> 2, :build
    FROM json_array_elements(:code::json) AS one
    ON CONFLICT (definition) DO UPDATE SET bundle = excluded.bundle, file = excluded.file, build = excluded.build""")
_LATEST = "SELECT id::text, encode(build, 'hex'), at, who, message FROM deployments ORDER BY at DESC, id DESC"
_DEPLOY = statement("""
    INSERT INTO deployments (id, build, who, message) SELECT :id::uuid, :build, :who, :message
    WHERE :build IS DISTINCT FROM (SELECT build FROM deployments ORDER BY at DESC, id DESC LIMIT 1)""")
_COUNTS = statement(f"{_LATEST} LIMIT 1")
_LIST = statement(f"{_LATEST} LIMIT :most::int")
_MANIFEST = statement("SELECT manifest FROM builds WHERE digest = :digest")
_PLACE = statement("SELECT encode(bundle, 'hex'), file FROM deployed_code WHERE definition = :digest")
_DEFINITIONS = statement("SELECT encode(definition, 'hex') FROM deployed_code")
_BUNDLE = statement("SELECT archive FROM bundles WHERE digest = :digest")
_FORGET = statement("""
    DELETE FROM deployments WHERE id IN (SELECT id FROM deployments ORDER BY at DESC, id DESC OFFSET :keep::int)""")
_FORGET_CODE = statement(f"""
    DELETE FROM deployed_code AS code WHERE NOT EXISTS (SELECT FROM deployments WHERE build = code.build)
    AND NOT EXISTS (SELECT FROM runs
                    WHERE finished_at IS NULL AND status < {FIRST_FINISHED} AND digest = code.definition)""")
_FORGET_BUILDS = statement("""
    DELETE FROM builds WHERE NOT EXISTS (SELECT FROM deployments WHERE build = builds.digest)
    AND NOT EXISTS (SELECT FROM deployed_code WHERE build = builds.digest)""")
# One that was kept a moment ago belongs to somebody who is about to deploy it.
_FORGET_BUNDLES = statement("""
    DELETE FROM bundles WHERE at < now_() - interval '1 hour'
    AND NOT EXISTS (SELECT FROM deployed_code WHERE bundle = bundles.digest)""")


class PostgresDeployments:
    """Which builds have been deployed."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def keep(self, bundle: str, archive: bytes) -> None:
        """Keep a bundle of files under its digest; again is harmless."""
        with self._connections.lease() as link:
            link.run(_KEEP, {"digest": digest_bytes(bundle), "archive": archive})

    def deploy(self, deployment: NewDeployment) -> Deployment:
        """Let a build count from now on.

        Raises:
            HostError: a bundle of it is not kept.
        """
        code = [[definition, *place] for definition, place in sorted(deployment.code.items())]
        values = {
            "id": deployment.id,
            "build": digest_bytes(deployment.build),
            "manifest": storable(deployment.manifest),
            "code": json.dumps(code),
            "who": storable(deployment.who),
            "message": storable(deployment.message),
        }
        with self._connections.lease() as link:
            try:
                rows = link.last((_ALONE, {}), (_BUILD, values), (_CODE, values), (_DEPLOY, values), (_COUNTS, {}))
            except psycopg.errors.ForeignKeyViolation:
                raise HostError("a bundle of the build is not kept", way_out="deploy the build as a whole") from None
        return Deployment(**dict(zip(_FIELDS, rows[0], strict=True)))

    def list(self, limit: int = 50) -> tuple[Deployment, ...]:
        """The deployments, the latest first."""
        with self._connections.lease() as link:
            rows = link.all(_LIST, {"most": limit})
        return tuple(Deployment(**dict(zip(_FIELDS, row, strict=True))) for row in rows)

    def manifest(self, build: str) -> str:
        """What is in a build that was deployed.

        Raises:
            HostError: it is not there.
        """
        with self._connections.lease() as link:
            row = link.one(_MANIFEST, {"digest": digest_bytes(build)})
        if row is None:
            raise HostError(f"no build {build[:12]} has been deployed", way_out="see: codemation deployments list")
        return str(row[0])

    def code(self, definition: str) -> tuple[str, str] | None:
        """The bundle that holds the code of a definition, and the file in it."""
        with self._connections.lease() as link:
            row = link.one(_PLACE, {"digest": digest_bytes(definition)})
        return None if row is None else (row[0], row[1])

    def definitions(self) -> frozenset[str]:
        """The digests of all definitions whose code is kept."""
        with self._connections.lease() as link:
            return frozenset(row[0] for row in link.all(_DEFINITIONS, {}))

    def bundle(self, digest: str) -> bytes:
        """The files.

        Raises:
            HostError: they are not kept.
        """
        with self._connections.lease() as link:
            row = link.one(_BUNDLE, {"digest": digest_bytes(digest)})
        if row is None:
            raise HostError(f"bundle {digest[:12]} is not kept", way_out="deploy the build again")
        return bytes(row[0])

    def forget(self, keep: int) -> int:
        """Forget all but so many deployments, and code that nobody needs."""
        with self._connections.lease() as link:
            _, forgotten, *_ = link.together(
                (_ALONE, {}), (_FORGET, {"keep": keep}), (_FORGET_CODE, {}), (_FORGET_BUILDS, {}), (_FORGET_BUNDLES, {})
            )
        return forgotten


_FIELDS = ("id", "build", "at", "who", "message")
