# SPDX-License-Identifier: MIT
# Makers of disks, layers and filesystems.  Each leaves its result in $disk (or $disks) or $mount.
# Flow: read by guest/one after lib.sh; everything made is undone by defer.

# wait_for COMMAND...: until it is true, at most 10 s.
wait_for() {
	local try
	for ((try = 0; try < 100; try++)); do
		"$@" 2>/dev/null && return
		sleep 0.1
	done
	fail "waited in vain for: $*"
}

# remove MODULE: its disks may be held for a moment after umount.
remove() {
	local try
	for ((try = 0; try < 50; try++)); do
		"$VM_BUSYBOX" rmmod "$1" 2>/dev/null && return
		sleep 0.1
	done
	fail "module $1 cannot be removed"
}

# scsi_disk [PARAMETER=VALUE...]: scsi_debug, 64 MiB, untorn writes of 1 KiB to 64 KiB where the
# kernel's scsi_debug can (6.11); an older one ignores what it does not know.  Lengths in blocks.
# XFS needs $for_xfs.  With $for_races each command takes a while, in which another process runs.
for_xfs=dev_size_mb=320
for_races=ndelay=100000
scsi_disk() {
	[ ! -e /sys/module/scsi_debug ] || fail "scsi_debug is still there from an earlier test"
	must modprobe scsi_debug dev_size_mb=64 delay=0 max_luns=1 atomic_wr=1 \
		atomic_wr_max_length=128 atomic_wr_gran=2 atomic_wr_align=2 "$@"
	defer remove scsi_debug
	scsi_found
}
# The same without atomic writes, on every kernel.
scsi_plain_disk() {
	[ ! -e /sys/module/scsi_debug ] || fail "scsi_debug is still there from an earlier test"
	must modprobe scsi_debug dev_size_mb=64 delay=0 max_luns=1 "$@"
	defer remove scsi_debug
	scsi_found
}
scsi_found() {
	local hosts
	must modprobe sd_mod
	hosts=$(cat /sys/bus/pseudo/drivers/scsi_debug/add_host)
	wait_for scsi_all "$hosts"
	read -r -a disks <<<"$(scsi_list)"
	disk=${disks[0]}
}
scsi_list() {
	local path list=""
	for path in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*; do
		[ -e "$path" ] && [ -b "/dev/${path##*/}" ] && list="$list /dev/${path##*/}"
	done
	echo $list
}
scsi_all() {
	[ "$(scsi_list | wc -w)" = "$1" ]
}
# nvme_disk SERIAL: one of the table in run.sh.
nvme_disk() {
	disk=""
	wait_for nvme_find "$1"
}
nvme_find() {
	local path
	for path in /sys/class/nvme/nvme*; do
		[ "$(tr -d ' ' <"$path/serial")" = "$1" ] || continue
		disk=/dev/$(basename "$path")n1
		[ -b "$disk" ] && return
	done
	return 1
}

# partition DISK FIRST-512B-SECTOR SECTORS: partition 1, without a table on the disk.
partition() {
	must addpart "$1" 1 "$2" "$3"
	defer "delpart $1 1"
	disk=${1}1
	[ -b "$disk" ] || disk=${1}p1
	wait_for test -b "$disk"
}

sectors() {
	blockdev --getsz "$1"
}

