#!/bin/sh
# Debian's JMeter: THREADS (1,000) threads buy one unit of one item each, all at once, at the HTTP door of what listens on PORT (7401,
# as `make up` and `baton dev` do) with the sandbox provider on PROVIDER (7480). Prints what their purchases took.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for package in jmeter jmeter-http; do
    dpkg -s "$package" >/dev/null 2>&1 || DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"
done
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
home=/usr/share/jmeter
cd "$out"
java -Djmeter.home="$home" -cp "$home/bin/ApacheJMeter.jar:$home/lib/ext/*:$home/lib/*:/usr/share/java/bsh.jar" \
    bsh.Interpreter "$here/run.bsh" -n -t "$here/buy-one-item.jmx" -l "$out/samples.csv" -Jitem="jmeter-$(date +%s)" \
    -Jthreads="${THREADS:-1000}" -Jport="${PORT:-7401}" -Jprovider="${PROVIDER:-7480}"
awk -F, '$3 == "buy" { n++; sum += $2; if ($2 > most) most = $2; if ($8 != "true") failed++ }
    END { if (!n) { print "nobody bought anything"; exit 1 }
          printf "%d purchases at once: mean %d ms, longest %d ms, %d failed\n", n, sum / n, most, failed + 0
          exit failed > 0 }' "$out/samples.csv"
