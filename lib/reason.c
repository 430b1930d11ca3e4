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
	 "This filesystem, or this file on it, has no untorn writes.",
	 "put the file on XFS with reflink (mkfs.xfs -m reflink=1, Linux 6.16 or newer), on ext4 "
	 "over a capable disk, or use a journal"},
	{ATOMICIO_REASON_DEVICE_UNSUPPORTED, "device-unsupported",
	 "The device offers no untorn writes that fit, see queue/atomic_write_unit_max_bytes.",
	 "use an NVMe or SCSI disk that has them, XFS with reflink (mkfs.xfs -m reflink=1, Linux "
	 "6.16 or newer), or a journal"},
	{ATOMICIO_REASON_EXT4_NEEDS_BIGALLOC, "ext4-needs-bigalloc",
	 "ext4 without bigalloc stops at one block although the disk could do more.",
	 "mkfs.ext4 -O bigalloc -C 65536 (this erases the filesystem; Linux 6.16 or newer)"},
	{ATOMICIO_REASON_XFS_NEEDS_REFLINK, "xfs-needs-reflink",
	 "XFS offers at most one block, as it does without reflink or with max_atomic_write set "
	 "low.",
	 "mkfs.xfs -m reflink=1 (this erases the filesystem), and mount without max_atomic_write"},
	{ATOMICIO_REASON_XFS_SOFTWARE, "xfs-software",
	 "XFS makes these writes untorn by copy on write, without help from the disk, which costs "
	 "more flushes.",
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
	 "raid0, raid1 or raid10 (6.13) or md linear (6.18), on disks that all can, each from a "
	 "multiple of their untorn unit"},
	{ATOMICIO_REASON_OVERLAY, "overlay",
	 "overlayfs refuses untorn writes, also where it repeats the claim of the file below.",
	 "use a path outside the overlay: in a container, a volume or a bind mount"},
	{ATOMICIO_REASON_DATA_JOURNALED, "data-journaled",
	 "ext4 claims untorn writes for this file but would make them through the page cache, as "
	 "with data=journal, fs-verity, encryption or inline data.",
	 "mount without data=journal, and clear the file's flag with chattr -j"},
	{ATOMICIO_REASON_DAX, "dax",
	 "The file is in DAX mode, where stores reach memory and no untorn write exists.",
	 "mount with -o dax=never, or clear the file's flag with xfs_io -c 'chattr -x'"},
	{ATOMICIO_REASON_APPEND_ONLY, "append-only",
	 "The file is append-only, so that the kernel would move the write to the end of the file.",
	 "chattr -a FILE"},
	{ATOMICIO_REASON_READ_ONLY, "read-only", "The descriptor is not open for writing.",
	 "open the file with O_RDWR or O_WRONLY"},
	{ATOMICIO_REASON_UNCONFIRMED, "unconfirmed",
	 "The kernel's claim was not tested, because the confirming call could not be made or had "
	 "another answer.",
	 "open the file with O_RDWR or O_WRONLY, and allow pwritev2(2) in the sandbox"},
	{ATOMICIO_REASON_NVME_AWUPF_IGNORED, "nvme-awupf-ignored",
	 "The disk may be able to do more: since 7.0 Linux ignores the controller's AWUPF and "
	 "believes only the namespace's NAWUPF, which gives one logical block here.",
	 "compare nvme id-ctrl (awupf) with nvme id-ns (nawupf); a firmware that sets NAWUPF, or a "
	 "larger logical block (nvme format --lbaf, which erases the disk), would change it"},
	{ATOMICIO_REASON_NOT_REGULAR, "not-regular",
	 "This is neither a regular file nor a block device.",
	 "name a regular file, a block device or a partition"},
	{ATOMICIO_REASON_BUFFERED_NOT_IN_KERNEL, "buffered-not-in-kernel",
	 "No kernel up to 7.3 makes writes through the page cache untorn.",
	 "use O_DIRECT, or a journal, which serves buffered files too"},
	{ATOMICIO_REASON_IMMUTABLE, "immutable", "The file is immutable.", "chattr -i FILE"},
	{ATOMICIO_REASON_CONTRADICTED, "contradicted",
	 "The kernel's answers contradict each other, so that the claim is not believed.",
	 "close the file and open it again, as capabilities are fixed when a file is opened; if it "
	 "stays, report it with the output of atomicio probe --json"},
	{ATOMICIO_REASON_DISK_UNKNOWN, "disk-unknown",
	 "The disk below could not be found in sysfs.", "mount sysfs on /sys, as in a container"},
	{ATOMICIO_REASON_QUEUE_UNREADABLE, "queue-unreadable",
	 "The disk's limits could not be read, so that hardware and software cannot be told apart.",
	 "mount sysfs on /sys, and make /sys/dev/block and the queue directories readable"},
	{ATOMICIO_REASON_CONTENTS_UNKNOWN, "contents-unknown",
	 "What the device holds could not be read; the verdict does not depend on it.",
	 "run as a user that may read the device node, as the group disk may, and in a container "
	 "give it that node"},
	{ATOMICIO_REASON_REOPEN_FAILED, "reopen-failed",
	 "The library could not open a descriptor of its own with O_DIRECT for this file.",
	 "mount /proc, allow opening the file again for writing, or open it with O_DIRECT"},
	{ATOMICIO_REASON_STATX_REFUSED, "statx-refused",
	 "The call statx(2) was refused, as in a sandbox that does not know it, and nothing else "
	 "says "
	 "what the file can do.",
	 "allow statx(2) in the sandbox (seccomp filter)"},
	{ATOMICIO_REASON_NO_RECHECK, "no-recheck",
	 "The file's flags cannot be read, and without a look at them after each write no success "
	 "could be believed.",
	 "allow ioctl(2) with FS_IOC_GETFLAGS in the sandbox (seccomp filter)"},
	{ATOMICIO_REASON_NO_WITNESS, "no-witness",
	 "The library has no second descriptor to ask which page was lost, so that it counts every "
	 "error of a durable write as a loss.",
	 "mount /proc, allow opening the file again, raise ulimit -n, or do without "
	 "ATOMICIO_OPEN_NO_WITNESS"},
	{ATOMICIO_REASON_CONTENTS_AMBIGUOUS, "contents-ambiguous",
	 "The device carries the signatures of several filesystems or volumes, so that its UUID is "
	 "not known; the verdict does not depend on it.",
	 "wipefs --no-act DEVICE lists them; wipefs --backup --types TYPE DEVICE removes one that "
	 "is left of an earlier use, with the device unmounted"},
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
	 "this filesystem, where the kernel cuts it short.",
	 "raise the limit with ulimit -f or setrlimit(RLIMIT_FSIZE), or use a smaller offset"},
	{ATOMICIO_REASON_DEVICE_END, "device-end", "The write would cross the end of the device.",
	 "stay within the device's size (blockdev --getsize64)"},
	{ATOMICIO_REASON_REGISTERED_BUFFER, "registered-buffer",
	 "Every kernel up to 7.3 refuses untorn writes from registered io_uring buffers.",
	 "use IORING_OP_WRITE with a plain address"},
	{ATOMICIO_REASON_NOWAIT_NEVER, "nowait-never",
	 "Without waiting this write never succeeds: XFS copy on write always has to wait.",
	 "write without ATOMICIO_NOWAIT, or from a thread that may wait"},
	{ATOMICIO_REASON_CACHED_PAGES, "cached-pages",
	 "Pages of this range in the page cache are in the way of a direct write.",
	 "close buffered and mapped users of the file, or sync them first"},
	{ATOMICIO_REASON_SHORT_WRITE, "short-write",
	 "The kernel wrote only a part, and so tore the page.",
	 "treat the range as lost, and restore it from a journal or a copy"},
	{ATOMICIO_REASON_HANDLE_POISONED, "handle-poisoned",
	 "An earlier write through this handle ended torn, or a page of the file was lost, so that "
	 "it "
	 "takes no more.",
	 "repair the file, then atomicio_close() and atomicio_open() again"},
	{ATOMICIO_REASON_LENGTH_UNALIGNED, "length-unaligned",
	 "The file is open with O_DIRECT, and the length is not a multiple of offset_align.",
	 "write a multiple of offset_align, or open the file without O_DIRECT"},
	{ATOMICIO_REASON_FRAME_TOO_LARGE, "frame-too-large",
	 "The write is longer than the journal's largest frame, or the group than a chain.",
	 "write less at once, or create the journal with a larger frame_max"},
	{ATOMICIO_REASON_JOURNAL_UNCLEAN, "journal-unclean",
	 "The journal has live frames of an earlier run.",
	 "call atomicio_journal_recover(), or type atomicio journal recover, first"},
	{ATOMICIO_REASON_JOURNAL_POISONED, "journal-poisoned",
	 "A frame of the journal could not be written, so that it takes no more.",
	 "close the journal, remove the cause, open it again and recover"},
	{ATOMICIO_REASON_BAD_ARGUMENT, "bad-argument",
	 "No file takes this write: no handle, no buffer, no length, or an end beyond INT64_MAX.",
	 "correct the call"},
	{ATOMICIO_REASON_HOME_FAILED, "home-failed",
	 "A page of this file is durable in the journal, but could not be written to the file.",
	 "read it by atomicio_journal_read(), remove the cause, open the journal again and "
	 "recover"},
	{ATOMICIO_REASON_JOURNAL_FULL, "journal-full",
	 "The journal has no room: pages of failed files hold it, or its header cannot be written.",
	 "close what failed, remove the cause, open the journal again and recover"},
	{ATOMICIO_REASON_NO_TURN, "no-turn",
	 "The journal is shared with other processes, and this one is not in a turn.",
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
