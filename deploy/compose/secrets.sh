#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes what compose.yaml must be given: one password file a role, in
# DIR/secrets, made once and kept; and DIR/.env with the uid and gid as which the
# containers run, because libpq takes a password file only from its owner with
# mode 0600 and compose cannot change the owner of a mounted file.
#
# Usage: secrets.sh [DIR]     default: the folder of this script
set -euo pipefail
umask 077

dir=${1:-$(dirname "${BASH_SOURCE[0]}")}
mkdir -p "$dir/secrets"
dir=$(cd "$dir" && pwd)
uid=$(id -u)
gid=$(id -g)
if ((uid == 0)); then
	uid=65532
	gid=65532
fi

own()
{
	chmod "$1" "$2"
	if (($(id -u) == 0)); then
		chown "$uid:$gid" "$2"
	fi
}

for role in ch_owner ch_writer ch_relay ch_reconciler ch_cache ch_reader ch_operator; do
	file=$dir/secrets/$role.pgpass
	if [[ ! -s $file ]]; then
		password=$(head -c 48 /dev/urandom | base64 -w 0 | tr -dc 'A-Za-z0-9')
		printf '*:*:*:%s:%s\n' "$role" "${password:0:32}" >"$file.new"
		mv -f "$file.new" "$file"
	fi
	own 0600 "$file"
done
# all of them, for the postgres container, whose own user is of this group there
cat "$dir"/secrets/ch_*.pgpass >"$dir/secrets/roles.new"
mv -f "$dir/secrets/roles.new" "$dir/secrets/roles.pgpass"
own 0640 "$dir/secrets/roles.pgpass"

cat >"$dir/.env.new" <<ENV
COMPOSE_PROJECT_NAME=countinghouse
CH_UID=$uid
CH_GID=$gid
CH_SECRETS=$dir/secrets
ENV
# what the user added stays
grep -vsE '^(COMPOSE_PROJECT_NAME|CH_UID|CH_GID|CH_SECRETS)=' "$dir/.env" >>"$dir/.env.new" || true
mv -f "$dir/.env.new" "$dir/.env"
echo "passwords in $dir/secrets; the containers run as $uid:$gid"
