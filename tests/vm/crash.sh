#!/bin/bash
# SPDX-License-Identifier: MIT
# Kill the machine while it writes, with a disk that loses and tears what was not flushed.
# Flow: machine.sh makes the machine, tearing_disk is its disk, guest/crash runs the writer; then
# pages.c looks at the image that the cut left.
#
# usage: crash.sh [--kernel 6.1|6.12|7.3] [--build DIR] [--kills N] [--seed N] [--mode plain|dsync]
#
# The writer here is the control, without the library, on the naked disk: over the kills it must
# show torn pages, or the disk does not tear and no other crash test means anything.  Nothing that
# was acknowledged as durable may be lost: the disk keeps its word about flushes and FUA.
# Exit: 0 torn pages were seen and none was lost; 1 else; 77 with one sentence: cannot run here.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
source_root=$(cd "$here/../.." && pwd)
build=$source_root/build
kernel=7.3
name=crash
kills=3
seed=$RANDOM
mode=plain
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2 ;;
	--build) build=$2 ;;
	--kills) kills=$2 ;;
	--seed) seed=$2 ;;
	--mode) mode=$2 ;;
	*) sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 2 ;;
	esac
	shift 2
done
. "$here/machine.sh"

pages=256
page_size=16384
machine=""
disk=""
trap 'kill -9 $machine $disk 2>/dev/null || true' EXIT

# The writer has begun when its first record, after the first sync, is there.
wait_for_writer() {
	local try
	for ((try = 0; try < 1200; try++)); do
		[ -s "$run/out/acks" ] && return
		kill -0 "$machine" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

# One life of the machine, from boot to cut.  Sets line to what the check said.
one_kill() { # SEED
	local command
	: >"$run/console.log"
	rm -f "$run/out/acks"
	truncate -s 0 "$run/disk.img"
	truncate -s $((pages * page_size)) "$run/disk.img"
	"$build/vm/bin/tearing_disk" "$run/socket" "$run/disk.img" "$1" >"$run/cut" &
	disk=$!
	while [ ! -S "$run/socket" ]; do sleep 0.05; done
	machine_command
	command+=(-drive "if=none,id=disk,driver=nbd,server.type=unix,server.path=$run/socket,cache.direct=on"
		-device "virtio-blk-pci,drive=disk")
	"${command[@]}" >"$run/qemu.log" 2>&1 &
	machine=$!
	wait_for_writer || {
		echo "not ok crash - the writer did not begin: $(tail -n 1 "$run/console.log" "$run/qemu.log")"
		return 1
	}
	sleep "$(awk -v r="$1" 'BEGIN { srand(r); print 0.2 + rand() * 1.5 }')"
	kill -9 "$machine"
	wait "$machine" 2>/dev/null || true
	wait "$disk" || return 1
	machine=""
	disk=""
	line=$("$build/vm/bin/pages" check "$run/disk.img" $pages $page_size "$run/out/acks") || true
	echo "seed=$1 $line $(cut -d' ' -f3- "$run/cut")"
}

prepare
guest_main=crash
VM_CRASH="$mode $pages $page_size"
make_initramfs
torn=0
lost=0
for ((kill = 0; kill < kills; kill++)); do
	one_kill $((seed + kill))
	seen=${line#*torn=}
	torn=$((torn + ${seen%% *}))
	seen=${line#*lost=}
	lost=$((lost + ${seen%% *}))
done
rm -f "$run"/*.img
echo "kernel $kernel, $kills kills, mode $mode: $torn torn pages, $lost lost"
[ $lost = 0 ] || { echo "not ok $kernel/crash - acknowledged pages are lost" && exit 1; }
[ $torn -gt 0 ] || { echo "not ok $kernel/crash - no page was torn" && exit 1; }
echo "ok $kernel/crash"
