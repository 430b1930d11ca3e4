#!/bin/bash
# SPDX-License-Identifier: MIT
# Run guest tests in a virtual machine on a kernel of your choice, with disks that do atomic writes.
# Flow: host/fetch.sh brings QEMU and the kernel, host/machine.sh makes the machine; the guest starts
# guest/init (initramfs), then guest/main, which runs every test; this script judges what came back.
# crash.sh and kill/ are the other half: machines that are killed while they write.
#
# usage: run.sh [--kernel 6.1|6.12|7.3] [--build DIR] [--limit SECONDS] [--name RUN] [--keep] [TEST...]
#	no kernel: all three, as many at once as there are processors
#	TEST is a script (guest/test_NAME.sh as NAME) or one test function; none: all of them
#
# Prints a line a test: ok KERNEL/NAME, not ok KERNEL/NAME - why, ok KERNEL/NAME # SKIP why.
#
# VR1 the plan is made here, from the test functions in the scripts, before the guest starts.  Every
#    planned test must bring exactly one result, and the guest must say `done` after the last:
#    a panic, a hang, a script that cannot be read or a lost result is a failure, never a gap.
#    A test that says `needs_kernel V` is not planned on an older kernel.
# VR2 the guest sees this machine's root read-only with a tmpfs on top, so it runs what is built
#    here; nothing it does reaches the host but the files in its output directory.
# Exit: 0 all passed or skipped; 1 something failed; 77 with one sentence: cannot run here.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
source_root=$(cd "$here/../.." && pwd)
build=$source_root/build
kernel=""
limit=2400
keep=""
name=""
given=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2 && shift ;;
	--build) build=$2 && shift ;;
	--limit) limit=$2 && shift ;;
	--name) name=$2 && shift ;;
	--keep) keep=yes ;;
	-*) sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 2 ;;
	*) break ;;
	esac
	shift
done

. "$here/host/machine.sh"

# Names of the tests asked for, a line each: SCRIPT TEST.
make_plan() {
	local script name test wanted
	for script in "$run"/guest/test_*.sh; do
		name=$(basename "$script" .sh)
		tests_of "$script" | while read -r test; do
			if [ $# = 0 ]; then
				echo "$script $test"
				continue
			fi
			for wanted in "$@"; do
				if [ "test_$wanted" = "$name" ] || [ "$wanted" = "$test" ]; then
					echo "$script $test"
				fi
			done
		done
	done
}

# Is one of the names a script, or a test for whatever kernel?
known() {
	local wanted
	for wanted in "$@"; do
		[ -e "$run/guest/test_$wanted.sh" ] && return
		grep -q "^test_$wanted()" "$run"/guest/test_*.sh && return
	done
	return 1
}

# The test functions of a script that this kernel is new enough for.
tests_of() {
	awk -v release="$release" '
	function number(version,	part) {
		split(version, part, ".")
		return part[1] * 1000 + part[2]
	}
	match($0, /^test_[a-z0-9_]*\(\)/) { name = substr($0, 6, RLENGTH - 7) }
	/^\tneeds_kernel / && number($2) > number(release) { name = "" }
	/^}/ && name != "" { print name }
	/^}/ { name = "" }' "$1"
}

# NVMe disks, found in the guest by serial number.  Counts are in blocks and 0's based: 15 is 16.
#	name	block	controller properties			namespace properties
nvme_table='
	awupf512	512	atomic.dn=on,atomic.awun=15,atomic.awupf=15
	awupf4k	4096	atomic.dn=on,atomic.awun=15,atomic.awupf=15
	nawupf512	512	-	atomic.nawun=31,atomic.nawupf=31
	nawupf4k	4096	-	atomic.nawun=15,atomic.nawupf=15
	nabspf4k	4096	-	atomic.nawun=3,atomic.nawupf=3,atomic.nabspf=7,atomic.nabsn=7
	nabo4k	4096	-	atomic.nawun=15,atomic.nawupf=15,atomic.nabspf=15,atomic.nabsn=15,atomic.nabo=2
'
nvme_disks() {
	local name block controller namespace
	while read -r name block controller namespace; do
		[ -n "$name" ] || continue
		[ "$controller" = - ] && controller=""
		truncate -s 512M "$run/$name.img"
		command+=(-drive "if=none,id=$name,file=$run/$name.img,format=raw,cache=unsafe,discard=unmap"
			-device "nvme,id=nvme-$name,serial=$name${controller:+,$controller}"
			-device "nvme-ns,bus=nvme-$name,drive=$name,logical_block_size=$block,physical_block_size=$block${namespace:+,$namespace}")
	done <<<"$nvme_table"
}

boot() {
	local command
	machine_command
	nvme_disks
	: >"$run/console.log"
	exec timeout --kill-after=5 "$limit" "${command[@]}" >"$run/qemu.log" 2>&1
}

