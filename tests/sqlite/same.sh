#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: a database behaves through the VFS as through SQLite's own.  Method: random.c, several seeds.
set -u
# shellcheck source=tests/sqlite/lib.sh
. "$(dirname "$0")/lib.sh"
seeds=${SEEDS:-6}
first=${SEED:-1}
wrong=0
for ((seed = first; seed < first + seeds; seed++)); do
	mkdir "$scratch/$seed"
	timeout 300 "$random" "$extension" "$scratch/$seed" "$seed" 2000 >"$scratch/log" 2>&1 || {
		wrong=1
		echo "seed $seed" >>"$scratch/log"
		break
	}
	sed 's/^#/# seed '"$seed:/" "$scratch/log"
	rm -rf "${scratch:?}/$seed"
done
report $wrong statements_give_the_same_with_and_without_the_vfs
[ "$failures" = 0 ]
