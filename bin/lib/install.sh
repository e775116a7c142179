# What has to be installed before anything starts; nothing is done twice. Sourced, never run.
# shellcheck shell=bash

PYTHON=${PYTHON:-python3}
INSTALL_MB=9000

# The newest PostgreSQL on this machine that has PostGIS, as its version number.
postgres_version() {
  local control
  for control in $(printf '%s\n' /usr/share/postgresql/*/extension/postgis.control | sort -Vr); do
    control=${control#/usr/share/postgresql/}
    [[ -x /usr/lib/postgresql/${control%%/*}/bin/initdb ]] && printf '%s' "${control%%/*}" && return
  done
  return 0
}

# missing_packages run|test: the Debian packages that are not here yet, one per line.
# postgresql-postgis stands for PostgreSQL 15 and PostGIS 3 on Debian 12.
missing_packages() {
  "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  [[ -n ${DATABASE_URL:-} || -n $(postgres_version) ]] || echo postgresql-postgis
  [[ -n ${REDIS_URL:-} ]] || command -v redis-server >/dev/null || echo redis-server
  # Tests of two worker hosts lay a network.
  [[ $1 == run ]] || command -v ip >/dev/null || echo iproute2
  [[ $1 == run || -n ${CHROMIUM:-} ]] || command -v chromium >/dev/null || printf '%s\n' chromium fonts-dejavu-core
}

# install_packages run|test
install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$1")
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null ||
    die "these are missing and only apt-get is known here: ${missing[*]}. Install them by hand and start again."
  require_disk / 1500 "Installing ${missing[*]}"
  say "installing Debian packages: ${missing[*]} …"
  as_root "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends ${missing[*]}"
  mapfile -t missing < <(missing_packages "$1")
  ((${#missing[@]} == 0)) ||
    die "still missing after installing: ${missing[*]}. Install them by hand, or set DATABASE_URL and REDIS_URL to servers that have them."
}

check_python() {
  "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "Python 3.11 or newer is needed and $PYTHON is $("$PYTHON" -V 2>&1): install one and name it with PYTHON=/path/to/python3."
}

# What .venv was made of: a stamp that differs means that it has to be brought up to date.
python_stamp() { { "$PYTHON" -V && echo "${TORCH_INDEX_URL:-}" && cat "$@"; } | sha256sum; }

# install_python run|test: .venv as the pinned requirements say
install_python() {
  local venv=$ROOT/.venv files=("$ROOT/requirements.txt") wanted
  [[ $1 == run ]] || files+=("$ROOT/requirements-test.txt")
  wanted=$(python_stamp "${files[@]}")
  [[ -f $venv/stamp-$1 && $(<"$venv/stamp-$1") == "$wanted" ]] && return
  check_python
  [[ -d $venv/lib ]] || require_disk "$ROOT" $INSTALL_MB "The first installation"
  [[ -x $venv/bin/pip ]] || step "$VAR/log/venv.log" "making .venv" "$PYTHON" -m venv "$venv"
  # torchvision works only beside the torch it was built for, so both come from the same index.
  [[ -z ${TORCH_INDEX_URL:-} ]] || step "$VAR/log/pip-torch.log" "installing torch from TORCH_INDEX_URL" \
    env PIP_INDEX_URL="$TORCH_INDEX_URL" "$venv/bin/pip" install $(grep -E '^torch(vision)?==' "$ROOT/requirements.txt")
  step "$VAR/log/pip.log" "installing Python packages (some minutes the first time)" \
    "$venv/bin/pip" install "${files[@]/#/--requirement=}"
  echo "$wanted" >"$venv/stamp-$1"
  python_stamp "$ROOT/requirements.txt" >"$venv/stamp-run"
}

# The browser's libraries, as package-lock.json says
install_node_modules() {
  local stamp=$ROOT/node_modules/.stamp wanted
  wanted=$(sha256sum <"$ROOT/package-lock.json")
  [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && return
  step "$VAR/log/npm.log" "installing browser libraries" \
    npm ci --prefix "$ROOT" --ignore-scripts --no-audit --no-fund
  echo "$wanted" >"$stamp"
}

# install run|test
install() {
  install_packages "$1"
  (
    flock 8 # bin/run and bin/test may be started side by side
    install_python "$1"
    install_node_modules
  ) 8<"$ROOT/requirements.txt" || exit 1
}
