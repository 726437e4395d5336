#!/bin/sh
# Whether this node can serve: asks its HAProxy, and through it a gateway.
#   check-health.sh URL            exit 0: HAProxy answers, however many gateways it reaches; 1: it does not
#   check-health.sh URL FILE       for ever: keeps the verdict in FILE, five times a second, for Keepalived's track_file
#                                  0: all well · -50: HAProxy lives but reaches no gateway · -254: no HAProxy here (leave the address)
# URL is that of the `health` frontend in haproxy.cfg: http://127.0.0.1:8404/haproxy-health.
# Keepalived runs scripts at most once a second; it notices a changed file at once, which is what keeps a failover under a second.
set -u
url="$1"
file="${2:-}"

verdict() {
  status="$(curl --silent --output /dev/null --max-time 0.4 --noproxy '*' --write-out '%{http_code}' "$url")"
  case "$status" in
  200)
    # Not only what HAProxy believes: a gateway, asked through it.
    ready="$(curl --silent --output /dev/null --max-time 1 --noproxy '*' --write-out '%{http_code}' "${url%/haproxy-health}/readyz")"
    if [ "$ready" = 200 ]; then echo 0; else echo -50; fi
    ;;
  503) echo -50 ;;
  *) echo -254 ;;
  esac
}

if [ -z "$file" ]; then
  [ "$(verdict)" != -254 ]
  exit
fi

last=
while :; do
  now="$(verdict)"
  if [ "$now" != "$last" ]; then
    # In place: Keepalived watches this very file.
    echo "$now" >"$file"
    last="$now"
  fi
  sleep 0.2
done
