#!/usr/bin/env bash
# How embedded.tar.gz and real.tar.gz were made, with the build of commit 7aa45dd (30 November 2026):
#   baton dev, then `make.sh BATON SERVER PROVIDER`, then kill -9, then tar of the data directory;
#   make up, the same, kill -9 of every orchestrator and participant, then mariadb-dump of the four schemas and the provider's ledger.
# An archive of a later build is added beside these, none is ever replaced.
set -euo pipefail
baton=$1 server=$2 provider=$3
c() { "$baton" --server "$server" "$@"; }
paid() { # ITEM QUANTITY AMOUNT CUSTOMER: an order, and its payment
	order=$(c -o json orders create --line "$1=$2" --customer "$4" 2>/dev/null | grep -oE '"name": "orders/[^"]+' | cut -d/ -f2)
	payment=$(curl -s "http://$provider/_sandbox/pay" -H 'content-type: application/json' \
		-d "{\"merchant_uid\":\"$order\",\"amount\":$3,\"currency\":\"KRW\"}" | grep -oE 'imp_[0-9a-f]+' | head -1)
}
place() { paid "$@"; c orders place --order "$order" --payment "$payment" || true; }
c items create apple --price 500 --stock 100
c items create rare --price 900 --stock 1
place apple 2 1000 alice
place apple 1 500 bob
place rare 1 900 alice
place rare 1 900 carol # out of stock
place apple 1 507 dave # the wrong amount
paid apple 3 1500 erin; erin="--order $order --payment $payment"
paid apple 1 500 frank; frank="--order $order --payment $payment"
paid apple 1 500 grace; grace="--order $order --payment $payment"
c chaos kill stock
c orders place $erin --no-wait
c orders place $frank --no-wait
sleep 1
c jobs create --filter 'customer = frank' --verb pause --reason 'look at it' --actor night --yes
c holds create participants/payment --reason 'provider is down' --actor night
c orders place $grace --no-wait
