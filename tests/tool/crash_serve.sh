# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2317
# Goal: atomicio crash serve keeps an image, or a directory, takes cuts of it and makes its faults.
# Method and helpers: run.sh and crash.sh, which are sourced before; the test writes to the disk itself.

# talk PROGRAM...: start a server; `ask COMMAND` gives its answer.
talk() {
	coproc SERVER { exec "$@" 2>"$err"; }
	read -r -t 10 -u "${SERVER[0]}" answer || answer=
	[ "$answer" = ready ] || note "the server said '$answer' and not ready: $(head -c 300 "$err")"
}
ask() {
	echo "$1" >&"${SERVER[1]}"
	read -r -t 10 -u "${SERVER[0]}" answer || answer=
}
answers() { [[ $answer =~ ^$1$ ]] || note "the server answered '$answer', not '$1'"; }
hang_up() {
	local pid=$SERVER_PID
	ask end
	wait "$pid"
}

crash_serves_an_image_with_cuts_and_faults() {
	local at=$work/crash-image page=$work/crash-page
	mkdir -p "$at"
	talk "$tool" crash serve image "$at" --size 1M
	head -c 8192 /dev/zero | tr '\0' A >"$page"
	dd if="$page" of="$at/image" bs=8192 conv=notrunc,fsync status=none
	head -c 8192 /dev/zero | tr '\0' B >"$page"
	dd if="$page" of="$at/image" bs=8192 conv=notrunc status=none
	ask 'cut 1' # nothing of the cache
	answers 'cut 0 dropped 1 kept 0 torn 0'
	ask 'cut 0' # all of it
	answers 'cut 1 dropped 0 kept 1 torn 0'
	[ "$(head -c 1 "$at/cut-0")$(head -c 1 "$at/cut-1")" = AB ] || note "the cuts hold other bytes"
	ask 'drop 0'
	answers ok
	[ ! -e "$at/cut-0" ] || sleep 1.1 # the kernel may remember the name for a second
	[ ! -e "$at/cut-0" ] || note "a dropped cut is still there"
	ask 'fault write EIO at=4096+1'
	answers 'fault 1'
	ask 'fault flush ENOSPC nth=2'
	dd if="$page" of="$at/image" bs=4096 count=2 conv=notrunc status=none 2>/dev/null &&
		note "a write over the bad place succeeded"
	dd if="$page" of="$at/image" bs=4096 count=1 conv=notrunc,fsync status=none ||
		note "the first flush failed"
	dd if="$page" of="$at/image" bs=4096 count=1 conv=notrunc,fsync status=none 2>"$err" &&
		note "the second flush succeeded"
	says 'No space left'
	ask fired
	answers 'fired 1 1'
	ask 'fault read often'
	answers 'error .*'
	ask 'sing'
	answers 'error .*'
	hang_up || note "the server ended with status $?"
}

# A sector is there or not; most cuts of a lone one have to be of a disk that is not as flushed.
crash_cuts_keep_most_lone_sectors_and_tear_none() {
	local at=$work/crash-sector page=$work/crash-page seed kept=0
	mkdir -p "$at"
	talk "$tool" crash serve image "$at" --size 1M --sector 4096
	head -c 4096 /dev/zero | tr '\0' A >"$page"
	dd if="$page" of="$at/image" bs=4096 conv=notrunc status=none
	for seed in {2..101}; do
		ask "cut $seed"
		answers 'cut [0-9]+ dropped [01] kept [01] torn 0'
		[[ $answer != *' kept 1 '* ]] || kept=$((kept + 1))
	done
	{ [ "$kept" -lt 60 ] || [ "$kept" -gt 90 ]; } && note "$kept of 100 cuts kept the sector"
	head -c 8192 /dev/zero | tr '\0' B >"$page" # two sectors: torn often, and in the middle
	dd if="$page" of="$at/image" bs=8192 conv=notrunc,fsync status=none
	dd if="$page" of="$at/image" bs=8192 conv=notrunc status=none
	kept=0
	for seed in {2..101}; do
		ask "cut $seed"
		[[ $answer != *' torn 1' ]] || kept=$((kept + 1))
	done
	[ "$kept" -ge 30 ] || note "$kept of 100 cuts tore two sectors"
	hang_up || note "the server ended with status $?"
}

crash_serves_a_directory_with_faults() {
	local at=$work/crash-directory from=$work/crash-source mode
	mkdir -p "$at" "$from"
	for mode in direct cached writeback; do
		talk "$tool" crash serve directory "$from" "$at" --mode $mode
		echo hello >"$at/file"
		cmp -s "$from/file" <(echo hello) || sync "$at/file"
		cmp -s "$from/file" <(echo hello) || note "$mode: the file behind has other bytes"
		ask 'fault write EDQUOT'
		dd if=/dev/zero of="$at/file" bs=4096 count=1 conv=fsync status=none 2>"$err" &&
			note "$mode: a write that met a fault succeeded"
		says 'quota'
		ask 'fault flush EINTR'
		sync --data "$at/file" 2>"$err" && # dd(1) would ask again
			note "$mode: a flush that met a fault succeeded"
		says 'Interrupted'
		ask 'fault flush hang'
		dd if=/dev/zero of="$at/other" bs=4096 count=1 conv=fsync status=none 2>"$err" &
		sleep 0.3
		kill -0 $! 2>/dev/null || note "$mode: nothing hangs"
		ask release
		wait $! || note "$mode: what was released failed"
		rm "$at/file" "$at/other"
		ask 'fault read EIO'
		ask end
		wait "$SERVER_PID" && note "$mode: a fault that never fired is no error"
		says 'fault 4 never fired'
	done
}

if [ -x "$crash_program" ]; then
	try crash_serves_an_image_with_cuts_and_faults crash
	try crash_cuts_keep_most_lone_sectors_and_tear_none crash
	try crash_serves_a_directory_with_faults crash
fi
