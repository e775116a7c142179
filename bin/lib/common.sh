# How bin/run and bin/test speak and where things are. Sourced, never run.
# shellcheck shell=bash

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
VAR=${TEKTITE_VAR:-$ROOT/var}
STEP_PID=""

say() { printf 'tektite: %s\n' "$*"; }

die() {
  printf 'tektite: %s\n' "$*" >&2
  exit 1
}

# step LOG WHAT COMMAND…: say what is done, keep its output in LOG, show the end of it on failure.
# The command runs in the background because only `wait` lets a signal through to our traps.
step() {
  local log=$1 what=$2 status=0
  shift 2
  say "$what …"
  setsid setpriv --pdeathsig TERM "$@" >"$log" 2>&1 </dev/null 9>&- &
  STEP_PID=$!
  wait "$STEP_PID" || status=$?
  STEP_PID=""
  ((status == 0)) && return
  tail -n 15 "$log" >&2
  die "$what failed (the lines above are the end of $log)."
}

# as_root LINE: run a line of shell as root, or say who has to
as_root() {
  if ((EUID == 0)); then
    sh -c "$1" </dev/null || die "this failed: $1"
  elif command -v sudo >/dev/null; then
    sudo sh -c "$1" </dev/null || die "this failed, or sudo did not allow it. As root run: $1"
  else
    die "root is needed and there is no sudo here. As root run: $1"
  fi
}

# require_disk FOLDER MEGABYTES WHAT
require_disk() {
  local free_mb
  free_mb=$(df -Pm "$1" | awk 'NR == 2 {print $4}')
  ((free_mb >= $2)) ||
    die "$3 needs $2 MB and only $free_mb MB are free on the disk of $1: free some, or use a larger disk."
}

make_var() {
  mkdir -p "$VAR/log" 2>/dev/null && [[ -w $VAR && -w $VAR/log ]] ||
    die "$VAR cannot be written by $(id -un): start as its owner, or name another folder with TEKTITE_VAR."
}

# only_one LOCK MESSAGE: die with MESSAGE while another process holds LOCK. Descriptor 9 keeps it.
only_one() {
  exec 9>>"$1"
  flock --nonblock 9 || die "$2"
}

# secret_file FILE: a random string, made once, readable by the owner alone
secret_file() {
  [[ -s $1 ]] || (umask 077 && "$ROOT/.venv/bin/python" -c 'import secrets; print(secrets.token_urlsafe(48))' >"$1")
  cat "$1"
}
