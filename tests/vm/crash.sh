#!/bin/bash
# SPDX-License-Identifier: MIT
# Kill the machine while it writes, with disks that lose and tear unflushed data.
# Flow: host/machine.sh brings QEMU and the kernel; tearing_disk serves each disk; kill_judge gives the
# guest a command, keeps the records and kills the guest; kill_guest in the guest checks, then writes on.
#
# usage: crash.sh [--kernel V] [--kills N] [--seed N] [--broken WHAT] [--build DIR] [--keep]
#	V: 6.1, 6.12 or 7.3; none: N kills in all (100), 60 of them on 7.3, then what must go red
#	WHAT: `flush`, disks that lie about flushes, or the name of a broken library, a line of
#	tests/mutants/list; then the test passes when a check has found torn or lost pages
#
# VC1 a machine is booted once, up to a program that waits for a command, and saved.  A round
#    restores it, so it has never seen a disk; it mounts the disks, recovers, and checks what the
#    last cut left; then it writes until it is killed.  So a round checks the cut before it.
# VC2 writing at once: ext4 and XFS with the library's journal (three threads each, pages and
#    groups), the control without the library on both (RWF_DSYNC), and on 7.3 XFS's copy on write
#    by the library, in 16 and 64 KiB, on a disk of its own.
# VC3 the control must show torn pages: from 15 kills on at all, from 40 on ext4 and on XFS.
# VC4 a seed gives the same writes, moments, and fates of what was not flushed; which write is under
#    way at the moment is not reproduced.  The images before a wrong check are kept.
# Exit: 0 nothing was torn or lost but the control; 1 else; 77 with one sentence: cannot run here.
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
source_root=$(cd "$here/../.." && pwd)
build=$source_root/build
kernel=""
kills=""
seed=$((RANDOM * 32768 + RANDOM))
broken=""
keep=""
given=("$@")
while [ $# -gt 0 ]; do
	case $1 in
	--kernel) kernel=$2 ;;
	--build) build=$2 ;;
	--kills) kills=$2 ;;
	--seed) seed=$2 ;;
	--broken) broken=$2 ;;
	--keep) keep=yes ;;
	*) sed -n 's/^# usage: /usage: /p' "$0" >&2 && exit 2 ;;
	esac
	[ "$1" = --keep ] || shift
	shift
done
. "$here/host/machine.sh"

life=12        # rounds that a filesystem lives
disk_size=400M # XFS takes no less than 300
# What a check may say of a page; the last are of the library, which misses a frame or a header.
wrong_pages='is torn|has lost|is half there|recovery: Bad message'
wrong_pages+='|open of the journal: (Bad message|No data available)'
children=()
jobs=()
trap 'kill -9 "${children[@]}" 2>/dev/null || true; kill "${jobs[@]}" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

judge() {
	"$build/vm/bin/kill_judge" "$@"
}

