#!/bin/bash
# SPDX-License-Identifier: MIT
# Goal: the atomicio command keeps its promises to people and scripts: exit statuses, one sentence
# for an error, JSON that a parser takes, and no trace left by looking.
#
# Method: run the built binary on real files and compare status, stdout, stderr and the files'
# bytes.  As root an XFS with reflink on a loop device gives real untorn writes; tests that need it,
# or strace, or a second user, are skipped where it cannot be had.  strace also injects the errors
# that a healthy kernel does not give.
#
# Flow: run.sh holds the helpers and the stages; usage.sh, probe.sh, doctor.sh, write.sh,
# journal*.sh, bench.sh, words.sh and crash*.sh hold the tests, one family each; ATOMICIO_TOOL_PARTS
# names some of them.
#
# Usage: run.sh PATH-OF-ATOMICIO
# shellcheck disable=SC2317,SC2034
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

tool=$(realpath -- "${1:?usage: run.sh PATH-OF-ATOMICIO}") || exit 2
command -v jq >/dev/null || { echo "run.sh: jq is missing: apt-get install jq" >&2; exit 2; }
leave=$(dirname "$tool")/../tests/tool/journal_leave # built with the tests
craft=$(dirname "$leave")/journal_craft
passed=0 failed=0 skipped=0
work=$(mktemp -d)
chmod 755 "$work"
dir=$work/dir out=$work/out err=$work/err
xfs=
cleanup() {
	local mounted
	for mounted in "$dir/mnt" "$work/volatile" "$work/ramfs" "$work/bench-ramfs"; do
		! mountpoint -q "$mounted" || umount "$mounted"
	done
	[ -z "$xfs" ] || umount "$xfs" || umount --lazy "$xfs"
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
mkdir "$dir"

# Checks: each adds to $trouble, which the test's end reports.
trouble=
note() { trouble+="#   $*"$'\n'; }
expect() { # STATUS COMMAND...
	local want=$1 status=0
	shift
	timeout 20 "$@" >"$out" 2>"$err" || status=$?
	[ "$status" -eq "$want" ] || note "status $status, not $want: $* ($(head -c 300 "$err"))"
}
prints() { grep -qE -- "$1" "$out" || note "stdout has no '$1': $(head -c 300 "$out")"; }
says() { grep -qE -- "$1" "$err" || note "stderr has no '$1': $(head -c 300 "$err")"; }
one_sentence() {
	if [ "$(wc -l <"$err")" -ne 1 ] || ! grep -q '^atomicio: ' "$err"; then
		note "stderr is not one 'atomicio: ' line: $(head -c 300 "$err")"
	fi
}
json() { jq -e "$@" <"$out" >/dev/null 2>>"$err" || note "jq $*: $(head -c 400 "$out")"; }
same() { cmp -s "$1" "$2" || note "$1 and $2 differ"; }
holds() { # a file's bytes: FILE OFFSET LENGTH DATA
	cmp -s -n "$3" -i "$2:0" "$1" "$4" || note "$1 does not hold $4 at $2"
}
need() { # a reason to skip: the word of something that is not there
	case $1 in
	strace) command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null ;;
	nobody) [ "$(id -u)" -eq 0 ] && "${as_nobody[@]}" "$tool" --version >/dev/null 2>&1 ;;
	root) [ "$(id -u)" -eq 0 ] ;;
	xfs) [ -n "$xfs" ] ;;
	ramfs) [ "$(id -u)" -eq 0 ] && grep -q '[[:space:]]ramfs$' /proc/filesystems ;;
	tmpfs) [ -n "$shm" ] ;;
	leave) [ -x "$leave" ] ;;
	loop) [ "$(id -u)" -eq 0 ] && [ -b "$(losetup -f 2>/dev/null)" ] ;;
	# No mount namespace can be made private where / is no mount point, as in a chroot.
	crash) need loop && [ -w /dev/fuse ] && command -v mkfs.ext4 >/dev/null && unshare -m true 2>/dev/null ;;
	craft) [ -x "$craft" ] ;;
	script) script -qec true /dev/null >/dev/null 2>&1 </dev/null ;; # and a pty to be had
	esac
}
as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all)
try() { # FUNCTION [NEEDS...]
	local name=$1 word
	shift
	for word in "$@"; do
		if ! need "$word"; then
			echo "ok $name # SKIP needs $word"
			skipped=$((skipped + 1))
			return
		fi
	done
	trouble=
	"$name"
	if [ -z "$trouble" ]; then
		echo "ok $name"
		passed=$((passed + 1))
	else
		echo "not ok $name"
		printf '%s' "$trouble"
		failed=$((failed + 1))
	fi
}

# The stages: a tmpfs, which cannot, and an XFS with reflink, which can.
shm=
if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && shm=$(mktemp -d /dev/shm/atomicio.XXXXXX); then
	trap 'rm -rf "$shm"; cleanup' EXIT
fi
if [ "$(id -u)" -eq 0 ] && command -v mkfs.xfs >/dev/null; then
	truncate -s 400M "$work/xfs.img" && mkdir "$work/xfs" &&
		mkfs.xfs -q -m reflink=1 "$work/xfs.img" &&
		mount -o loop "$work/xfs.img" "$work/xfs" && xfs=$work/xfs && chmod 1777 "$xfs"
fi
if [ -n "$xfs" ] && ! "$tool" doctor "$xfs" >/dev/null; then
	echo "# this kernel's XFS makes no untorn writes"
	umount "$xfs"
	xfs=
fi

here=$(dirname "${BASH_SOURCE[0]}")
for part in ${ATOMICIO_TOOL_PARTS:-usage completion probe doctor write journal journal_recover journal_disk journal_craft bench words crash crash_serve}; do
	# shellcheck source=/dev/null
	. "$here/$part.sh"
done

summary="$passed passed, $failed failed"
[ "$skipped" -eq 0 ] || summary+=", $skipped skipped"
echo "$summary"
[ "$failed" -eq 0 ]
