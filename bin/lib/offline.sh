# For bin/backup and bin/restore: a database to work on, whether bin/run runs or not. Sourced, never run.
# shellcheck shell=bash

OUR_POSTGRES=""
OFFLINE_PID=""

# absolute PATH: as seen from where the command was typed
absolute() { [[ $1 == /* ]] && printf '%s' "$1" || printf '%s/%s' "$PWD" "$1"; }

# absolute_paths ARGUMENT…: the arguments, in ARGUMENTS, with the paths among them made absolute
absolute_paths() {
  local argument before=""
  ARGUMENTS=()
  for argument in "$@"; do
    # What follows --keep or --reread-days is a number.
    [[ $argument == -* || $before == --keep || $before == --reread-days ]] || argument=$(absolute "$argument")
    ARGUMENTS+=("$argument")
    before=$argument
  done
}

# manage COMMAND…: in the background, because only `wait` lets a signal through to our traps
manage() {
  local status=0
  setpriv --pdeathsig TERM .venv/bin/python manage.py "$@" 9>&- &
  OFFLINE_PID=$!
  wait "$OFFLINE_PID" || status=$?
  OFFLINE_PID=""
  return "$status"
}

stop_offline() {
  if [[ -n $OFFLINE_PID ]]; then
    kill -TERM "$OFFLINE_PID" 2>/dev/null || true
    wait "$OFFLINE_PID" || true
  fi
  [[ -z $OUR_POSTGRES ]] || { stop_postgres && remove_sockets; }
}

# with_database WHEN_RUNNING: the database of DATABASE_URL, of a bin/run that runs, or our own started for this.
# WHEN_RUNNING is what to do beside a bin/run that runs: `share` its servers, or die with this sentence.
with_database() {
  trap stop_offline EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  export TEKTITE_VAR=$VAR
  if [[ -z ${DATABASE_URL:-} ]]; then
    exec 9>>"$VAR/lock"
    if ! flock --nonblock 9; then
      [[ $1 == share ]] || die "$1"
      [[ -f $VAR/environment ]] || die "Tektite is just starting or stopping in $VAR: try again in a minute."
      return
    fi
    OUR_POSTGRES=1
    start_postgres
  fi
  export SECRET_KEY=${SECRET_KEY:-$(secret_file "$VAR/secret-key")}
}