# The library that the guest is linked with: ours, or a mutant of it.
guest_program() {
	local line file script lib=$source_root/lib bin=$build/vm/bin
	if [ -n "$broken" ] && [ "$broken" != flush ]; then
		# shellcheck source=tests/mutants/lib.sh
		. "$source_root/tests/mutants/lib.sh"
		line=$(mutants | grep "^$broken|") ||
			{ echo "crash.sh: no such mutant: $broken" >&2 && exit 2; }
		IFS='|' read -r _ file _ script <<<"$line"
		mkdir "$run/lib" "$run/bin"
		cp "$source_root"/lib/*.[ch] "$run/lib"
		if ! mutate "$script" "$source_root/lib/$file" "$run/lib/$file"; then
			echo "crash.sh: the mutant $broken changes nothing" >&2 && exit 2
		fi
		lib=$run/lib
		bin=$run/bin
	fi
	guest=$bin/kill_guest
	make -s -f "$here/Makefile" -C "$here" OUT="$bin" LIB="$lib" "$guest"
}

make_kill_initramfs() {
	local root=$run/initramfs
	mkdir -p "$root"/{bin,proc,sys,dev,modules}
	cp "$cache/qemu/usr/bin/busybox" "$root/bin/busybox"
	cp "$here/kill/kill_init" "$root/init"
	cp "$guest" "$root/kill_guest"
	put_modules crc32c_generic crc32c-intel virtio_pci virtio_blk ext4 xfs
	(cd "$root" && find . | "$cache/qemu/usr/bin/busybox" cpio -o -H newc 2>/dev/null) |
		gzip -1 >"$run/initramfs.gz"
	rm -r "$root"
}

# Sets command.  Disk 0 is the channel.  While the machine is made, no disk has a server.  One
# processor, for the reason that host/machine.sh gives.
kill_machine() { # save|restore
	local qemu=$cache/qemu disk drive
	command=("$qemu/usr/lib64/ld-linux-x86-64.so.2"
		--library-path "$qemu/usr/lib/x86_64-linux-gnu" "$qemu/usr/bin/qemu-system-x86_64"
		-L "$qemu/usr/share/qemu" -L "$qemu/usr/share/seabios"
		-machine q35 -accel "tcg,thread=multi,tb-size=128" -cpu max -smp 1 -m 384
		-nodefaults -display none -no-reboot -serial "file:$run/console.log"
		-kernel "$cache/kernel-$kernel/vmlinuz" -initrd "$run/initramfs.gz"
		-append "console=ttyS0 loglevel=5 panic=-1 oops=panic mitigations=off nowatchdog")
	for disk in $(seq 0 "$disks"); do
		drive="driver=nbd,server.type=unix,server.path=$run/socket.$disk,cache.direct=on"
		if [ "$1" = save ]; then
			drive="driver=null-co,read-zeroes=on,size=$disk_size"
			[ "$disk" != 0 ] || drive="driver=null-co,read-zeroes=on,size=1M"
		fi
		command+=(-drive "if=none,id=disk$disk,$drive"
			-device "virtio-blk-pci,drive=disk$disk,addr=$((disk + 4)),write-cache=on")
	done
}

wait_for() { # seconds command...
	local try limit=$(($1 * 20))
	shift
	for ((try = 0; try < limit; try++)); do
		"$@" && return
		sleep 0.05
	done
	return 1
}

# Boot up to the waiting guest, and save the machine.
save_machine() {
	local command
	kill_machine save
	: >"$run/console.log"
	mkfifo "$run/monitor"
	"${command[@]}" -monitor stdio <>"$run/monitor" >"$run/monitor.log" 2>&1 &
	children=($!)
	wait_for 300 grep -q 'kill_guest: ready' "$run/console.log" || return 1
	# Not stopped before: a machine saved as stopped does not go on by itself.
	printf '%s\n' "migrate_set_parameter max-bandwidth 0" "migrate file:$run/machine" \
		"info migrate" quit >"$run/monitor"
	wait "${children[0]}" || return 1
	children=()
	grep -q 'Status:.*completed' "$run/monitor.log"
}

make_filesystems() {
	truncate -s $disk_size "$run"/new.{0,1,2}
	mkfs.ext4 -q -F -b 4096 "$run/new.0"
	mkfs.xfs -q -m reflink=1 "$run/new.1"
	mkfs.xfs -q -m reflink=1 "$run/new.2"
}

# Sets line to what the judge said.
round() { # SEED kill|check
	local disk command status=0
	children=()
	rm -f "$run"/socket.*
	[ ! -e "$run/state" ] || cp "$run/state" "$run/before.state"
	for disk in $(judge fresh "$run/state"); do
		cp --sparse=always "$run/new.$disk" "$run/disk.$disk"
	done
	for disk in $(seq 0 $((disks - 1))); do
		cp --sparse=always "$run/disk.$disk" "$run/before.$disk"
		"$build/vm/bin/tearing_disk" "$run/socket.$((disk + 1))" "$run/disk.$disk" \
			$(($1 + disk * 1000003)) $lie >>"$run/cuts" &
		children+=($!)
	done
	judge round "$run/state" "$run/socket.0" "$1" $disks "$2" >"$run/line" &
	children+=($!)
	for disk in $(seq 0 "$disks"); do
		wait_for 10 test -S "$run/socket.$disk"
	done
	kill_machine restore
	"${command[@]}" -incoming "file:$run/machine" >"$run/qemu.log" 2>&1 &
	children+=($!)
	disown $! # or the shell tells of each kill
	wait "${children[disks]}" || status=$?
	kill -9 "${children[disks + 1]}" 2>/dev/null || true
	for disk in $(seq 0 $((disks - 1))); do
		wait "${children[disk]}" || status=1
	done
	children=()
	line=$(cat "$run/line")
	echo "round $2 $line" >>"$run/rounds"
	return $status
}

rounds() {
	local number
	for ((number = 0; number < kills; number++)); do
		[ $((number % life)) != $((life - 1)) ] || judge forget "$run/state"
		round $((seed + number * 7919)) kill || return 1
	done
	round $((seed + kills * 7919)) check
}

# Without torn pages of the control no other result means anything.
control_tears() {
	judge report "$run/state" | sed -n 's/^target=\(.*\)-control .*torn=\([0-9]*\).*/\1 \2/p' |
		awk -v kills="$kills" '
		{ sum += $2 }
		$2 == 0 && kills >= 40 { print "# no torn page on " $1; bad = 1 }
		END { exit bad || (sum == 0 && kills >= 15) }'
}

