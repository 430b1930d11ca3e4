# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # what is set here is the benches'
#
# Shared by the benches: options, filesystems, and results in JSON.
#
# Flow: each bench sources this file; run.sh runs all benches and makes one report.
#
# A result is one JSON object per line: {"what", "way", "on", "figure", "unit"}, with "goal" and
# "better" ("more" or "less") for a result with a goal; and, from sweep.sh, points of a plot.

# shellcheck source=tests/kernel/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../kernel/lib.sh"

BENCH_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_BIN=${ATOMICIO_BUILD:-$BENCH_HERE/../../build/gcc}/tests
bench_json=    # a file, with --json
bench_strict=no
bench_seconds=${ATOMICIO_BENCH_SECONDS:-8}
bench_rounds=${ATOMICIO_BENCH_ROUNDS:-11}

# bench_options ARGUMENT...: those that all benches take; the usage is the script's head
bench_options() {
	while [ $# -gt 0 ]; do
		case $1,$# in
		--json,[!1]* | --json,1?*)
			bench_json=$2
			shift
			;;
		--seconds,[!1]* | --seconds,1?*)
			bench_seconds=$2
			shift
			;;
		--rounds,[!1]* | --rounds,1?*)
			bench_rounds=$2
			shift
			;;
		--strict,*) bench_strict=yes ;;
		*)
			sed -n '/^#\t/s/^#\t/usage: /p' "$0" >&2
			exit 2
			;;
		esac
		shift
	done
	[ -z "$bench_json" ] || {
		command -v jq >/dev/null || kernel_skip "the command jq is missing"
		: >"$bench_json" || exit 2
	}
}

# bench_says TEXT: what is being done, for whoever waits
bench_says() {
	if [ -t 2 ]; then
		printf '\r\033[K%s: %s' "$(basename "$0" .sh)" "$1" >&2
	else
		echo "$(basename "$0" .sh): $1" >&2
	fi
}

# The kind of disk that a directory lies on: by its filesystem and the disk's driver.
bench_disk() {
	local type source
	read -r type source < <(findmnt -nro FSTYPE,SOURCE -T "$1")
	case ${source##*/} in
	vd*) source=virtio ;;
	nvme*) source=NVMe ;;
	sd*) source=SCSI ;;
	xvd*) source="a Xen disk" ;;
	mmcblk*) source=MMC ;;
	dm-* | mapper*) source="device-mapper" ;;
	*) source= ;;
	esac
	echo "$(bench_loop_kind "$1") over $type${source:+ on $source}"
}

# bench_loop IMAGE: prints a loop device.  With direct I/O the bytes go to the disk below, as on a disk.
# Without (ATOMICIO_BENCH_CACHED=1, and where the kernel refuses it) the page cache of the machine is the
# disk's cache, and a flush writes it back.
bench_loop() {
	{ [ -z "${ATOMICIO_BENCH_CACHED:-}" ] && losetup --find --show --direct-io=on "$1" 2>/dev/null; } ||
		losetup --find --show "$1"
}

bench_loop_kind() {
	local file device kind="loop device"
	file=$(mktemp "$1/atomicio-loop.XXXXXX") && truncate -s 1M "$file" || return 1
	if device=$(bench_loop "$file" 2>/dev/null); then
		[ "$(cat "/sys/block/${device##*/}/loop/dio")" != 1 ] || kind="loop device with direct I/O"
		losetup -d "$device"
	fi
	rm -f "$file"
	echo "$kind"
}

bench_machine() {
	echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | sort -u | head -n 1)," \
		"$(nproc) processors; $(bench_disk "${TMPDIR:-/tmp}"); Linux $(uname -r)"
}

# bench_begin COMMAND...: as kernel_begin, on any kernel
bench_begin() {
	local command
	[ "$(id -u)" = 0 ] || kernel_skip "needs root to mount filesystems"
	for command in losetup mount "$@"; do
		command -v "$command" >/dev/null || kernel_skip "the command $command is missing"
	done
	kernel_sweep
	kernel_scratch=$(mktemp -d "$KERNEL_PREFIX.$$.XXXXXX") || exit 1
	trap kernel_end EXIT
	trap 'exit 1' INT TERM HUP
}

# bench_image IMAGE TYPE DIRECTORY: a filesystem on a loop device
bench_image() {
	local device
	mkdir -p "$3" && truncate -s "${bench_size:-512M}" "$1" || exit 1
	"mkfs.$2" -q "$1" >"$kernel_scratch/mkfs.log" 2>&1 || {
		cat "$kernel_scratch/mkfs.log" >&2
		exit 1
	}
	device=$(bench_loop "$1") || kernel_skip "no loop device can be had"
	mount "$device" "$3" || kernel_skip "$device cannot be mounted"
	losetup -d "$device" # in effect when it is unmounted
}

# bench_fresh TYPE: an empty filesystem in $kernel_scratch/home, in place of what was there
bench_fresh() {
	! mountpoint -q "$kernel_scratch/home" || umount "$kernel_scratch/home"
	rm -f "$kernel_scratch/image"
	bench_size=${bench_loop_size:-1G} bench_image "$kernel_scratch/image" "$1" "$kernel_scratch/home"
}

# XFS in $kernel_scratch/fast, whose image lies in memory: there a call's own cost shows most, and
# what others do with the disk shows least.
bench_fast() {
	mkdir "$kernel_scratch/memory"
	mount -t tmpfs -o size=600m tmpfs "$kernel_scratch/memory" || exit 1
	bench_image "$kernel_scratch/memory/image" xfs "$kernel_scratch/fast"
}

# bench_meets VALUE OPERATOR BOUND
bench_meets() {
	awk -v value="$1" -v bound="$3" "BEGIN { exit !(value != \"\" && value + 0 $2 bound) }"
}

# bench_add ON: results from stdin, measured on that filesystem
bench_add() {
	[ -n "$bench_json" ] || return 0
	jq -c --arg on "$1" '. + {on: $on}' >>"$bench_json"
}

# bench_figure ON WHAT FIGURE UNIT [GOAL more|less]: one result
bench_figure() {
	[ -n "$bench_json" ] || return 0
	jq -nc --arg what "$2" --arg figure "$3" --arg unit "$4" --arg goal "${5:-}" --arg better "${6:-}" \
		'{what: $what, figure: ($figure | tonumber? // null), unit: $unit} +
		if $goal == "" then {} else {goal: ($goal | tonumber), better: $better} end' |
		bench_add "$1"
}
