# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A server of `atomicio crash`: its commands go to descriptor 7, its answers come from 8.
#
# Flow: sourced by tests/matrix/run.sh and tests/support/served.sh, one server at a time.

serve_pid=
serve_at=
serve_answer=

# serve_begin TOOL SCRATCH WHERE SERVE-ARGUMENT...: WHERE is what it mounts, SCRATCH is for its pipes
serve_begin() {
	local tool=$1 scratch=$2
	serve_at=$3
	shift 3
	rm -f "$scratch/to" "$scratch/from"
	mkfifo "$scratch/to" "$scratch/from" || return 1
	"$tool" crash serve "$@" <"$scratch/to" >"$scratch/from" &
	serve_pid=$!
	exec 7>"$scratch/to" 8<"$scratch/from"
	read -r -t 10 -u 8 serve_answer && [ "$serve_answer" = ready ]
}

# serve_ask WORD...: one command; its answer is in $serve_answer
serve_ask() {
	echo "$*" >&7
	read -r -t 10 -u 8 serve_answer
}

# What lies on its disk is unmounted before.
serve_end() {
	[ -n "$serve_pid" ] || return 0
	echo end >&7
	exec 7>&- 8<&-
	for _ in $(seq 100); do
		kill -0 "$serve_pid" 2>/dev/null || break
		sleep 0.05
	done
	kill -KILL "$serve_pid" 2>/dev/null
	wait "$serve_pid" 2>/dev/null
	umount -l "$serve_at" 2>/dev/null
	serve_pid=
}
