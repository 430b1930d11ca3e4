#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Goal: every way of writing, in every environment, with every fault: what returned 0 durably is
# there, what failed is what on_disk said, no page is a mixture, and nothing hangs.
#
# Method: cells.list has a line for each cell, such that each way meets each environment and each
# fault, and each environment each fault.  This script makes the environments, on a disk that
# atomicio crash serves where faults and cuts are wanted, and runs the cells of each in one program
# (main.c).  On ext4 and XFS what was durable is looked for on a cut that keeps nothing else.
#
#	run.sh [ATOMICIO] [ENVIRONMENT...]
#	run.sh --pairs		print the cells that there are, each expecting "new"
#	run.sh --table		print what the cells expect, as man/atomicio-kernel.7 shows it
set -u
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/support/serve.sh
. "$here/../support/serve.sh"
environments=(ext4 ext4-journal xfs btrfs overlay tmpfs fuse-direct fuse-cached fuse-writeback raw)
all=("${environments[@]}")
ways=(kernel auto reopen journal-direct journal-cached plain-direct plain-cached batch group queue ring)
late=entries # meets each fault and each environment in cells of its own
program_of() { echo "${MATRIX_PROGRAM:-$(dirname "$1")/../tests/matrix/matrix}"; }
built=${ATOMICIO_BUILD:-$here/../../build/gcc}/tools/atomicio

