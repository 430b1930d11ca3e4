/* SPDX-License-Identifier: MIT */
/*
 * The reasons in words: a stable name, a sentence, and a command or option that helps.
 *
 * Flow: public border, used by no other file; the bits are set by probe_verdict.c and, for one
 * write, by the write family.
 *
 * Names never change once released: scripts match them.  Texts may be improved.
 */
#include "libatomicio/atomicio.h"

#include <stddef.h>

#include "abi.h"

struct reason {
	uint64_t bit;
	const char *name;
	const char *text; /* one sentence */
	const char *fix;  /* text to type or change, NULL: nothing would help */
};

static const struct reason reasons[] = {
	{ATOMICIO_REASON_KERNEL_TOO_OLD, "kernel-too-old",
	 "The running kernel is too old for what is asked of this file, or its release is unknown.",
	 "boot Linux 6.11 or newer for block devices, 6.13 for XFS and ext4, 6.16 for more than "
	 "one filesystem block and for XFS on disks without untorn writes"},
	{ATOMICIO_REASON_NOT_DIRECT, "not-direct",
	 "The descriptor is not open with O_DIRECT, and the kernel makes only direct writes "
	 "untorn.",
	 "open the file with O_DIRECT, or pass ATOMICIO_OPEN_REOPEN_DIRECT to atomicio_open()"},
	{ATOMICIO_REASON_FS_UNSUPPORTED, "fs-unsupported",
	 "The filesystem, or this file on it, has no untorn writes.",
	 "put the file on XFS with reflink (mkfs.xfs -m reflink=1, Linux 6.16 or newer), on ext4 "
	 "over a capable disk, or use a journal"},
	{ATOMICIO_REASON_DEVICE_UNSUPPORTED, "device-unsupported",
	 "The device offers no untorn writes that fit (see queue/atomic_write_unit_max_bytes).",
	 "use an NVMe or SCSI disk with untorn writes, XFS with reflink (mkfs.xfs -m reflink=1, "
	 "Linux 6.16 or newer), or a journal"},
	{ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC, "ext4-needs-bigalloc",
	 "ext4 without bigalloc stops at one block although the disk could do more.",
	 "mkfs.ext4 -O bigalloc -C 65536 (this erases the filesystem; Linux 6.16 or newer)"},
	{ATOMICIO_REASON_XFS_NEEDS_REFLINK, "xfs-needs-reflink",
	 "XFS offers at most one block, as without reflink or with max_atomic_write set low.",
	 "mkfs.xfs -m reflink=1 (this erases the filesystem), and mount without max_atomic_write"},
	{ATOMICIO_REASON_XFS_SOFTWARE, "xfs-software",
	 "XFS makes these writes untorn by copy on write, not by the disk, at the cost of more "
	 "flushes.",
	 "use a disk with untorn writes, or a journal; atomicio bench says which is faster"},
	{ATOMICIO_REASON_XFS_SUSPECT_KERNEL, "xfs-suspect-kernel",
	 "XFS copy on write in Linux 6.16.0 to 6.17.7 can fail with EIO or convert a wrong range, "
	 "unless the distribution has backported the fixes.",
	 "boot Linux 6.17.8, or 6.18 or newer"},
	{ATOMICIO_REASON_PARTITION_MISALIGNED, "partition-misaligned",
	 "The partition does not start on a multiple of the disk's untorn unit or boundary.",
	 "recreate the partition on a multiple of the larger of queue/atomic_write_unit_min_bytes "
	 "and queue/atomic_write_boundary_bytes, as with parted -a optimal and a 1MiB start"},
	{ATOMICIO_REASON_LAYER_BLOCKS, "layer-blocks",
	 "A disk below can write untorn, but a layer above it (device-mapper, md, bcache, DRBD) "
	 "cannot.",
	 "use dm-linear, dm-stripe or dm-mirror (Linux 6.14), dm-crypt or dm-multipath (6.19), md "
	 "raid0, raid1 or raid10 (6.13) or md linear (6.18), on disks that can all write untorn, "
	 "each from a multiple of its untorn unit"},
	{ATOMICIO_REASON_OVERLAY, "overlay",
	 "overlayfs refuses untorn writes, even where statx repeats the claim of the file below.",
	 "use a path outside the overlay: in a container, a volume or a bind mount"},
	{ATOMICIO_REASON_DATA_JOURNALED, "data-journaled",
	 "ext4 claims untorn writes for this file but would make them through the page cache, as "
	 "with data=journal, fs-verity, encryption or inline data.",
	 "mount without data=journal, and clear the file's flag with chattr -j"},
	{ATOMICIO_REASON_DAX, "dax",
	 "The file is in DAX mode, where stores reach memory and no untorn write exists.",
	 "mount with -o dax=never, or clear the file's flag with xfs_io -c 'chattr -x'"},
	{ATOMICIO_REASON_APPEND_ONLY, "append-only",
	 "The file is append-only: the kernel would move the write to the end of the file.",
	 "chattr -a FILE"},
	{ATOMICIO_REASON_READ_ONLY, "read-only", "The descriptor is not open for writing.",
	 "open the file with O_RDWR or O_WRONLY"},
	{ATOMICIO_REASON_UNCONFIRMED, "unconfirmed",
	 "The kernel's claim was not tested, because the confirming call could not be made or gave "
	 "another answer.",
	 "open the file with O_RDWR or O_WRONLY, and allow pwritev2(2) in the sandbox"},
	{ATOMICIO_REASON_NVME_AWUPF_IGNORED, "nvme-awupf-ignored",
	 "The disk may be able to do more: since 7.0 Linux ignores the controller's AWUPF and "
	 "believes only the namespace's NAWUPF, which gives one logical block here.",
	 "compare nvme id-ctrl (awupf) with nvme id-ns (nawupf); for more, use a firmware that "
	 "sets NAWUPF, or a larger logical block (nvme format --lbaf, which erases the disk)"},
	{ATOMICIO_REASON_NOT_REGULAR, "not-regular",
	 "The name or descriptor is neither a regular file nor a block device.",
	 "name a regular file, a block device or a partition"},
	{ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL, "buffered-not-in-kernel",
	 "No kernel up to 7.3 makes writes through the page cache untorn.",
	 "use O_DIRECT, or a journal, which serves buffered files too"},
	{ATOMICIO_REASON_IMMUTABLE, "immutable", "The file is immutable.", "chattr -i FILE"},
	{ATOMICIO_REASON_CONTRADICTED, "contradicted",
	 "The kernel's answers contradict each other: the claim is not believed.",
	 "close the file and open it again (capabilities are fixed at open); if the contradiction "
	 "stays, report the output of atomicio probe --json"},
	{ATOMICIO_REASON_DISK_UNKNOWN, "disk-unknown",
	 "The disk below could not be found in sysfs.",
	 "mount sysfs on /sys, which a container may lack"},
	{ATOMICIO_REASON_QUEUE_UNREADABLE, "queue-unreadable",
	 "The disk's limits could not be read: hardware and software cannot be told apart.",
	 "mount sysfs on /sys, and make /sys/dev/block and the queue directories readable"},
	{ATOMICIO_REASON_CONTENTS_UNKNOWN, "contents-unknown",
	 "The contents of the device could not be read; the verdict does not depend on them.",
	 "run as a user that may read the device node, such as one of the group disk; give the "
	 "node to a "
	 "container"},
	{ATOMICIO_REASON_REOPEN_FAILED, "reopen-failed",
	 "The library could not open a descriptor of its own with O_DIRECT for this file.",
	 "mount /proc, allow opening the file again for writing, or open it with O_DIRECT"},
	{ATOMICIO_REASON_STATX_REFUSED, "statx-refused",
	 "The call statx(2) was refused, as by a sandbox, and nothing else says what the file can "
	 "do.",
	 "allow statx(2) in the sandbox (seccomp filter)"},
	{ATOMICIO_REASON_NO_RECHECK, "no-recheck",
	 "The file's flags cannot be read, and a success counts only if the flags are read after "
	 "the write.",
	 "allow ioctl(2) with FS_IOC_GETFLAGS in the sandbox (seccomp filter)"},
	{ATOMICIO_REASON_NO_WITNESS, "no-witness",
	 "The library has no witness (a descriptor of its own), and counts every error of a "
	 "durable write as a lost page.",
	 "mount /proc, allow opening the file again, raise ulimit -n, or open without "
	 "ATOMICIO_OPEN_NO_WITNESS"},
	{ATOMICIO_REASON_CONTENTS_AMBIGUOUS, "contents-ambiguous",
	 "The device carries the signatures of several filesystems or volumes, and its UUID is "
	 "unknown; the verdict does not depend on the UUID.",
	 "list the signatures with wipefs --no-act DEVICE; unmount the device, and remove one left "
	 "by an earlier use with wipefs --backup --types TYPE DEVICE"},
	{ATOMICIO_REASON_LENGTH_NOT_POWER_OF_TWO, "length-not-power-of-two",
	 "The length of an untorn write must be a power of two.",
	 "write a power of two, or use a journal"},
	{ATOMICIO_REASON_LENGTH_TOO_SMALL, "length-too-small",
	 "The write is smaller than the smallest untorn write of this file.",
	 "write at least unit_min, or use a journal"},
	{ATOMICIO_REASON_LENGTH_TOO_LARGE, "length-too-large",
	 "The write is larger than the largest untorn write of this file.",
	 "write at most unit_max, or use a journal"},
	{ATOMICIO_REASON_OFFSET_UNALIGNED, "offset-unaligned",
	 "The offset of an untorn write must be a multiple of its length.",
	 "align the offset to the length, or use a journal"},
	{ATOMICIO_REASON_MEMORY_UNALIGNED, "memory-unaligned",
	 "The buffer's address is not a multiple of memory_align.",
	 "allocate with aligned_alloc(3) and memory_align, or set options.bounce_max"},
	{ATOMICIO_REASON_FILE_SIZE_LIMIT, "file-size-limit",
	 "The write would cross the process's file size limit, or the largest size of a file of "
	 "this filesystem: the kernel would cut the write short.",
	 "raise the limit with ulimit -f or setrlimit(RLIMIT_FSIZE), or use a smaller offset"},
	{ATOMICIO_REASON_DEVICE_END, "device-end", "The write would cross the end of the device.",
	 "stay within the device's size (blockdev --getsize64)"},
	{ATOMICIO_REASON_REGISTERED_BUFFER, "registered-buffer",
	 "Every kernel up to 7.3 refuses untorn writes from registered io_uring buffers.",
	 "use IORING_OP_WRITE with a plain address"},
	{ATOMICIO_REASON_NOWAIT_NEVER, "nowait-never",
	 "The write never succeeds without waiting: XFS copy on write always has to wait.",
	 "write without ATOMICIO_NOWAIT, or from a thread that may wait"},
	{ATOMICIO_REASON_CACHED_PAGES, "cached-pages",
	 "Pages of this range in the page cache are in the way of a direct write.",
	 "close buffered and mapped users of the file, or sync them first"},
	{ATOMICIO_REASON_SHORT_WRITE, "short-write",
	 "The kernel wrote only a part of the page, which is now torn.",
	 "treat the range as lost, and restore it from a journal or a copy"},
	{ATOMICIO_REASON_HANDLE_POISONED, "handle-poisoned",
	 "An earlier write through this handle ended torn, or a page of the file was lost: the "
	 "handle accepts no more writes.",
	 "repair the file, then atomicio_close() and atomicio_open() again"},
	{ATOMICIO_REASON_LENGTH_UNALIGNED, "length-unaligned",
	 "The file is open with O_DIRECT, and the length is not a multiple of offset_align.",
	 "write a multiple of offset_align, or open the file without O_DIRECT"},
	{ATOMICIO_REASON_FRAME_TOO_LARGE, "frame-too-large",
	 "The write is longer than the journal's largest frame, or the group is longer than a "
	 "chain of frames.",
	 "write less at once, or create the journal with a larger frame_max"},
	{ATOMICIO_REASON_JOURNAL_UNCLEAN, "journal-unclean",
	 "The journal has live frames of an earlier run.",
	 "first call atomicio_journal_recover(), or type atomicio journal recover"},
	{ATOMICIO_REASON_JOURNAL_POISONED, "journal-poisoned",
	 "A frame of the journal could not be written: the journal accepts no more writes.",
	 "close the journal, remove the cause, open the journal again and recover"},
	{ATOMICIO_REASON_BAD_ARGUMENT, "bad-argument",
	 "No file accepts this write: no handle, no buffer, no length, or an end beyond INT64_MAX.",
	 "correct the call"},
	{ATOMICIO_REASON_HOME_FAILED, "home-failed",
	 "A page of this file is durable in the journal, but could not be written to the file.",
	 "read the page with atomicio_journal_read(), remove the cause, open the journal again and "
	 "recover"},
	{ATOMICIO_REASON_JOURNAL_FULL, "journal-full",
	 "The journal has no room: pages of failed files hold it, or its header cannot be written.",
	 "close what failed, remove the cause, open the journal again and recover"},
	{ATOMICIO_REASON_NO_TURN, "no-turn",
	 "The journal is shared with other processes, and this process is not in a turn.",
	 "call atomicio_journal_turn_begin() before the write"},
};

