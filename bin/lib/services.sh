# The web server, beat and the workers, as children of bin/run that do not outlive it. Sourced, never run.
# shellcheck shell=bash

declare -A SERVICES=() # name → process id, which is also its process group
LOGS_PID=""

# serve NAME COMMAND…: each in a group of its own, so that Ctrl-C reaches only bin/run, which stops them in order.
# A shell's background commands begin with INT and QUIT ignored, and could not be stopped while they load.
serve() {
  local name=$1
  shift
  setsid setpriv --pdeathsig TERM env --default-signal=INT,QUIT "$@" >>"$VAR/log/$name.log" 2>&1 </dev/null 9>&- &
  SERVICES[$name]=$!
}

worker() { # worker NAME OPTION…
  local name=$1
  shift
  serve "worker-$name" celery --app webapp --quiet worker --queues "$name" --hostname "$name@%h" \
    --loglevel INFO --without-mingle "$@"
}

# All of them append, and so do PostgreSQL and Redis: a log may be emptied under their feet. Nobody depends on it.
keep_logs_small() {
  setsid setpriv --pdeathsig TERM python "$ROOT/bin/lib/rotate_logs.py" "${LOG_BYTES:-20000000}" "${LOG_COPIES:-5}" \
    "$VAR/log" ${PG_HOME:+"$PG_HOME/log"} >>"$VAR/log/rotation.log" 2>&1 </dev/null 9>&- &
  LOGS_PID=$!
}

# start_services [COMMAND…]: the web server, then what COMMAND waits for, then the others
start_services() {
  keep_logs_small
  serve web gunicorn webapp.wsgi --bind "$HOST:$PORT" --workers "$WEB_CONCURRENCY" --timeout 300 \
    --worker-class gthread --threads 4 --preload --no-control-socket \
    --logger-class webapp.logging_gunicorn.Logger --access-logfile "$VAR/log/access.log"
  # On few cores it would be kept waiting by the others, which take as long to load as it does.
  "$@"
  serve beat celery --app webapp --quiet beat --schedule "$VAR/beat-schedule" --pidfile= --loglevel INFO
  worker default --concurrency 2
  # One process per accelerator; it takes one task at a time and gives the rest of the queue to others.
  worker gpu --concurrency 1 --prefetch-multiplier 1
}

alive() { kill -0 -- "-$1" 2>/dev/null; }

# A worker that gets QUIT puts its task back into the queue, for the next start; TERM would wait for its end.
stop_services() {
  local name pid patience begun=$SECONDS
  [[ -z $LOGS_PID ]] || kill -TERM -- "-$LOGS_PID" 2>/dev/null || true
  for name in "${!SERVICES[@]}"; do
    case $name in
      worker-*) kill -QUIT "${SERVICES[$name]}" 2>/dev/null || true ;;
      *) kill -TERM "${SERVICES[$name]}" 2>/dev/null || true ;;
    esac
  done
  for name in "${!SERVICES[@]}"; do
    pid=${SERVICES[$name]}
    # The others hold nothing that could be lost; on a busy machine Python takes long to take itself apart.
    patience=$([[ $name == worker-* ]] && echo 20 || echo 8)
    while alive "$pid" && ((SECONDS - begun < patience)); do sleep 0.1; done
    ! alive "$pid" || kill -KILL -- "-$pid" 2>/dev/null || true
  done
  SERVICES=()
}

# wait_for PID: until it ends, with its status; meanwhile all services have to live. Without a PID: for ever.
wait_for() {
  local pid name status=0
  wait -n -p pid "$@" "${SERVICES[@]}" || status=$?
  [[ $pid != "${1:-}" ]] || return "$status"
  for name in "${!SERVICES[@]}"; do
    [[ ${SERVICES[$name]} != "$pid" ]] || break
  done
  tail -n 15 "$VAR/log/$name.log" >&2
  die "$name ended by itself (the lines above are the end of $VAR/log/$name.log)."
}
