# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Mounts for the kernel tests, and their end.
#
# Flow: a suite sources this file, calls kernel_begin, mounts what it needs and runs programs
# of $ATOMICIO_BUILD/tests/kernel; every line "ok", "not ok" or "# SKIP" is counted by
# tests/run.sh.
#
# Rules: everything lives below one scratch directory named after the process; what an
# earlier run that was killed left behind is removed first; a skip says why and exits 77.

KERNEL_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KERNEL_PREFIX=${TMPDIR:-/tmp}/atomicio-kernel
KERNEL_BIN=${ATOMICIO_BUILD:-$KERNEL_HERE/../../build/gcc}/tests/kernel
kernel_scratch=
kernel_failures=0

kernel_skip() {
	echo "ok - $(basename "$0" .sh) # SKIP $1"
	exit 77
}

# Unmount all below a directory, deepest first, free its loop devices, and remove it.
kernel_remove() {
	local directory=$1 target
	[ -n "$directory" ] || return 0
	# First what lies on images inside: a filesystem cannot go while a loop device reads it.
	while read -r target; do
		umount "$target" 2>/dev/null
	done < <(awk -v top="$directory/" 'index($5, top) == 1 { print $5 }' \
		/proc/self/mountinfo | sort -r)
	while read -r target; do
		losetup -d "$target" 2>/dev/null
	done < <(losetup -nO NAME,BACK-FILE | awk -v top="$directory/" 'index($2, top) == 1 { print $1 }')
	while read -r target; do
		umount "$target" 2>/dev/null || umount -l "$target"
	done < <(awk -v top="$directory/" 'index($5, top) == 1 { print $5 }' \
		/proc/self/mountinfo | sort -r)
	while read -r target; do
		losetup -d "$target"
	done < <(losetup -nO NAME,BACK-FILE | awk -v top="$directory/" 'index($2, top) == 1 { print $1 }')
	rm -rf --one-file-system "$directory"
}

kernel_end() {
	kernel_remove "$kernel_scratch"
	kernel_scratch=
}

# Remove what runs that no longer live have left.
kernel_sweep() {
	local directory owner
	for directory in "$KERNEL_PREFIX".*; do
		[ -d "$directory" ] || continue
		owner=${directory#"$KERNEL_PREFIX".}
		owner=${owner%%.*}
		[ -d "/proc/$owner" ] || kernel_remove "$directory"
	done
}

# kernel_begin [COMMAND...]: the commands that the suite needs besides mount.
kernel_begin() {
	local command release major minor
	[ "$(id -u)" = 0 ] || kernel_skip "needs root to mount filesystems"
	for command in losetup mount "$@"; do
		command -v "$command" >/dev/null || kernel_skip "the command $command is missing"
	done
	release=$(uname -r)
	major=${release%%.*}
	minor=${release#*.}
	minor=${minor%%[!0-9]*}
	[ $((major * 1000 + minor)) -ge 6016 ] ||
		kernel_skip "Linux $release has no untorn writes on XFS over a loop device (6.16 has)"
	kernel_sweep
	kernel_scratch=$(mktemp -d "$KERNEL_PREFIX.$$.XXXXXX") || exit 1
	chmod 755 "$kernel_scratch"
	trap kernel_end EXIT
	trap 'exit 1' INT TERM HUP
}

# kernel_mount TYPE NAME [MKFS OPTION...]: a fresh filesystem at $kernel_scratch/NAME.
kernel_mount() {
	local type=$1 name=$2 image=$kernel_scratch/$2.img
	shift 2
	mkdir "$kernel_scratch/$name" && truncate -s 512M "$image" || return 1
	if ! "mkfs.$type" -q "$@" "$image" >"$kernel_scratch/mkfs.log" 2>&1; then
		cat "$kernel_scratch/mkfs.log" >&2
		return 1
	fi
	if ! mount -t "$type" -o loop "$image" "$kernel_scratch/$name"; then
		grep -qw "$type" /proc/filesystems ||
			kernel_skip "this kernel cannot mount $type"
		kernel_skip "no loop device can be had"
	fi
}

# kernel_has TYPE: can it be made and mounted here?  If not, that is a skip of its tests.
kernel_has() {
	if ! command -v "mkfs.$1" >/dev/null; then
		echo "ok - $1 # SKIP the command mkfs.$1 is missing"
	elif ! grep -qw "$1" /proc/filesystems && ! modprobe "$1" 2>/dev/null; then
		echo "ok - $1 # SKIP this kernel has no $1"
	else
		return 0
	fi
	return 1
}

# kernel_run PROGRAM DIRECTORY [ARGUMENT...]
kernel_run() {
	local program=$1
	shift
	"$KERNEL_BIN/$program" "$@" || kernel_failures=$((kernel_failures + 1))
}

# kernel_report STATUS NAME: one TAP line for a check of the script's own.
kernel_report() {
	if [ "$1" = 0 ]; then
		echo "ok - $2"
	else
		echo "not ok - $2"
		kernel_failures=$((kernel_failures + 1))
	fi
}

# The exit status of the suite.
kernel_finish() {
	[ "$kernel_failures" = 0 ]
}