one_kernel() {
	local started=$SECONDS status=0 test=$kernel/kill${broken:+-broken-$broken}
	name=kill${broken:+-$broken}
	lie=""
	[ "$broken" != flush ] || lie=lie
	disks=2
	[ "$kernel" != 7.3 ] || disks=3
	prepare
	"$build/vm/bin/kill_model_test" >"$run/model" ||
		{ echo "not ok $test - the judge is wrong: $run/model" && return 1; }
	guest_program
	make_kill_initramfs
	make_filesystems
	save_machine ||
		{ echo "not ok $test - the machine cannot be saved: $run/monitor.log" && return 1; }
	echo "# kernel $release, seed $seed: saved after $((SECONDS - started)) s"
	rounds || status=1
	echo "# $test: $(judge report "$run/state" | head -n 1) in $((SECONDS - started)) s"
	judge report "$run/state" | sed -n "s|^target=|# $test: |p"
	[ $status = 0 ] || echo "# $line"
	if [ -n "$broken" ]; then
		[[ $status != 0 && $line =~ $wrong_pages ]] ||
			{ echo "not ok $test - no wrong page was seen" && return 1; }
	elif [ $status != 0 ]; then
		echo "not ok $test - ${line##*, }"
		echo "# the images before that check: $run/before.*; console: $run/console.log"
		return 1
	fi
	[ -n "$broken" ] || control_tears ||
		{ echo "not ok $test - the control does not tear" && return 1; }
	echo "ok $test"
	[ -n "$keep" ] || rm -rf "$run"
}

# One after the other: options of each.
series() {
	local worst=0 options
	trap 'kill "$!"; exit 1' TERM
	for options in "$@"; do
		"$here/crash.sh" "${given[@]}" $options &
		wait $! || worst=1
	done
	return $worst
}

# CI's run: the kills on three kernels, then the broken builds, which must go red and end at the first
# wrong page, most often after 3 to 10 kills.  A machine has one processor: two machines run at a time.
everything() {
	local worst=0 all=${kills:-100} job
	prepare_host 6.1 6.12 7.3
	guest_program
	export VM_PREPARED=yes
	series "--kernel 7.3 --kills $((all - 2 * (all / 5)))" &
	jobs=($!)
	series "--kernel 6.12 --kills $((all / 5))" "--kernel 6.1 --kills $((all / 5))" \
		"--kernel 7.3 --kills 200 --broken flush" \
		"--kernel 7.3 --kills 200 --broken J1-frame-not-durable" &
	jobs+=($!)
	for job in "${jobs[@]}"; do
		wait "$job" || worst=1
	done
	jobs=()
	[ $worst != 0 ] ||
		echo "# $all kills on three kernels, and two broken set-ups seen, in $SECONDS s"
	return $worst
}

if [ -z "$kernel" ]; then
	everything
else
	kills=${kills:-10}
	one_kernel
fi
exit
