# The project's own PostgreSQL and Redis: unix sockets only, nothing on the network. Sourced, never run.
# shellcheck shell=bash

# Socket paths may have 107 bytes; PostgreSQL's ends in /.s.PGSQL.5432.
HASH=$(printf '%s' "$VAR" | sha256sum | cut -c1-8)
SOCKETS=${TEKTITE_SOCKETS:-/tmp/tektite-$EUID-$HASH}
POSTGRES_OPTIONS=""
PG_AS=() # how to become the cluster's user: nothing, or runuser for root

check_socket_length() {
  local path=$SOCKETS/.s.PGSQL.5432
  ((${#path} <= 107)) ||
    die "the socket $path has ${#path} bytes and the system allows 107: set TEKTITE_SOCKETS to a short folder such as /tmp/tektite."
}

# make_sockets USER: their folder, open to the user of the servers alone
make_sockets() {
  check_socket_length
  mkdir -m 700 "$SOCKETS" 2>/dev/null && chown "$1" "$SOCKETS"
  [[ $(stat -c %U "$SOCKETS") == "$1" ]] ||
    die "$SOCKETS belongs to $(stat -c %U "$SOCKETS") and not to $1: remove it, or set TEKTITE_SOCKETS to another folder."
  chmod 700 "$SOCKETS"
}

# PostgreSQL refuses to run as root, so root starts it as the user postgres, in a place that user can enter.
locate_cluster() {
  PG_HOME=$VAR/postgres
  PG_USER=$(id -un)
  if ((EUID == 0)); then
    PG_USER=postgres
    PG_AS=(runuser -u postgres --)
    runuser -u postgres -- test -x "$VAR" || PG_HOME=/var/lib/tektite/$HASH
    [[ $PG_HOME == "$VAR"/* ]] || say "the user postgres cannot enter $VAR, so the database is in $PG_HOME"
  fi
  if [[ -d $PG_HOME && $(stat -c %U "$PG_HOME") != "$PG_USER" ]]; then
    die "the database in $PG_HOME belongs to $(stat -c %U "$PG_HOME"), not to $PG_USER: start as the user of the first start, or name another folder with TEKTITE_VAR."
  fi
  local version
  version=$(cat "$PG_HOME/data/PG_VERSION" 2>/dev/null || postgres_version)
  PG_BIN=/usr/lib/postgresql/$version/bin
  [[ -x $PG_BIN/pg_ctl && -f /usr/share/postgresql/$version/extension/postgis.control ]] ||
    die "the database in $PG_HOME needs PostgreSQL $version with PostGIS: install postgresql-$version-postgis-3."
}

# In /, because the servers' user may not be able to enter the present folder.
as_postgres() { (cd / && "${PG_AS[@]}" "$@" 9>&-); }

start_postgres() {
  local tries=0
  locate_cluster
  make_sockets "$PG_USER"
  command install -d -m 755 "$(dirname "$PG_HOME")"
  command install -d -m 700 -o "$PG_USER" "$PG_HOME"
  if [[ ! -f $PG_HOME/data/PG_VERSION ]]; then
    require_disk "$PG_HOME" 500 "The database"
    say "making the database in $PG_HOME …"
    as_postgres "$PG_BIN/initdb" -D "$PG_HOME/data" -U app --auth-local=trust --auth-host=reject \
      -E UTF8 --locale=C.UTF-8 >"$VAR/log/initdb.log" 2>&1 || die "initdb failed: see $VAR/log/initdb.log."
  fi
  # A server that was killed a moment ago may still hold its shared memory: try again for a while. Whether one
  # runs is asked at its socket, since pg_ctl believes a process id that is dying or somebody else's by now.
  until "$PG_BIN/pg_isready" -q -h "$SOCKETS" || as_postgres "$PG_BIN/pg_ctl" \
    -D "$PG_HOME/data" -w -l "$PG_HOME/log" start \
    -o "-c listen_addresses='' -c unix_socket_directories='$SOCKETS' $POSTGRES_OPTIONS" >/dev/null 2>&1; do
    ((++tries < 6)) || die "PostgreSQL does not start: the reason is at the end of $PG_HOME/log."
    sleep 1
  done
  "$PG_BIN/psql" -h "$SOCKETS" -U app -d postgres -Atc "SELECT datname FROM pg_database" | grep -qx tektite ||
    "$PG_BIN/createdb" -h "$SOCKETS" -U app tektite
  export DATABASE_URL="postgis://app@/tektite?host=$SOCKETS"
}

# The migrations that there are, and those that our own database has had; nothing where it has none, or is not ours.
migrations_stamp() {
  local had
  had=$("$PG_BIN/psql" -h "$SOCKETS" -U app -d tektite -Atc \
    "SELECT md5(string_agg(app || '.' || name, ' ' ORDER BY app, name)) FROM django_migrations" 2>/dev/null) || return 0
  { echo "$had" && cat "$ROOT/requirements.txt" && find "$ROOT"/*/migrations -name '*.py' -exec sha256sum {} + | sort; } | sha256sum
}

stop_postgres() { as_postgres "$PG_BIN/pg_ctl" -D "$PG_HOME/data" -w -m fast stop >/dev/null 2>&1 || true; }

redis_private() { redis-cli -s "$SOCKETS/redis.sock" "$@" 2>/dev/null 9>&-; }

# start_redis OPTION…: it holds the queue, so bin/run asks for an append-only file
start_redis() {
  local tries=0
  [[ -d $SOCKETS ]] || make_sockets "$(id -un)"
  mkdir -p "$VAR/redis"
  [[ $(redis_private ping) == PONG ]] || redis-server --port 0 --unixsocket "$SOCKETS/redis.sock" --unixsocketperm 700 \
    --dir "$VAR/redis" --daemonize yes --pidfile "$VAR/redis/pid" --logfile "$VAR/log/redis.log" "$@" >/dev/null 9>&-
  until [[ $(redis_private ping) == PONG ]]; do
    ((++tries < 50)) || die "Redis does not start: the reason is at the end of $VAR/log/redis.log."
    sleep 0.1
  done
  export REDIS_URL="unix://$SOCKETS/redis.sock?db=1"
  export CELERY_BROKER_URL="redis+socket://$SOCKETS/redis.sock?virtual_host=2"
}

# On a full disk it refuses to end with a last snapshot; the append-only file has everything anyway.
stop_redis() { redis_private shutdown || redis_private shutdown nosave || true; }

# The sockets' folder goes last, once nobody listens in it.
remove_sockets() { rmdir "$SOCKETS" 2>/dev/null || true; }
