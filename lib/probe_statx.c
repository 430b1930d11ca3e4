/* SPDX-License-Identifier: MIT */
/*
 * Ask statx(2): the one source that can say yes to untorn writes.
 *
 * Flow: first step of a probe (probe.c); also decides which kinds of file are probed at all.  Where
 * statx is refused, fstat tells at least the file and its device.
 *
 * The answer is copied, and judged in probe_verdict.c.
 */
#include <errno.h>
#include <sys/stat.h>

#include "probe_internal.h"
#include "sys_refused.h"

/* The error for a file that cannot be probed. */
static int check_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		return -EISDIR;
	case S_IFIFO:
	case S_IFSOCK:
		return -ESPIPE;
	default:
		return -EINVAL;
	}
}

int probe_statx(struct probe *probe)
{
	struct atomicio_caps *caps = &probe->caps;
	struct sys_statx statx = {.mask = 0};
	int result;

	/* AT_FDCWD is negative, and with an empty path would be the working directory. */
	if (probe->fd < 0)
		return -EBADF;
	result = sys_stat(probe->sys, probe->fd,
			  SYS_STATX_BASIC | SYS_STATX_DIOALIGN | SYS_STATX_WRITE_ATOMIC, &statx);
	if (result < 0)
		return result;
	result = check_type(statx.mode);
	if (result < 0)
		return result;

	caps->file_mode = statx.mode & S_IFMT;
	if (statx.mask & SYS_STATX_STAND_IN)
		caps->reasons |= ATOMICIO_REASON_STATX_REFUSED;
	caps->statx_mask = statx.mask & ~SYS_STATX_STAND_IN;
	caps->statx_attributes = statx.attributes;
	caps->statx_attributes_mask = statx.attributes_mask;
	probe->block_size = statx.blksize;
	if (caps->file_mode == S_IFBLK) {
		caps->device_major = statx.rdev_major;
		caps->device_minor = statx.rdev_minor;
	} else {
		caps->device_major = statx.dev_major;
		caps->device_minor = statx.dev_minor;
	}
	if (statx.mask & SYS_STATX_DIOALIGN) {
		caps->memory_align = statx.dio_mem_align;
		caps->offset_align = statx.dio_offset_align;
	}
	if (statx.mask & SYS_STATX_WRITE_ATOMIC) {
		caps->evidence |= ATOMICIO_EVIDENCE_STATX;
		caps->statx_unit_min = statx.atomic_write_unit_min;
		caps->statx_unit_max = statx.atomic_write_unit_max;
		caps->statx_unit_max_opt = statx.atomic_write_unit_max_opt;
		probe->segments_max = statx.atomic_write_segments_max;
	}
	return 0;
}
