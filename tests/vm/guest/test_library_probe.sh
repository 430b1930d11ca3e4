# SPDX-License-Identifier: MIT
# Goal: what the library's probe says against what the device was made with, and that all three ways
# keep to it on both sides of every bound.
# Method: make each device and filesystem, compare mechanism, units and reasons, then `sizes`.
. "$VM_GUEST/library.sh"

# says FILE MECHANISM MIN MAX HW [REASON]
says() {
	library_fact "probe $1" probe "$1"
	expect mechanism "$2" "$line"
	expect min "$3" "$line"
	expect max "$4" "$line"
	expect hw "$5" "$line"
	[ -z "${6:-}" ] || has_reason "$6" "$line"
	library_fact "sizes $1" sizes "$1" "$3" "$4"
}
# disk_since KERNEL MIN MAX: hardware on it and after, nothing before.
disk_since() {
	if kernel_is_at_least "$1"; then
		says "$disk" hardware "$2" "$3" "$3"
	else
		says "$disk" none 0 0 0
	fi
}
test_library_probe_scsi() {
	scsi_disk
	disk_since 6.11 1024 65536
}
test_library_probe_scsi_4k_to_16k() {
	scsi_disk atomic_wr_gran=8 atomic_wr_align=8 atomic_wr_max_length=32
	disk_since 6.11 4096 16384
}
test_library_probe_scsi_without() {
	scsi_plain_disk
	says "$disk" none 0 0 0
}
test_library_probe_nvme_nawupf() {
	nvme_disk nawupf4k
	disk_since 6.11 4096 65536
}
test_library_probe_nvme_nawupf_512() {
	nvme_disk nawupf512
	disk_since 6.11 512 16384
}
test_library_probe_nvme_boundary() {
	nvme_disk nabspf4k
	disk_since 6.11 4096 16384
}
test_library_probe_nvme_awupf() {
	nvme_disk awupf4k
	if kernel_is_at_least 7.0; then
		says "$disk" hardware 4096 4096 4096 nvme-awupf-ignored
	else
		disk_since 6.11 4096 65536
	fi
}
test_library_probe_partition_aligned() {
	scsi_disk
	partition "$disk" 2048 65536
	disk_since 6.11 1024 65536
}
test_library_probe_partition_misaligned() {
	needs_kernel 6.11
	scsi_disk
	partition "$disk" 2049 65536
	says "$disk" none 0 0 0 partition-misaligned
}
test_library_probe_dm_linear() {
	scsi_disk
	linear "$disk"
	disk_since 6.14 1024 65536
}
test_library_probe_dm_stripe() {
	scsi_disk add_host=2 per_host_store=1
	stripe 32 "${disks[@]}"
	disk_since 6.14 1024 16384
}
test_library_probe_dm_crypt() {
	scsi_disk
	crypt "$disk"
	disk_since 6.19 1024 65536
}
test_library_probe_dm_thin() {
	needs_kernel 6.11
	scsi_disk
	thin "$disk"
	says "$disk" none 0 0 0 layer-blocks
}
test_library_probe_md_raid0() {
	scsi_disk add_host=2 per_host_store=1
	raid 0 32 "${disks[@]}"
	disk_since 6.13 1024 32768
}
test_library_probe_md_raid1() {
	scsi_disk add_host=2 per_host_store=1
	raid 1 0 "${disks[@]}"
	disk_since 6.13 1024 65536
}
test_library_probe_null_blk() {
	null_disk
	says "$disk" none 0 0 0
}
# on_filesystem KERNEL MECHANISM MIN MAX HW [REASON]
on_filesystem() {
	must raw fill "$mount/file" $((5 << 20))
	sync
	if kernel_is_at_least "$1"; then
		shift
		says "$mount/file" "$@"
	else
		says "$mount/file" none 0 0 0
	fi
}
test_library_probe_ext4() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" ""
	on_filesystem 6.13 hardware 4096 4096 4096 ext4-needs-bigalloc
}
test_library_probe_ext4_bigalloc() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	on_filesystem 6.16 hardware 4096 65536 65536
}
test_library_probe_xfs_max_atomic_write() {
	needs_kernel 6.16
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" "max_atomic_write=16k"
	on_filesystem 6.16 hardware 4096 16384 16384
}
test_library_probe_xfs_without_reflink() {
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=0" ""
	on_filesystem 6.13 hardware 4096 4096 4096 xfs-needs-reflink
}
