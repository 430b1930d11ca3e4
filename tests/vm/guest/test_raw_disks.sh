# SPDX-License-Identifier: MIT
# Goal: what raw block devices and the layers over them really do with RWF_ATOMIC.
# Method: make each disk, write down statx and queue limits, compare them with what the disk was
# made with, then write every size on both sides of every bound through pwritev2 and io_uring.

# bounds MIN MAX: the disk claims exactly these, and keeps to them.  0 0: it claims nothing.
bounds() {
	raw_fact "statx $disk" statx "$disk"
	if [ "$1" = 0 ]; then
		expect can 0 "$line"
		expect known 0 "$line"
	else
		expect can 1 "$line"
		expect min "$1" "$line"
		expect max "$2" "$line"
		expect opt 0 "$line"
		expect segments 1 "$line"
	fi
	raw_fact "queue $disk" queue "$disk"
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

test_scsi_disk_of_1k_to_64k_keeps_to_its_bounds() {
	scsi_disk
	bounds 1024 65536
}

test_nvme_awupf_512() {
	nvme_disk awupf512
	bounds 512 8192
}
