# SPDX-License-Identifier: MIT
# Goal: the shapes that each capable file refuses, and the end of a raw disk: what a library has to
# refuse before it calls, or to tell as the kernel does.
# Method: raw calls, as in test_negative_controls.sh, of each shape on each kind of file.

. "$VM_GUEST/test_negative_controls.sh"

# every_shape FILE: what is refused on every capable file, whoever is below.
every_shape() {
	raw_fact "two segments" write "$1" 65536 8192 segments=2
	expect result -EINVAL "$line"
	raw_fact "two segments by uring" write "$1" 65536 8192 segments=2 uring-writev
	expect result -EINVAL "$line"
	raw_fact "one segment by uring writev" write "$1" 65536 8192 uring-writev
	expect result 8192 "$line"
	raw_fact "registered buffer" write "$1" 65536 8192 uring-fixed
	expect result -EINVAL "$line"
	raw_fact "registered buffer, plain" write "$1" 65536 8192 uring-fixed plain
	expect result 8192 "$line"
	raw_fact "buffer at +1" write "$1" 65536 8192 misalign=1
	expect result -EINVAL "$line"
	raw_fact "unmapped buffer" write "$1" 65536 8192 mapped=0
	expect result -EFAULT "$line"
	expect kept 16 "$line"
}
# A31, A32, A46, A47
test_shapes_refused_by_scsi() {
	needs_kernel 6.11
	scsi_disk
	every_shape "$disk"
}
# A31, A32, A47
test_shapes_refused_by_nvme() {
	needs_kernel 6.11
	nvme_disk nawupf4k
	every_shape "$disk"
}
# A31, A32, A46, A47
test_shapes_refused_by_xfs() {
	needs_kernel 6.16
	xfs_reflink
	every_shape "$file"
}
# A31, A32, A47
test_shapes_refused_by_ext4() {
	needs_kernel 6.16
	ext4_bigalloc
	every_shape "$file"
}

# A33
test_bdev_end() {
	needs_kernel 6.11
	scsi_disk
	size=$(blockdev --getsize64 "$disk")
	raw_fact "past the end" write "$disk" "$size" 4096
	expect result -ENOSPC "$line"
}
