#!/bin/sh
# Installs the Debian packages of MariaDB, RabbitMQ, Redis and the tests' foreign client that are missing. Tests and `make up` start private
# instances of their own; the system's services are neither needed nor left running by this script.
set -eu

packages=""
present() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/usr/lib/rabbitmq/bin/$1" ]; }
present mariadbd || packages="$packages mariadb-server"
present rabbitmq-server || packages="$packages rabbitmq-server"
present redis-server || packages="$packages redis-server"
# A gRPC client that is not ours, for the tests: Debian's Python with grpcio, and protoc for its classes.
/usr/bin/python3 -c 'import grpc, google.protobuf' >/dev/null 2>&1 || packages="$packages python3-grpcio python3-protobuf"
present protoc || packages="$packages protobuf-compiler"
# protoc only recommends the package of the well-known types, and recommendations are not installed.
[ -e /usr/include/google/protobuf/timestamp.proto ] || packages="$packages libprotobuf-dev"

if [ -z "$packages" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$packages; install them (on Debian as root: apt-get install$packages)" >&2
    exit 1
fi

# Debian starts a service as it is installed, unless this file says 101. One that is there already is left alone.
policy=/usr/sbin/policy-rc.d
made_policy=""
clean_up() { if [ -n "$made_policy" ]; then rm -f "$policy"; fi; }
trap clean_up EXIT
trap 'exit 1' INT TERM
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made_policy=yes
fi

echo "installing:$packages" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# The list is split into words on purpose.
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $packages
