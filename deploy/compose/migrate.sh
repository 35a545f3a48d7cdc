#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The migrate job: sqitch deploy with verify, against PG* of the environment.
# May be repeated; a failed change is undone.
set -euo pipefail
cd /app/schema/sql
export HOME=/tmp SQITCH_FULLNAME=countinghouse SQITCH_EMAIL=countinghouse@localhost
export PGOPTIONS="-c client_min_messages=warning"
exec sqitch deploy --verify --target db:pg:
