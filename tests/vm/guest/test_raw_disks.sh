# SPDX-License-Identifier: MIT
# Goal: the real behaviour of raw block devices, and of the layers above, with RWF_ATOMIC.
# Method: make each disk, write down statx and queue limits, compare them with the parameters of the
# disk, then write every size on both sides of every bound through pwritev2 and io_uring.

# bounds MIN MAX [BOUNDARY]: the disk claims exactly these, and keeps to them.  0 0: nothing.
bounds() {
	raw_fact "statx $disk" statx "$disk"
	if [ "$1" = 0 ]; then
		expect known 0 "$line"
		expect can 0 "$line"
	else
		expect can 1 "$line"
		expect min "$1" "$line"
		expect max "$2" "$line"
		expect opt 0 "$line"
		expect segments 1 "$line"
	fi
	raw_fact "queue $disk" queue "$disk"
	[ "$1" = 0 ] || expect boundary "${3:-0}" "$line"
	raw_fact "confirm $disk" confirm "$disk"
	if [ "$1" = 0 ]; then
		expect three -EOPNOTSUPP "$line"
		expect uring_zero -EOPNOTSUPP "$line"
	else
		expect three -EINVAL "$line"
		expect uring_zero 0 "$line"
	fi
	expect zero 0 "$line"
	raw_fact "sweep $disk $1 $2" sweep "$disk" "$1" "$2"
}

# A1, A3, A4, A9, A46
test_scsi_1k_to_64k() {
	scsi_disk
	bounds $(since 6.11 1024 65536)
}

# A9, A11
test_scsi_512_to_64k() {
	scsi_disk atomic_wr_gran=1 atomic_wr_align=1
	bounds $(since 6.11 512 65536)
}

# A11
test_scsi_4k_to_16k() {
	scsi_disk atomic_wr_gran=8 atomic_wr_align=8 atomic_wr_max_length=32
	bounds $(since 6.11 4096 16384)
}

# A11
test_scsi_with_4k_blocks() {
	scsi_disk sector_size=4096 atomic_wr_gran=1 atomic_wr_align=1 atomic_wr_max_length=16
	bounds $(since 6.11 4096 65536)
}

# 96 blocks are 48 KiB: the largest power of two in it counts.
# A11
test_scsi_length_that_is_no_power_of_two_is_rounded_down() {
	scsi_disk atomic_wr_gran=1 atomic_wr_align=1 atomic_wr_max_length=96
	bounds $(since 6.11 512 32768)
}

# A boundary of SCSI travels in the command (WRITE ATOMIC(16), ATOMIC BOUNDARY), and sd uses it only
# where the device has no maximum without one: the queue shows none.
# A12
test_scsi_boundary_is_none_of_the_queue() {
	scsi_disk atomic_wr_max_length=0 atomic_wr_max_length_bndry=64 atomic_wr_max_bndry=32
	bounds $(since 6.11 1024 16384)
}

# A2, A3, A4
test_scsi_without_atomic_writes() {
	scsi_plain_disk
	bounds 0 0
}

# A13
test_nvme_awupf_512() {
	nvme_disk awupf512
	bounds $(nvme_awupf 512 8192)
}

# A13
test_nvme_awupf_4k() {
	nvme_disk awupf4k
	bounds $(nvme_awupf 4096 65536)
}

# Since 7.0 the host ignores AWUPF: one block only.
nvme_awupf() {
	if kernel_is_at_least 7.0; then
		echo "$1 $1"
	else
		since 6.11 "$1" "$2"
	fi
}

# A9, A13
test_nvme_nawupf_512() {
	nvme_disk nawupf512
	bounds $(since 6.11 512 16384)
}

# A1, A3, A4, A9, A13, A46
test_nvme_nawupf_4k() {
	nvme_disk nawupf4k
	bounds $(since 6.11 4096 65536)
}

# A15
test_nvme_with_a_boundary_of_32k() {
	nvme_disk nabspf4k
	bounds $(since 6.11 4096 16384 32768)
}

# A14
test_nvme_with_a_boundary_offset_claims_nothing() {
	nvme_disk nabo4k
	bounds 0 0
}

# A16
test_scsi_partition_aligned() {
	scsi_disk
	partition "$disk" 2048 65536
	bounds $(since 6.11 1024 65536)
}

# A16
test_scsi_partition_misaligned_claims_nothing() {
	scsi_disk
	partition "$disk" 2049 65536
	bounds 0 0
}

# Aligned to the smallest unit, and to nothing larger: the units count from the partition's start.
# A16
test_scsi_partition_aligned_to_the_smallest_unit_only() {
	scsi_disk
	partition "$disk" 2050 65536
	bounds $(since 6.11 1024 65536)
}

# Aligned to the unit, but not to the boundary of 32 KiB.
# A16
test_nvme_partition_off_the_boundary_claims_nothing() {
	nvme_disk nabspf4k
	partition "$disk" 2056 65536
	bounds 0 0
}

# A16
test_nvme_partition_aligned() {
	nvme_disk nawupf4k
	partition "$disk" 2048 65536
	bounds $(since 6.11 4096 65536)
}

# A17
test_dm_linear() {
	scsi_disk
	linear "$disk"
	bounds $(since 6.14 1024 65536)
}

# A17
test_dm_linear_misaligned() {
	scsi_disk
	linear "$disk" 1
	bounds 0 0
}

# A17
test_dm_stripe_of_16k_chunks() {
	scsi_disk add_host=2 per_host_store=1 dev_size_mb=64
	stripe 32 "${disks[@]}"
	bounds $(since 6.14 1024 16384)
}

# A18
test_dm_crypt() {
	scsi_disk dev_size_mb=64
	crypt "$disk"
	bounds $(since 6.19 1024 65536)
}

# A19
test_dm_thin_claims_nothing() {
	scsi_disk
	thin "$disk"
	bounds 0 0
}

# A20
test_md_raid0_of_32k_chunks() {
	scsi_disk add_host=2 per_host_store=1 dev_size_mb=64
	raid 0 32 "${disks[@]}"
	bounds $(since 6.13 1024 32768)
}

# A20
test_md_raid1() {
	scsi_disk add_host=2 per_host_store=1 dev_size_mb=64
	raid 1 0 "${disks[@]}"
	bounds $(since 6.13 1024 65536)
}

# A21
test_loop_claims_nothing() {
	loop_disk 64M
	bounds 0 0
}

# A21
test_null_blk_claims_nothing() {
	null_disk
	bounds 0 0
}
