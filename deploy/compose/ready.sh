#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The health check of a daemon's container: GET /readyz on the admin port PORT.
# Exit status 0 when it says 200, else 1 and what it said. In plain bash, so that
# the image needs no HTTP client.
#
# Usage: ready PORT
set -euo pipefail
exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET /readyz?verbose HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
IFS= read -r -t 4 status <&3
[[ $status == "HTTP/1.1 200"* ]] || {
	printf '%s\n' "$status"
	timeout 2 cat <&3
	exit 1
}