/* Exactly one known bit, or NULL. */
static const struct reason *find_reason(uint64_t bit)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].bit == bit)
			return &reasons[i];
	return NULL;
}

ATOMICIO_EXPORT const char *atomicio_reason_name(uint64_t reason)
{
	const struct reason *found = find_reason(reason);

	return found ? found->name : NULL;
}

ATOMICIO_EXPORT const char *atomicio_reason_text(uint64_t reason)
{
	const struct reason *found = find_reason(reason);

	return found ? found->text : NULL;
}

ATOMICIO_EXPORT const char *atomicio_reason_fix(uint64_t reason)
{
	const struct reason *found = find_reason(reason);

	return found ? found->fix : NULL;
}

ATOMICIO_EXPORT uint64_t atomicio_reason_next(uint64_t *left)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const uint64_t bit = reasons[i].bit;

		if (*left & bit) {
			*left &= ~bit;
			return bit;
		}
	}
	*left = 0;
	return 0;
}

ATOMICIO_EXPORT const char *atomicio_mechanism_name(uint32_t mechanism)
{
	switch (mechanism) {
	case ATOMICIO_MECHANISM_NONE:
		return "none";
	case ATOMICIO_MECHANISM_HARDWARE:
		return "hardware";
	case ATOMICIO_MECHANISM_FILESYSTEM:
		return "filesystem";
	case ATOMICIO_MECHANISM_MIXED:
		return "mixed";
	default:
		return NULL;
	}
}
