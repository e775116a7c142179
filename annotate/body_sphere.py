"""SQL for the one sphere on which PostGIS keeps the features of every body.

`geography` with a radius other than the default one answers wrongly under a GiST index, so all
bodies share a sphere of PostGIS's own mean radius, and metres scale by R_body / R_sphere
(mlcore.geodesy). The index on `geom::geography` is an expression, never a column: a dump with a
geography column of a custom SRID does not restore.
"""

from mlcore.bodies import BODY_SPHERE_RADIUS_M, BODY_SPHERE_SRID

_WKT = (
    'GEOGCS["Tektite body sphere",DATUM["Tektite body sphere",'
    f'SPHEROID["Tektite body sphere",{BODY_SPHERE_RADIUS_M},0]],'
    'PRIMEM["Reference meridian",0],UNIT["degree",0.0174532925199433]]'
)
_PROJ4 = f"+proj=longlat +R={BODY_SPHERE_RADIUS_M} +no_defs"

CREATE = f"""
CREATE EXTENSION IF NOT EXISTS postgis;
INSERT INTO spatial_ref_sys (srid, auth_name, auth_srid, srtext, proj4text)
VALUES ({BODY_SPHERE_SRID}, 'TEKTITE', {BODY_SPHERE_SRID}, '{_WKT}', '{_PROJ4}')
ON CONFLICT (srid) DO UPDATE SET srtext = EXCLUDED.srtext, proj4text = EXCLUDED.proj4text;
"""
DROP = f"DELETE FROM spatial_ref_sys WHERE srid = {BODY_SPHERE_SRID};"


def geography_index(table: str) -> tuple[str, str]:
    """SQL that makes, and SQL that drops, the index for distances in metres on `table.geom`."""
    name = f"{table}_geom_geography"
    return (
        f"CREATE INDEX {name} ON {table} USING gist ((geom::geography));",
        f"DROP INDEX {name};",
    )
