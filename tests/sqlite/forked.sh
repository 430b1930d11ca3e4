#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal and method: forked.c.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
timeout 60 "$build/tests/sqlite/forked" "$extension" "$scratch/forked.db"