# mapped NAME TABLE: a device-mapper device.
export DM_DISABLE_UDEV=1
mapped() {
	local target
	while read -r _ _ target _; do
		case $target in
		linear | striped | error) ;;
		thin-pool | thin) modprobe dm-thin-pool ;;
		*) modprobe "dm-$target" ;;
		esac
	done <<<"$2"
	must dmsetup create "$1" <<<"$2"
	defer "dmsetup remove --retry $1"
	disk=/dev/mapper/$1
	wait_for test -b "$disk"
}
linear() { # DISK [START-SECTOR]
	mapped linear "0 $(($(sectors "$1") - ${2:-0})) linear $1 ${2:-0}"
}
stripe() { # CHUNK-SECTORS DISK DISK
	local each=$(($(sectors "$2") / $1 * $1))
	mapped stripe "0 $((each * 2)) striped 2 $1 $2 0 $3 0"
}
crypt() {
	local key=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	mapped crypt "0 $(sectors "$1") crypt aes-xts-plain64 $key 0 $1 0"
}
thin() { # DISK: its first 16 MiB hold the metadata
	local size=$(($(sectors "$1") - 32768))
	mapped thinmeta "0 32768 linear $1 0"
	mapped thindata "0 $size linear $1 32768"
	must dd if=/dev/zero of=/dev/mapper/thinmeta bs=4096 count=1 status=none
	mapped pool "0 $size thin-pool /dev/mapper/thinmeta /dev/mapper/thindata 128 0"
	must dmsetup message pool 0 "create_thin 0"
	mapped thin "0 655360 thin /dev/mapper/pool 0"
}

# raid LEVEL CHUNK-KIB DISK DISK
raid() {
	local level=$1 chunk=$2
	shift 2
	modprobe "raid$level"
	[ "$level" = 1 ] && chunk="" || chunk="--chunk=$chunk"
	must mdadm --create /dev/md0 --run --level="$level" --raid-devices=$# --metadata=1.2 \
		--assume-clean $chunk "$@"
	defer "mdadm --stop /dev/md0; mdadm --zero-superblock $*"
	disk=/dev/md0
	wait_for test -b "$disk"
}

# filesystem xfs|ext4 DISK MKFS-OPTIONS MOUNT-OPTIONS
mounts=0
filesystem() {
	modprobe "$1"
	if [ "$1" = xfs ]; then
		must mkfs.xfs -q -f -K $3 "$2"
	else
		must mkfs.ext4 -q -F -E nodiscard $3 "$2"
	fi
	mounts=$((mounts + 1))
	mount=/mnt/$mounts
	mkdir -p $mount
	must mount -t "$1" ${4:+-o "$4"} "$2" $mount
	defer "umount $mount"
}

# XFS on an atomic disk with a file of 1 MiB whose blocks lie on multiples of 64 KiB of the disk, or
# (askew) one block beside them.
xfs_aligned() {
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1 -d su=64k,sw=1,agcount=4 -l size=64m" ""
	file=$mount/file
	must fallocate -l 1048576 "$file"
	must raw fill "$file" 1048576
	sync
	xfs_place
	[ $((place % 128)) = 0 ] || fail "the file starts at sector $place, which is not aligned"
}
xfs_askew() {
	xfs_aligned
	must xfs_io -c "fpunch 0 1m" -c "falloc 4k 1020k" "$file"
	must raw fill "$file" 1048576
	sync
}
xfs_place() { # the first sector of the file, on its filesystem's disk
	place=$(xfs_io -r -c "fiemap" "$file" | sed -n 's/.*\[0\.\.[0-9]*\]: \([0-9]*\)\.\..*/\1/p')
	xfs_io -r -c fiemap "$file"
}

# A file for a loop device of SIZE on the guest's memory.
loop_disk() {
	local image
	modprobe loop
	image=$(mktemp /scratch/loop.XXXXXX)
	truncate -s "$1" "$image"
	disk=$(must losetup --show -f "$image")
	defer "losetup -d $disk; rm $image"
}

overlay() { # LOWER-AND-UPPER-DIRECTORY on one filesystem
	mkdir -p "$1"/{lower,upper,work} /mnt/overlay
	must mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" overlay /mnt/overlay
	defer "umount /mnt/overlay"
	mount=/mnt/overlay
}

null_disk() {
	must modprobe null_blk gb=1 memory_backed=1 bs=4096
	defer remove null_blk
	disk=/dev/nullb0
	wait_for test -b "$disk"
}