# Everything that can be wrong with a run, each as a sentence on stdout; none: the run is good.
judge() { # qemu-exit-status
	local name count
	case $1 in
	0) ;;
	124 | 137) echo "the time limit of $limit s was hit" ;;
	*) echo "QEMU ended with status $1: $(tail -n 1 "$run/qemu.log")" ;;
	esac
	grep -a -m 1 -o 'Kernel panic.*' "$run/console.log" || true
	grep -a -m 1 -o -E '(BUG:|Oops:|general protection fault).*' "$run/console.log" || true
	[ "$(tail -n 1 "$run/out/results")" = 'done' ] || echo "the guest did not come to its end"
	while read -r _ name; do
		count=$(grep -c -E "^(ok|not ok|skip) $name( |$)" "$run/out/results" || true)
		[ "$count" = 1 ] || echo "test $name brought $count results"
	done <"$run/out/plan"
	count=$(grep -c -E '^(ok|not ok|skip) ' "$run/out/results" || true)
	[ "$count" = "$(wc -l <"$run/out/plan")" ] ||
		echo "$count results for $(wc -l <"$run/out/plan") tests planned"
}

count() {
	grep -c "^$1 " "$run/out/results" || true
}

# Lines of results as they are printed.
show() {
	sed -u -e '/^done$/d' -e "s|^ok |ok $kernel/|" -e "s|^not ok |not ok $kernel/|" \
		-e "s|^skip \([^ ]*\) - |ok $kernel/\1 # SKIP |"
}

# All at once, or as many as there are processors: a guest has one.  What they share is made first.
# The last word is the worst of all: a failure, then a skip.
all_kernels() {
	local running=0 worst=0
	prepare_host 7.3 6.12 6.1 || return
	export VM_PREPARED=yes
	trap 'kill $(jobs -p) 2>/dev/null; exit 130' INT TERM
	for kernel in 7.3 6.12 6.1; do
		[ $running -lt "$(nproc)" ] || wait_for_one
		"$here/run.sh" --kernel $kernel "${given[@]}" &
		running=$((running + 1))
	done
	while [ $running -gt 0 ]; do
		wait_for_one
	done
	return $worst
}
wait_for_one() {
	local status=0
	wait -n || status=$?
	running=$((running - 1))
	case $status in
	0) ;;
	77) [ $worst != 0 ] || worst=77 ;;
	*) worst=1 ;;
	esac
}

# Seconds of processor time that the machine took: on a busy host, they tell more than the clock.
processor_seconds() {
	awk 'NR == 2 { split($1 "m" $2, t, /[ms]+/); printf "%d", (t[1] + t[3]) * 60 + t[2] + t[4] }' \
		"$run/times"
}
# The tests that took longest.
slowest() {
	sort -rn "$run/out/seconds" 2>/dev/null | head -n 5 | awk '{ printf "%s%s %s", s, $2, $1; s = ", " }'
}

main() {
	local started=$SECONDS status=0 failed
	[ -n "$kernel" ] || { all_kernels; return; }
	prepare
	[ -z "${VM_EXTRA_TESTS:-}" ] || cp $VM_EXTRA_TESTS "$run/guest/"
	make_plan "$@" >"$run/out/plan"
	if [ ! -s "$run/out/plan" ]; then
		known "$@" || { echo "vm: no test of that name: $*" >&2 && exit 2; }
		echo "vm: kernel $release: these tests are all for later kernels"
		exit 0
	fi
	make_initramfs
	echo "vm: kernel $release, $(wc -l <"$run/out/plan") tests"
	boot &
	trap 'kill %1 2>/dev/null' EXIT
	trap 'exit 130' INT TERM
	tail --pid=$! --sleep-interval=0.5 -n +1 -f "$run/out/results" | show &
	wait %1 || status=$?
	trap - EXIT
	wait
	times >"$run/times"
	judge "$status" >"$run/judgement"
	[ $# -gt 0 ] || "$here/host/table.sh" --kernel "$kernel" --facts "$run/out/facts" --check "$source_root/doc/verdicts.md" ||
		echo "the verdicts are not those of doc/verdicts.md" >>"$run/judgement"
	sed 's/^/not ok run - /' "$run/judgement" | show
	failed=$(($(count 'not ok') + $(wc -l <"$run/judgement")))
	rm -f "$run"/*.img
	if [ "$failed" != 0 ]; then
		echo "vm: console log: $run/console.log, test logs: $run/out/log"
	elif [ -z "$keep" ]; then
		rm -rf "$run/console.log" "$run/out/log" "$run/initramfs.gz" "$run/guest"
	fi
	echo "vm: kernel $kernel in $((SECONDS - started)) s, $(processor_seconds) of a processor;" \
		"longest: $(slowest)"
	echo "$(count ok) passed, $failed failed, $(count skip) skipped"
	[ "$failed" = 0 ]
}

main "$@"
exit
