# SPDX-License-Identifier: MIT
# Goal: what the library's probe says against what the device was made with, and that all three ways
# keep to it on both sides of every bound, as does the kernel without the library.
# Method: make each device and filesystem, compare mechanism, units and all reasons, then `sizes`.
# Each verdict goes into the record, and from there, by table.sh, into doc/verdicts.md.
. "$VM_GUEST/library.sh"

# says FILE ROW [KERNEL MECHANISM MIN MAX HW REASONS]...: the last group whose kernel is not newer
# than the running one counts.  ROW is the row of the table; REASONS are all but the page cache's.
says() {
	local file=$1 row=$2 wanted="none 0 0 0 kernel-too-old" mechanism min max hw reasons
	shift 2
	while [ $# -gt 0 ]; do
		kernel_is_at_least "$1" && wanted="$2 $3 $4 $5 $6"
		shift 6
	done
	read -r mechanism min max hw reasons <<<"$wanted"
	library_fact "probe" probe "$file"
	expect mechanism "$mechanism" "$line"
	expect min "$min" "$line"
	expect max "$max" "$line"
	expect hw "$hw" "$line"
	[ "$mechanism" = none ] || expect segments 1 "$line"
	reasons=${reasons#-}
	expect reasons "${reasons:+$reasons,}buffered-not-in-kernel" "$line"
	expect unfixed - "$line"
	if [ "$mechanism" != none ] && [ -b "$file" ]; then
		expect queue_min "$min" "$line"
		expect queue_max "$max" "$line"
	fi
	[ "$mechanism" = none ] && expect confirm "${denied:--95}" "$line" || expect confirm -22 "$line"
	fact "verdict|$row|$mechanism|$min|$max|$hw|$reasons"
	library_fact "sizes" sizes "$file" "$min" "$max" ${lies:-}
}

# Disks.
# A1, A3, A9, A10
test_library_probe_scsi() {
	scsi_disk
	says "$disk" "SCSI disk, units 1-64 KiB" 6.11 hardware 1024 65536 65536 -
}
# A10
test_library_probe_scsi_512_to_64k() {
	scsi_disk atomic_wr_gran=1 atomic_wr_align=1
	says "$disk" "SCSI disk, units 512 B-64 KiB" 6.11 hardware 512 65536 65536 -
}
# A10, A11
test_library_probe_scsi_4k_to_16k() {
	scsi_disk atomic_wr_gran=8 atomic_wr_align=8 atomic_wr_max_length=32
	says "$disk" "SCSI disk, units 4-16 KiB" 6.11 hardware 4096 16384 16384 -
}
# A11
test_library_probe_scsi_4k_blocks() {
	scsi_disk sector_size=4096 atomic_wr_gran=1 atomic_wr_align=1 atomic_wr_max_length=16
	says "$disk" "SCSI disk, 4 KiB blocks, units 4-64 KiB" 6.11 hardware 4096 65536 65536 -
}
# A11
test_library_probe_scsi_48k() {
	scsi_disk atomic_wr_gran=1 atomic_wr_align=1 atomic_wr_max_length=96
	says "$disk" "SCSI disk, maximum length 48 KiB" 6.11 hardware 512 32768 32768 -
}
# A12
test_library_probe_scsi_boundary() {
	scsi_disk atomic_wr_max_length=0 atomic_wr_max_length_bndry=64 atomic_wr_max_bndry=32
	says "$disk" "SCSI disk, 32 KiB only with a boundary of 16 KiB" \
		6.11 hardware 1024 16384 16384 -
}
# A2
test_library_probe_scsi_without() {
	scsi_plain_disk
	says "$disk" "SCSI disk without atomic writes" 6.11 none 0 0 0 device-unsupported
}
# A1, A10, A13
test_library_probe_nvme_nawupf() {
	nvme_disk nawupf4k
	says "$disk" "NVMe, 4 KiB blocks, NAWUPF 16 blocks" 6.11 hardware 4096 65536 65536 -
}
# A9, A10, A13
test_library_probe_nvme_nawupf_512() {
	nvme_disk nawupf512
	says "$disk" "NVMe, 512 B blocks, NAWUPF 32 blocks" 6.11 hardware 512 16384 16384 -
}
# A13
test_library_probe_nvme_awupf() {
	nvme_disk awupf4k
	says "$disk" "NVMe, 4 KiB blocks, AWUPF 16 blocks" 6.11 hardware 4096 65536 65536 - \
		7.0 hardware 4096 4096 4096 nvme-awupf-ignored
}
# A13
test_library_probe_nvme_awupf_512() {
	nvme_disk awupf512
	says "$disk" "NVMe, 512 B blocks, AWUPF 16 blocks" 6.11 hardware 512 8192 8192 - \
		7.0 hardware 512 512 512 nvme-awupf-ignored
}
# A15
test_library_probe_nvme_boundary() {
	nvme_disk nabspf4k
	says "$disk" "NVMe, NAWUPF 16 KiB, boundary (NABSPF) 32 KiB" 6.11 hardware 4096 16384 16384 -
	kernel_is_at_least 6.11 || return 0
	line=$(library probe "$disk")
	expect boundary 32768 "$line"
}
# A14
test_library_probe_nvme_boundary_offset() {
	nvme_disk nabo4k
	says "$disk" "NVMe, boundary offset (NABO) not 0" 6.11 none 0 0 0 device-unsupported
}
# A21
test_library_probe_null_blk() {
	null_disk
	says "$disk" "null_blk" 6.11 none 0 0 0 device-unsupported
}
# A21
test_library_probe_loop() {
	loop_disk 64M
	says "$disk" "loop device" 6.11 none 0 0 0 device-unsupported
}

# Partitions.
# A10, A16
test_library_probe_partition_aligned() {
	scsi_disk
	partition "$disk" 2048 65536
	says "$disk" "partition at 1 MiB, SCSI 1-64 KiB" 6.11 hardware 1024 65536 65536 -
}
# A16
test_library_probe_partition_aligned_to_the_smallest_unit() {
	scsi_disk
	partition "$disk" 2050 65536
	says "$disk" "partition at 1 MiB + 1 KiB, SCSI 1-64 KiB" 6.11 hardware 1024 65536 65536 -
}
# A16
test_library_probe_partition_misaligned() {
	scsi_disk
	partition "$disk" 2049 65536
	says "$disk" "partition at 1 MiB + 512 B, SCSI 1-64 KiB" \
		6.11 none 0 0 0 partition-misaligned
}
# A16
test_library_probe_partition_nvme() {
	nvme_disk nawupf4k
	partition "$disk" 2048 65536
	says "$disk" "partition at 1 MiB, NVMe NAWUPF 64 KiB" 6.11 hardware 4096 65536 65536 -
}
# A16
test_library_probe_partition_off_the_boundary() {
	nvme_disk nabspf4k
	partition "$disk" 2056 65536
	says "$disk" "partition at 1 MiB + 4 KiB, NVMe boundary 32 KiB" \
		6.11 none 0 0 0 partition-misaligned
}

# Layers.  The disks below have units of 1 to 64 KiB.
# A17
test_library_probe_dm_linear() {
	scsi_disk
	linear "$disk"
	says "$disk" "dm-linear" 6.11 none 0 0 0 layer-blocks 6.14 hardware 1024 65536 65536 -
}
# A17
test_library_probe_dm_linear_misaligned() {
	scsi_disk
	linear "$disk" 1
	says "$disk" "dm-linear from sector 1" 6.11 none 0 0 0 layer-blocks
}
# A17
test_library_probe_dm_stripe() {
	scsi_disk add_host=2 per_host_store=1
	stripe 32 "${disks[@]}"
	says "$disk" "dm-stripe, chunks of 16 KiB" 6.11 none 0 0 0 layer-blocks \
		6.14 hardware 1024 16384 16384 -
}
# A18
test_library_probe_dm_crypt() {
	scsi_disk
	crypt "$disk"
	says "$disk" "dm-crypt" 6.11 none 0 0 0 layer-blocks 6.19 hardware 1024 65536 65536 -
}
# A19
test_library_probe_dm_thin() {
	scsi_disk
	thin "$disk"
	says "$disk" "dm-thin" 6.11 none 0 0 0 layer-blocks
}
# A20
test_library_probe_md_raid0() {
	scsi_disk add_host=2 per_host_store=1
	raid 0 32 "${disks[@]}"
	says "$disk" "md raid0, chunks of 32 KiB" 6.11 none 0 0 0 layer-blocks \
		6.13 hardware 1024 32768 32768 -
}
# A20
test_library_probe_md_raid1() {
	scsi_disk add_host=2 per_host_store=1
	raid 1 0 "${disks[@]}"
	says "$disk" "md raid1" 6.11 none 0 0 0 layer-blocks 6.13 hardware 1024 65536 65536 -
}

# on ROW [GROUP]...: a file on the filesystem at $mount.  No filesystem can before 6.13.
on() {
	local row=$1
	shift
	must raw fill "$mount/file" $((5 << 20))
	sync
	says "$mount/file" "$row" 6.11 none 0 0 0 kernel-too-old "$@"
}
# A1, A3, A23, A24
test_library_probe_ext4() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" ""
	on "ext4 on SCSI 1-64 KiB" 6.16 hardware 4096 4096 4096 ext4-needs-bigalloc
}
# A24
test_library_probe_ext4_1k() {
	scsi_disk
	filesystem ext4 "$disk" "-b 1024" ""
	on "ext4, 1 KiB blocks, on SCSI 1-64 KiB" 6.16 hardware 1024 1024 1024 ext4-needs-bigalloc
}
# A9, A24
test_library_probe_ext4_bigalloc() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	on "ext4 bigalloc 64 KiB on SCSI 1-64 KiB" 6.16 hardware 4096 65536 65536 -
}
# A24
test_library_probe_ext4_bigalloc_over_16k() {
	scsi_disk atomic_wr_max_length=32
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	on "ext4 bigalloc 64 KiB on SCSI 1-16 KiB" 6.16 hardware 4096 16384 16384 -
}
# A24
test_library_probe_ext4_nvme() {
	nvme_disk nawupf4k
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	on "ext4 bigalloc 64 KiB on NVMe NAWUPF 64 KiB" 6.16 hardware 4096 65536 65536 -
}
# A24
test_library_probe_ext4_nvme_awupf_512() {
	nvme_disk awupf512
	filesystem ext4 "$disk" "-b 4096" ""
	on "ext4 on NVMe, 512 B blocks, AWUPF 16 blocks" 6.16 hardware 4096 4096 4096 - \
		7.0 none 0 0 0 device-unsupported,nvme-awupf-ignored
}
# A2
test_library_probe_ext4_without() {
	scsi_plain_disk
	filesystem ext4 "$disk" "-b 4096" ""
	on "ext4 on a disk without atomic writes" 6.16 none 0 0 0 device-unsupported
}
# The kernel claims, confirms, and then writes through the page cache.
# A39
test_library_probe_ext4_data_journal() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" "data=journal"
	kernel_is_at_least 6.13 && denied=-22 lies=lies
	on "ext4 data=journal on SCSI 1-64 KiB" 6.16 none 0 0 0 data-journaled
}

