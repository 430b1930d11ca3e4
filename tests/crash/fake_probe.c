/* SPDX-License-Identifier: MIT */
/*
 * In place of the probe family: a disk of the simulated machine writes 512 to 8192 bytes untorn.
 *
 * Flow: write_open() of the library under test calls it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>

#include "disk.h"
#include "probe.h"

int probe_file(const struct sys_calls *sys, int fd, struct atomicio_caps *caps)
{
	const int status = sys->getfl(fd);

	if (status < 0)
		return status;
	*caps = (struct atomicio_caps){
		.direct = {.mechanism = ATOMICIO_MECHANISM_HARDWARE,
			   .unit_min = SECTOR,
			   .unit_max = 8192,
			   .unit_max_hw = 8192,
			   .segments_max = 1},
		.statx_mask = SYS_STATX_DIOALIGN,
		.memory_align = SECTOR,
		.offset_align = SECTOR,
		.reasons = status & O_DIRECT ? 0 : ATOMICIO_REASON_NOT_DIRECT,
		.file_mode = S_IFREG,
		.kernel_major = 7,
		.kernel_minor = 3,
	};
	return 0;
}
