# Sourced by deploy/quickstart and tests/run: what they need from the distribution (Debian 12, 13 and their
# relatives), and how it is installed without leaving a service or a database cluster that was not there before.

build_packages=(
  gcc libc6-dev cmake ninja-build pkg-config
  libpq-dev libwebsockets-dev libwebsockets-evlib-uv libuv1-dev libjansson-dev libjwt-dev libssl-dev libsystemd-dev uthash-dev
)
server_packages=(postgresql)
needs="a C11 compiler, cmake 3.25 or newer, ninja, pkg-config, the development files of libpq, libwebsockets (built with
libuv), libuv, jansson, libjwt, OpenSSL, libsystemd and uthash, and a PostgreSQL server, 14 or newer"

have() { command -v "$1" > /dev/null; }

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# As root; for everybody else through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null)" = installed ]; }

# Prints the packages among its arguments that are not installed.
missing_packages() {
  local package
  for package; do
    is_installed "$package" || echo "$package"
  done
}

# Prints the folder of the newest server programs; fails when there are none.
server_bindir() {
  local folder
  for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(pg_config --bindir 2> /dev/null)"; do
    if [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ]; then
      echo "$folder"
      return
    fi
  done
  folder=$(command -v postgres) && dirname "$folder"
}

# While a server is installed: no service is started, and PostgreSQL's package makes no cluster. install_end
# puts everything back; services that came with a package are left switched off.
no_cluster=/etc/postgresql-common/createcluster.d/pgherald.conf
no_start=/usr/sbin/policy-rc.d
install_begin() {
  new_services=()
  local service
  for service in postgresql pgbouncer nginx haproxy prometheus; do
    [ -e "/etc/init.d/$service" ] || new_services+=("$service")
  done
  own_folders=$([ -d "${no_cluster%/*}" ] || echo yes)
  as_root mkdir -p "${no_cluster%/*}"
  echo 'create_main_cluster = false' | as_root tee "$no_cluster" > /dev/null
  own_no_start=
  if [ ! -e $no_start ]; then
    own_no_start=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee $no_start > /dev/null
    as_root chmod 755 $no_start
  fi
}

install_end() {
  local service
  as_root rm -f "$no_cluster"
  # The upper one goes only if the package did not come after all.
  [ -z "$own_folders" ] || as_root rmdir "${no_cluster%/*}" "${no_cluster%/*/*}" 2> /dev/null || true
  [ -z "$own_no_start" ] || as_root rm -f $no_start
  for service in "${new_services[@]}"; do
    [ -e "/etc/init.d/$service" ] || continue
    as_root update-rc.d "$service" disable > /dev/null 2>&1 || true
    ! have systemctl || as_root systemctl disable "$service" > /dev/null 2>&1 || true
  done
}

# install PACKAGE…: with apt-get, which is quiet unless it fails. A subshell, so that its trap is its own.
install() (
  set -e
  have apt-get || die "this is not a Debian-like system. Install by hand: $*"
  [ "$(id -u)" -eq 0 ] || have sudo || die "installing packages needs root: run this as root, install sudo, or run yourself:
  apt-get install --no-install-recommends $*"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  trap 'exit 1' INT TERM HUP
  case " $* " in
    *" postgresql "* | *" pgbouncer "* | *" nginx "* | *" haproxy "* | *" prometheus "*)
      trap 'install_end; rm -f "$log"' EXIT
      install_begin
      ;;
  esac
  echo "installing $*" >&2
  apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300)
  if ! { as_root "${apt[@]}" update && as_root "${apt[@]}" install --no-install-recommends "$@"; } > "$log" 2>&1 < /dev/null; then
    tail -n 25 "$log" >&2
    die "apt-get failed; what it said is above"
  fi
)

# configure_build FOLDER CMAKE-OPTION…: in the current directory, which is the checkout. Starts over in a
# folder that was configured for a checkout somewhere else.
configure_build() {
  local folder=$1 cache=$1/CMakeCache.txt
  shift
  if [ -e "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "$cache"; then
    rm -rf "$folder"
  fi
  cmake -S . -B "$folder" -G Ninja "$@"
}