# XFS's largest unit by copy on write depends on log and groups, so they are said, not defaults.
xfs_shape="-d agcount=4 -l size=64m"
# A1, A3, A7, A9, A23, A25
test_library_probe_xfs() {
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on SCSI 1-64 KiB" 6.16 mixed 4096 1048576 65536 -
}
# A25
test_library_probe_xfs_nvme() {
	nvme_disk nawupf4k
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on NVMe NAWUPF 64 KiB" 6.16 mixed 4096 1048576 65536 -
}
# A7, A9, A25
test_library_probe_xfs_without_hardware() {
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on a disk without atomic writes" \
		6.16 filesystem 4096 1048576 0 xfs-software
}
# A27
test_library_probe_xfs_max_atomic_write() {
	scsi_disk $for_xfs
	# Older kernels know no such option.
	kernel_is_at_least 6.16 && option=max_atomic_write=16k || option=""
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" "$option"
	on "XFS with reflink, max_atomic_write=16k, on SCSI 1-64 KiB" \
		6.16 hardware 4096 16384 16384 -
}
# A7, A26
test_library_probe_xfs_without_reflink() {
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=0,rmapbt=0 $xfs_shape" ""
	on "XFS without reflink on SCSI 1-64 KiB" 6.16 hardware 4096 4096 4096 xfs-needs-reflink
}
# A2, A26
test_library_probe_xfs_with_nothing() {
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=0,rmapbt=0 $xfs_shape" ""
	on "XFS without reflink on a disk without atomic writes" \
		6.16 none 0 0 0 device-unsupported,xfs-needs-reflink
}
# A28
test_library_probe_xfs_on_units_from_8k() {
	scsi_disk $for_xfs atomic_wr_gran=16 atomic_wr_align=16
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on SCSI 8-64 KiB" 6.16 filesystem 4096 1048576 0 xfs-software
}
# A28
test_library_probe_xfs_nvme_awupf_512() {
	nvme_disk awupf512
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on NVMe, 512 B blocks, AWUPF 16 blocks" \
		7.0 filesystem 4096 1048576 0 xfs-software,nvme-awupf-ignored
}
# A20
test_library_probe_xfs_md_raid1() {
	scsi_disk $for_xfs add_host=2 per_host_store=1
	raid 1 0 "${disks[@]}"
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on md raid1" 6.16 mixed 4096 262144 65536 -
}
# A19
test_library_probe_xfs_dm_thin() {
	scsi_disk $for_xfs dev_size_mb=400
	thin "$disk"
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on dm-thin" 6.16 filesystem 4096 1048576 0 xfs-software,layer-blocks
}
# A18
test_library_probe_xfs_dm_crypt() {
	scsi_disk $for_xfs
	crypt "$disk"
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	on "XFS with reflink on dm-crypt" 6.16 filesystem 4096 1048576 0 xfs-software,layer-blocks \
		6.19 mixed 4096 1048576 65536 -
}
# From 6.13 statx passes on what the file below claims; on every kernel the overlay is the reason.
# A6
test_library_probe_overlay() {
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1,rmapbt=0 $xfs_shape" ""
	mkdir -p "$mount/over/upper"
	overlay "$mount/over"
	must raw fill "$mount/file" $((5 << 20))
	sync
	says "$mount/file" "overlay over XFS with reflink, on SCSI 1-64 KiB" \
		0.0 none 0 0 0 overlay
}
