# SPDX-License-Identifier: MIT
# Goal: the abilities of a file, by filesystem, options, and the disk below.
# Method: make disk and filesystem, compare statx with the parameters of both, then write every size
# on both sides of every bound to an existing file, and look at every sector.

# file_bounds MIN MAX OPT [known]: a file of 5 MiB claims exactly this.  0 0: it can nothing.
file_bounds() {
	file=$mount/file
	must raw fill "$file" $((5 << 20))
	raw_fact "statx $*" statx "$file"
	if [ "$1" = 0 ]; then
		expect can 0 "$line"
		expect min 0 "$line"
	else
		expect known 1 "$line"
		expect can 1 "$line"
		expect min "$1" "$line"
		expect max "$2" "$line"
		expect opt "$3" "$line"
		expect segments 1 "$line"
	fi
	raw_fact "confirm $*" confirm "$file"
	[ "$1" = 0 ] && expect three -EOPNOTSUPP "$line" || expect three -EINVAL "$line"
	raw_fact "confirm buffered $*" confirm "$file" buffered
	[ "$1" = 0 ] && expect three -EOPNOTSUPP "$line" || expect three -EINVAL "$line"
	raw_fact "buffered $*" write "$file" 8192 "$((${1} ? ${1} : 4096))" buffered
	expect result -EOPNOTSUPP "$line"
	raw_fact "sweep $*" sweep "$file" "$1" "$2"
}

# knows KERNEL: statx of this filesystem knows the question from that kernel on.
knows() {
	line=$(raw statx "$file")
	kernel_is_at_least "$1" && expect known 1 "$line" || expect known 0 "$line"
}

# A3, A5, A23, A24
test_ext4_on_scsi() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096" ""
	file_bounds $(since 6.13 4096 4096 0)
	knows 6.13
}

# A24
test_ext4_of_1k_blocks() {
	scsi_disk
	filesystem ext4 "$disk" "-b 1024" ""
	file_bounds $(since 6.13 1024 1024 0)
}

# A9, A24, A46
test_ext4_bigalloc_64k() {
	scsi_disk
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	if kernel_is_at_least 6.16; then
		file_bounds 4096 65536 0
	else
		file_bounds $(since 6.13 4096 4096 0)
	fi
}

# The cluster is larger than the disk's largest unit: the disk decides.
# A24
test_ext4_bigalloc_over_a_smaller_disk_unit() {
	scsi_disk atomic_wr_max_length=32
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	if kernel_is_at_least 6.16; then
		file_bounds 4096 16384 0
	else
		file_bounds $(since 6.13 4096 4096 0)
	fi
}

# A2, A24
test_ext4_without_hardware() {
	scsi_plain_disk
	filesystem ext4 "$disk" "-b 4096" ""
	file_bounds 0 0 0
	knows 6.13
}

# A24
test_ext4_on_nvme() {
	nvme_disk nawupf4k
	filesystem ext4 "$disk" "-b 4096 -O bigalloc -C 65536" ""
	if kernel_is_at_least 6.16; then
		file_bounds 4096 65536 0
	else
		file_bounds $(since 6.13 4096 4096 0)
	fi
}

# On a kernel of 7.0 and later with AWUPF only, a disk of 512-byte blocks is below ext4's block.
# A24
test_ext4_on_nvme_of_512_by_awupf() {
	nvme_disk awupf512
	filesystem ext4 "$disk" "-b 4096" ""
	if kernel_is_at_least 7.0; then
		file_bounds 0 0 0
	else
		file_bounds $(since 6.13 4096 4096 0)
	fi
}

# XFS's largest unit without options depends on log and group sizes; what the kernel says counts.
xfs_bounds() { # OPT
	local most
	if kernel_is_at_least 6.16; then
		must raw fill "$mount/probe" 4096
		line=$(raw statx "$mount/probe")
		most=$(value max "$line")
		[ "$most" -ge 65536 ] || fail "less than 64 KiB by copy on write: $line"
		file_bounds 4096 "$most" "$1"
	else
		file_bounds $(since 6.13 4096 4096 0)
	fi
}

# A3, A5, A7, A9, A23, A25, A46
test_xfs_with_reflink_on_scsi() {
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" ""
	xfs_bounds 65536
	knows 6.13
}

# A25
test_xfs_with_reflink_on_nvme() {
	nvme_disk nawupf4k
	filesystem xfs "$disk" "-m reflink=1" ""
	xfs_bounds 65536
}

# A3, A5, A7, A9, A25
test_xfs_with_reflink_without_hardware() {
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" ""
	if kernel_is_at_least 6.16; then
		xfs_bounds 0
	else
		file_bounds 0 0 0
	fi
}

# A7, A26
test_xfs_without_reflink_on_scsi() {
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=0" ""
	file_bounds $(since 6.13 4096 4096 0)
}

# A2, A26
test_xfs_without_reflink_without_hardware() {
	scsi_plain_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=0" ""
	file_bounds 0 0 0
}

# A27
test_xfs_with_max_atomic_write() {
	needs_kernel 6.16
	scsi_disk $for_xfs
	filesystem xfs "$disk" "-m reflink=1" "max_atomic_write=16k"
	file_bounds 4096 16384 16384
}

# The disk's unit is larger than a block: XFS leaves the hardware alone.
# A28
test_xfs_on_a_disk_whose_smallest_unit_is_8k() {
	scsi_disk $for_xfs atomic_wr_gran=16 atomic_wr_align=16
	filesystem xfs "$disk" "-m reflink=1" ""
	if kernel_is_at_least 6.16; then
		xfs_bounds 0
	else
		file_bounds 0 0 0
	fi
}

# A20, A25
test_xfs_on_md_raid1() {
	scsi_disk $for_xfs add_host=2 per_host_store=1
	raid 1 0 "${disks[@]}"
	filesystem xfs "$disk" "-m reflink=1" ""
	xfs_bounds 65536
}

# A19
test_xfs_on_dm_thin_has_software_only() {
	scsi_disk $for_xfs dev_size_mb=400
	thin "$disk"
	filesystem xfs "$disk" "-m reflink=1" ""
	if kernel_is_at_least 6.16; then
		xfs_bounds 0
	else
		file_bounds 0 0 0
	fi
}

# A18
test_xfs_on_dm_crypt() {
	scsi_disk $for_xfs
	crypt "$disk"
	filesystem xfs "$disk" "-m reflink=1" ""
	if kernel_is_at_least 6.19; then
		xfs_bounds 65536
	elif kernel_is_at_least 6.16; then
		xfs_bounds 0
	else
		file_bounds 0 0 0
	fi
}

# A2, A5
test_tmpfs_does_not_know_the_question() {
	mount=/scratch
	file_bounds_without_direct
}

# Not every tmpfs opens with O_DIRECT; what counts is that statx does not know.
file_bounds_without_direct() {
	file=$mount/file
	must raw fill "$file" 65536
	raw_fact "statx" statx "$file"
	expect known 0 "$line"
	raw_fact "buffered" write "$file" 0 4096 buffered
	expect result -EOPNOTSUPP "$line"
}