if [ "${1:-}" = --pairs ]; then
	f=0
	"$(program_of "${2:-$built}")" --faults | while read -r fault more; do
		read -r -a variants <<<"$more"
		for ((e = 0; e < ${#environments[@]}; e++)); do
			[ ${#variants[@]} = 0 ] || variant=:${variants[(e + f) % ${#variants[@]}]}
			echo "${ways[(f + e) % ${#ways[@]}]} ${environments[e]} $fault${variant-} new"
		done
		[ ${#variants[@]} = 0 ] || variant=:${variants[f % ${#variants[@]}]}
		echo "$late ${environments[f % ${#environments[@]}]} $fault${variant-} new"
		unset variant
		f=$((f + 1))
	done
	exit
fi

# A line for each fault, a column for each environment: the way by a letter, "!" where a write failed,
# "?" where one may.
table() {
	awk -v environments="${all[*]}" -v ways="${ways[*]} $late" '
		BEGIN {
			count = split(environments, e, " ")
			split("ext4 ext4j xfs btrfs overl tmpfs f-dir f-cac f-wb raw", title, " ")
			split(ways, name, " ")
			split("K A R J j P p B G Q U E", sign, " ")
			for (i in name)
				letter[name[i]] = sign[i]
			printf "%-16s", "fault"
			for (i = 1; i <= count; i++)
				printf "%-6s", title[i]
			print ""
		}
		{ sub(":.*", "", $3) }
		!($3 in seen) { seen[$3] = 1; faults[++rows] = $3 }
		{ cell[$3, $2] = cell[$3, $2] letter[$1] ($4 == "some" ? "!" : $4 == "any" ? "?" : "") }
		END {
			for (f = 1; f <= rows; f++) {
				line = sprintf("%-16s", faults[f])
				for (i = 1; i <= count; i++)
					line = line sprintf("%-6s", ((faults[f], e[i]) in cell) ? cell[faults[f], e[i]] : "-")
				print line
			}
		}' "$here/cells.list" | sed 's/ *$//'
}
if [ "${1:-}" = --table ]; then
	table
	exit
fi

tool=$(realpath -- "${1:-$built}") || exit 1
shift $(($# > 0))
[ $# = 0 ] || environments=("$@")
program=$(program_of "$tool")
cells=${MATRIX_CELLS:-$here/cells.list}
failures=0
skip() {
	echo "ok - matrix # SKIP $1"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root to mount filesystems"
[ -w /dev/fuse ] || skip "there is no /dev/fuse"
[ -x "$program" ] || skip "libfuse3 was not there when this was built"
for command in mkfs.ext4 mkfs.xfs mkfs.btrfs; do
	command -v $command >/dev/null || skip "the command $command is missing"
done
# Mounts of its own, which end with it.
if [ -z "${MATRIX_ALONE:-}" ]; then
	MATRIX_ALONE=1 exec unshare --mount --propagation private bash "$0" "$tool" "${environments[@]}"
fi

scratch=$(mktemp -d) || exit 1
chmod 755 "$scratch"
disk=$scratch/disk at=$scratch/at cut=$scratch/cut below=$scratch/below
mkdir "$disk" "$at" "$cut" "$below"
mounted=() # in the order in which it was mounted
beneath='' # what a server passes through
device=''
undo() {
	local i
	for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
		umount "${mounted[i]}" 2>/dev/null || umount -l "${mounted[i]}"
	done
	mounted=()
	if [ -n "$device" ]; then
		losetup -d "$device"
		for _ in $(seq 100); do
			[ -e "/sys/block/${device#/dev/}/loop/backing_file" ] || break
			sleep 0.02
		done
		device=''
	fi
	serve_end
	[ -z "$beneath" ] || umount "$beneath" || umount -l "$beneath"
	beneath=''
	unset MATRIX_TO MATRIX_FROM MATRIX_CUT MATRIX_UNCUT MATRIX_CUT_AT MATRIX_REMOUNT
}
finish() {
	undo
	umount -l "$cut" 2>/dev/null
	rm -rf --one-file-system "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# serve WHERE SERVE-ARGUMENT...
serve() {
	serve_begin "$tool" "$scratch" "$@" || return 1
	export MATRIX_TO=7 MATRIX_FROM=8
}

# filesystem TYPE SIZE OPTIONS MKFS...: on a served disk
filesystem() {
	local type=$1 size=$2 options=$3
	shift 3
	serve "$disk" image "$disk" --size "$size" || return 1
	device=$(losetup --find --show --direct-io=on "$disk/image") || return 1
	"$@" "$device" >/dev/null 2>&1 && mount -t "$type" -o "$options" "$device" "$at" || return 1
	mounted+=("$at")
	export MATRIX_TYPE=$type MATRIX_OPTIONS=$options MATRIX_DEVICE=$device MATRIX_AT=$at MATRIX_DISK=$disk
	export MATRIX_REMOUNT="bash $here/cut.sh again"
}
cuts() {
	export MATRIX_CUT="bash $here/cut.sh on" MATRIX_UNCUT="bash $here/cut.sh off" MATRIX_CUT_AT=$cut
}

# A directory, passed through.  Its filesystem is a small one of its own: a cell fills it.
passed() {
	truncate -s 96M "$scratch/below.image" &&
		mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0 "$scratch/below.image" &&
		mount -o loop "$scratch/below.image" "$below" || return 1
	beneath=$below
	mkdir "$below/$1" && serve "$at" directory "$below/$1" "$at" --mode "$1"
}

environment() {
	case $1 in
	ext4) filesystem ext4 64M rw mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0 && cuts ;;
	ext4-journal) filesystem ext4 96M data=journal mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0 && cuts ;;
	xfs) filesystem xfs 300M rw mkfs.xfs -q -f -K && cuts ;;
	btrfs) filesystem btrfs 128M rw mkfs.btrfs -q -f -K ;;
	overlay)
		filesystem ext4 64M rw mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0 || return 1
		mkdir "$at/lower" "$at/upper" "$at/work" "$scratch/overlay" &&
			mount -t overlay -o "lowerdir=$at/lower,upperdir=$at/upper,workdir=$at/work" overlay "$scratch/overlay" || return 1
		mounted+=("$scratch/overlay")
		where=$scratch/overlay
		unset MATRIX_REMOUNT
		;;
	tmpfs) mount -t tmpfs -o size=64M tmpfs "$at" && mounted+=("$at") ;;
	fuse-direct) passed direct ;;
	fuse-cached) passed cached ;;
	fuse-writeback) passed writeback ;;
	raw) # two files on one disk: the pages are the block device, the journal lies on a tmpfs
		serve "$disk" image "$disk" --size 16M || return 1
		device=$(losetup --find --show --direct-io=on "$disk/image") || return 1
		mount -t tmpfs -o size=64M tmpfs "$at" && mounted+=("$at") && ln -s "$device" "$at/device"
		;;
	*) return 1 ;;
	esac
}

from_time=$SECONDS
for name in "${environments[@]}"; do
	where=$at
	if environment "$name"; then
		chmod 777 "$where"
		timeout -k 5 300 "$program" "$name" "$where" <"$cells" || failures=$((failures + 1))
	else
		echo "not ok - $name cannot be made"
		failures=$((failures + 1))
	fi
	undo
done
echo "# $(wc -l <"$cells") cells, $((SECONDS - from_time)) s"
if diff <(table) <(sed -n '/^\.\\" matrix/,/^\.\\" end/p' "$here/../../man/atomicio-kernel.7" | grep -v '^\.') >"$scratch/diff"; then
	echo "ok - the_manual_has_the_table"
else
	sed 's/^/# /' "$scratch/diff"
	echo "not ok - the_manual_has_the_table"
	failures=$((failures + 1))
fi
[ $failures = 0 ]
