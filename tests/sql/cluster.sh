# Sourced by the scripts beside it: a throw-away PostgreSQL cluster of its own, never as root, without TCP.
# cluster_start BINDIR sets PGHOST and PGUSER; cluster_stop removes everything, and is run at exit.

cluster_dir=

# The server's programs refuse to run as root: then they belong to the system user postgres.
cluster_user() {
  if [ "$(id -u)" -eq 0 ]; then
    setpriv --reuid=postgres --regid=postgres --init-groups "$@"
  else
    "$@"
  fi
}

# Prints the directory of the newest server here, or of the one the caller wants.
cluster_bindir() {
  local dir
  if [ -n "${PGBIN:-}" ]; then
    echo "$PGBIN"
    return
  fi
  dir=$(find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -n 1)
  dir=${dir:-$(command -v postgres || true)}
  [ -n "$dir" ] || { echo "no PostgreSQL server found; set PGBIN to its bin directory" >&2; return 1; }
  dirname "$dir"
}

cluster_start() {
  local bindir=$1
  cluster_dir=$(mktemp -d /tmp/pgherald-sql.XXXXXX)
  trap cluster_stop EXIT
  trap 'exit 130' INT TERM
  [ "$(id -u)" -ne 0 ] || chown postgres: "$cluster_dir"
  cluster_bin=$bindir
  cd "$cluster_dir"
  cluster_user "$bindir/initdb" -D "$cluster_dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
    > "$cluster_dir/initdb.log" 2>&1 || { cat "$cluster_dir/initdb.log" >&2; return 1; }
  cluster_user "$bindir/pg_ctl" -D "$cluster_dir/data" -l "$cluster_dir/server.log" -w start \
    -o "-c listen_addresses='' -k $cluster_dir -c fsync=${CLUSTER_FSYNC:-off} -c max_prepared_transactions=4 -c autovacuum=off" \
    > /dev/null || { cat "$cluster_dir/server.log" >&2; return 1; }
  export PGHOST=$cluster_dir PGUSER=postgres PATH=$bindir:$PATH
  unset PGPORT PGDATABASE PGOPTIONS PGPASSWORD PGSERVICE
}

cluster_stop() {
  [ -n "$cluster_dir" ] || return 0
  if [ -f "$cluster_dir/data/postmaster.pid" ]; then
    cluster_user "$cluster_bin/pg_ctl" -D "$cluster_dir/data" -m immediate -w stop > /dev/null 2>&1 || true
  fi
  cd /
  rm -rf "$cluster_dir"
  cluster_dir=
}
