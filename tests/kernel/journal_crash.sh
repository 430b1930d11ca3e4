#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Writers through a journal are killed, filesystems are shut down under them, and images are
# cloned while they write: recovery makes all whole and loses nothing acknowledged.
#
# SEED=N sets the seed, ROUNDS=PERCENT more or fewer rounds than the usual 100 %.
set -u
# shellcheck source=tests/kernel/lib.sh
. "$(dirname "$0")/lib.sh"

seed=${SEED:-$(date +%s)}
percent=${ROUNDS:-100}
rounds() { echo $(($1 * percent / 100 + 1)); }
echo "# SEED=$seed"

# attach FILE: a loop device that stays until the scratch directory goes; its name is in $device
attach() {
	device=$(losetup --find --show "$1") || kernel_skip "no loop device can be had"
}

# stage TYPE NAME [MKFS OPTION...]: a filesystem on a device that outlives its mount
stage() {
	local type=$1 name=$2 image=$kernel_scratch/$2.img
	shift 2
	mkdir "$kernel_scratch/$name" && truncate -s 320M "$image" &&
		"mkfs.$type" -q "$@" "$image" && attach "$image" &&
		mount -t "$type" "$device" "$kernel_scratch/$name" || exit 1
}

# images TYPE: the same, on an image whose clones are taken while its filesystem is written
images() {
	local type=$1 outer=$kernel_scratch/outer
	mkdir "$kernel_scratch/$type-live" "$kernel_scratch/$type-clone"
	truncate -s 320M "$outer/$type.img" && "mkfs.$type" -q "$outer/$type.img" || exit 1
	attach "$outer/$type.img"
	mount -t "$type" "$device" "$kernel_scratch/$type-live" || exit 1
	truncate -s 320M "$outer/$type.clone"
	attach "$outer/$type.clone"
	kernel_run journal_crash image "$kernel_scratch/$type-live" "$seed" "$2" \
		"$outer/$type.img" "$outer/$type.clone" "$device" "$type" "$kernel_scratch/$type-clone"
}

kernel_begin mkfs.xfs mkfs.ext4
mkdir "$kernel_scratch/tmpfs"
mount -t tmpfs none "$kernel_scratch/tmpfs" || exit 1
echo "# SIGKILL on tmpfs"
kernel_run journal_crash kill "$kernel_scratch/tmpfs" "$seed" "$(rounds 100)"
for type in xfs ext4; do
	stage $type $type
	echo "# SIGKILL on $type"
	kernel_run journal_crash kill "$kernel_scratch/$type" "$seed" "$(rounds 60)"
	echo "# shutdown of $type"
	kernel_run journal_crash shutdown "$kernel_scratch/$type" "$seed" "$(rounds 40)" "$device" $type
done
if grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null; then
	mkdir "$kernel_scratch"/ext4/{lower,upper,work} "$kernel_scratch/overlay"
	mount -t overlay overlay -o "lowerdir=$kernel_scratch/ext4/lower,upperdir=$kernel_scratch/ext4/upper,workdir=$kernel_scratch/ext4/work" \
		"$kernel_scratch/overlay" || exit 1
	echo "# SIGKILL on overlay"
	kernel_run journal_crash kill "$kernel_scratch/overlay" "$seed" "$(rounds 30)"
else
	echo "ok - SIGKILL on overlay # SKIP this kernel has no overlay"
fi
kernel_mount xfs outer -m reflink=1 || exit 1
for type in xfs ext4; do
	echo "# images of $type"
	images $type "$(rounds 30)"
done
kernel_finish
