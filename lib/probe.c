/* SPDX-License-Identifier: MIT */
/*
 * atomicio_probe(): the abilities of an open file, and why not more.
 *
 * Flow: public border -> the order of the sources -> verdict (probe_verdict.c).  The rules are in
 * probe_internal.h.
 *
 * System calls, in order: statx, fcntl, uname; for a regular file fstatfs and FS_IOC_GETFSUUID;
 * readlink; three for each file of sysfs; pwritev2.  16 in all on a disk without untorn writes,
 * whose other limits are zero and need not be read; 25 on a disk with untorn writes; 3 more on a
 * partition.  libblkid reads every possible place of a signature, over a hundred calls and some
 * milliseconds, and is asked only where the one ioctl has no answer: block devices, and kernels
 * before 6.9.
 */
#include "probe.h"

#include "abi.h"
#include "abi_first.h"
#include "probe_internal.h"
#include "sys_cancel.h"

int probe_file(const struct sys_calls *sys, int fd, struct atomicio_caps *caps)
{
	struct probe probe = {.sys = sys, .fd = fd};
	int result;

	result = probe_statx(&probe);
	if (result < 0)
		return result;
	result = probe_flags(&probe);
	if (result < 0)
		return result;
	probe_release(&probe);
	probe_filesystem(&probe);
	probe_disk(&probe);
	probe_contents(&probe);
	probe_confirm(&probe);
	probe_verdict(&probe);
	*caps = probe.caps;
	return 0;
}

ATOMICIO_EXPORT int atomicio_probe(int fd, struct atomicio_caps *caps, size_t caps_size)
{
	SYS_NO_CANCEL;
	struct atomicio_caps found;
	int result;

	result = abi_check(caps, caps_size, ABI_FIRST_CAPS);
	if (result < 0)
		return result;
	result = probe_file(&sys_linux, fd, &found);
	if (result < 0)
		return result;
	abi_write(caps, caps_size, &found, sizeof(found));
	return 0;
}
