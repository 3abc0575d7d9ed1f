# Sourced by tests/bench/run and tests/bench/writers: the private cluster with everything each server needs in it, and
# the servers, one at a time or several relays. The sourcing script has set `checkout` and sourced deploy/debian.sh and
# tests/sql/cluster.sh.

bench_build=$checkout/build/bench
pgherald=$bench_build/pgherald
server_pids=() server_ports=()
bench_users=${BENCH_USERS:-120000}

bench_build() {
  configure_build build/bench -DHERALD_BENCH=ON > /dev/null && cmake --build build/bench > /dev/null
}

sql() { psql -qXAt -v ON_ERROR_STOP=1 -h "$cluster_dir" -U postgres postgres "$@"; }

bench_stop() {
  servers_stop
  cluster_stop
  rm -rf "$bench_keys"
}

# bench_start: the cluster, pgherald's schema, the users of all, keys for tokens.
bench_start() {
  bench_keys=$(mktemp -d)
  cluster_start "$(cluster_bindir)"
  trap bench_stop EXIT
  cd "$checkout"
  database="host=$cluster_dir user=postgres dbname=postgres"
  HERALD_DATABASE_URL=$database "$pgherald" migrate > /dev/null
  sql -c "insert into herald.users (id, username) select 'bench' || n, 'bench' || n from generate_series(0, $bench_users - 1) n" \
    -c "create role relay login" -c "grant herald_relay to relay"
  printf %s "$(openssl rand -hex 32)" > "$bench_keys/HS256"
  cp "$bench_keys/HS256" "$bench_keys/HS256.verify"
  openssl ecparam -name prime256v1 -genkey -noout -out "$bench_keys/ES256"
  openssl ec -in "$bench_keys/ES256" -pubout -out "$bench_keys/ES256.verify" 2> /dev/null
}

# The peers' schemas; only for who measures them.
peers_start() {
  sql -v schema=bare -v users="$bench_users" -v payload="new.user_id || ' {\"type\":\"new_notification\",\"notification\":' || row_to_json(new) || '}'" \
    -f "$checkout/tests/bench/peer.sql"
  sql -v schema=node -v users="$bench_users" -v payload="row_to_json(new)::text" -f "$checkout/tests/bench/peer.sql"
  sql -c "analyze herald.users, bare.users, node.users"
  (
    cd "$checkout/tests/bench/peer_node"
    [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error
  )
}

server_schema() { [ "$1" = pgherald ] && echo herald || echo "$1"; }

# server_start NAME: pgherald, bare or node, on a port of its own, verifying tokens by $alg (HS256). HERALD_* of the
# caller reach it where nothing is set here; server_env wins over some of that.
server_start() {
  local port=$((20000 + RANDOM % 10000)) keys=$bench_keys/${alg:-HS256}.verify
  case $1 in
    pgherald)
      env HERALD_WORKERS=1 HERALD_MAX_CONNECTIONS=1000000 HERALD_MAX_CONNECTIONS_PER_IP=1000000 \
        HERALD_MAX_CONNECTIONS_PER_USER=1000000 HERALD_RATE_LIMIT=100000/s:100000 HERALD_RATE_LIMIT_PER_USER=100000/s:100000 \
        HERALD_LOG_LEVEL=error "${server_env[@]}" HERALD_DATABASE_URL="host=$cluster_dir user=relay dbname=postgres" \
        HERALD_LISTEN="127.0.0.1:$port" HERALD_AUTH=jwt HERALD_JWT_ALG="${alg:-HS256}" HERALD_JWT_KEY_FILE="$keys" \
        "$pgherald" serve &
      ;;
    bare) "$bench_build/tests/bench/bench_epoll" "$port" "$database" & ;;
    node)
      PORT=$port PGHOST=$cluster_dir PGUSER=postgres PGDATABASE=postgres JWT_ALG=${alg:-HS256} JWT_KEY_FILE=$keys \
        node "$checkout/tests/bench/peer_node/server.mjs" &
      ;;
  esac
  server_pids+=($!) server_ports+=("$port")
  server_await "$1" "$port"
}

server_env=()

# Until it takes connections and, if it says so, changes would arrive.
server_await() {
  for _ in $(seq 100); do
    if (exec 3<> "/dev/tcp/127.0.0.1/$2" && { [ "$1" != pgherald ] || { printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && grep -q ' 200' <&3; }; }) 2> /dev/null; then
      return
    fi
    sleep 0.1
  done
  die "$1 does not get ready"
}

servers_stop() {
  local pid
  for pid in "${server_pids[@]}"; do
    kill "$pid" 2> /dev/null || true
  done
  for pid in "${server_pids[@]}"; do
    wait "$pid" 2> /dev/null || true
  done
  server_pids=() server_ports=()
}

joined() { local IFS=,; echo "$*"; }

# bench SERVER ROUND OPTION…: the load generator against what has been started.
bench() {
  local server=$1 round=$2
  shift 2
  "$bench_build/tests/bench/herald_bench" --server "$server" --round "$round" --raw "$raw" --alg "${alg:-HS256}" \
    --key "$bench_keys/${alg:-HS256}" --database "$database" --table "$(server_schema "$server").notifications" \
    --postgres "$(head -n 1 "$cluster_dir/data/postmaster.pid")" --port "$(joined "${server_ports[@]}")" \
    --pid "$(joined "${server_pids[@]}")" "$@"
}
