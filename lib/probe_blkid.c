/* SPDX-License-Identifier: MIT */
/*
 * Name the filesystem of the file: type and UUID.
 *
 * Flow: steps of a probe (probe.c), before and after the disk is found.
 *
 * The type comes from fstatfs, the UUID from FS_IOC_GETFSUUID (Linux 6.9): one call each, no
 * privilege.  libblkid reads the device and so needs both a device node and permission.  libblkid
 * is asked about block devices, and about filesystems without a UUID from the kernel.  Its answers
 * are for people: only the magic number enters the verdict.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "probe_internal.h"

struct filesystem {
	uint32_t magic;
	const char *type;
};

/* Filesystems of databases, and filesystems often below them (uapi/linux/magic.h). */
static const struct filesystem filesystems[] = {
	{SYS_MAGIC_XFS, "xfs"},
	{SYS_MAGIC_EXT4, "ext4"},
	{SYS_MAGIC_OVERLAY, "overlay"},
	{SYS_MAGIC_BTRFS, "btrfs"},
	{0xf2f52010u, "f2fs"},
	{0xca451a4eu, "bcachefs"},
	{0x2fc12fc1u, "zfs"},
	{0x01021994u, "tmpfs"},
	{0x858458f6u, "ramfs"},
	{0x958458f6u, "hugetlbfs"},
	{0x00006969u, "nfs"},
	{0xff534d42u, "cifs"},
	{0xfe534d42u, "smb2"},
	{0x00c36400u, "ceph"},
	{SYS_MAGIC_9P, "9p"},
	{SYS_MAGIC_FUSE, "fuse"},
	{SYS_MAGIC_ECRYPTFS, "ecryptfs"},
	{0x00004d44u, "vfat"},
	{0x2011bab0u, "exfat"},
};

/* The longest text that a string array of the caps can take, cut to fit: never expected. */
static void copy_text(char *out, size_t size, const char *text)
{
	const size_t length = strnlen(text, size - 1);

	memcpy(out, text, length);
	out[length] = '\0';
}

static void format_uuid(char *out, const uint8_t uuid[16])
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[uuid[i] >> 4];
		*out++ = digits[uuid[i] & 15];
	}
	*out = '\0';
}

void probe_filesystem(struct probe *probe)
{
	struct atomicio_caps *caps = &probe->caps;
	uint8_t uuid[16];
	uint32_t magic;

	/* A device node's own filesystem, devtmpfs, is of no interest. */
	if (caps->file_mode == S_IFBLK)
		return;
	if (probe->sys->fs_magic(probe->fd, &magic) == 0) {
		probe->fs_magic = magic;
		for (size_t i = 0; i < sizeof(filesystems) / sizeof(filesystems[0]); i++)
			if (filesystems[i].magic == magic)
				copy_text(caps->filesystem_type, sizeof(caps->filesystem_type),
					  filesystems[i].type);
	}
	if (probe->sys->fs_uuid(probe->fd, uuid) == 0) {
		static const uint8_t unset[16];

		/* ext4 without a UUID says all zero. */
		probe->uuid_answered = true;
		if (memcmp(uuid, unset, sizeof(unset)) != 0)
			format_uuid(caps->filesystem_uuid, uuid);
	}
}

void probe_contents(struct probe *probe)
{
	struct atomicio_caps *caps = &probe->caps;
	struct sys_identity identity = {.type = ""};
	char node[sizeof("/dev/") + SYS_NAME_MAX];
	int result = -1;

	/* A filesystem without a device (tmpfs, overlay, nfs, btrfs) has nothing to look at. */
	if (probe->uuid_answered || caps->device_major == 0)
		return;
	if (probe->device_name[0]) {
		snprintf(node, sizeof(node), "/dev/%s", probe->device_name);
		/* The kernel writes "cciss/c0d0" as "cciss!c0d0" (lib/kobject.c). */
		for (char *at = node; *at; at++)
			if (*at == '!')
				*at = '/';
		result = sys_identify(probe->sys, node, caps->device_major, caps->device_minor,
				      &identity);
	}
	if (result < 0) {
		caps->reasons |= result == -ENOTUNIQ ? ATOMICIO_REASON_CONTENTS_AMBIGUOUS
						     : ATOMICIO_REASON_CONTENTS_UNKNOWN;
		return;
	}
	caps->evidence |= ATOMICIO_EVIDENCE_BLKID;
	copy_text(caps->filesystem_uuid, sizeof(caps->filesystem_uuid), identity.uuid);
	if (!caps->filesystem_type[0])
		copy_text(caps->filesystem_type, sizeof(caps->filesystem_type), identity.type);
}
