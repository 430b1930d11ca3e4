/* SPDX-License-Identifier: MIT */
/*
 * The counters of the device below the files.
 *
 * Flow: see stage.h.  Of the whole device: nobody else may use it while they are compared.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "stage.h"

struct stage_counters stage_counters(void)
{
	struct stage_counters counters = {0, 0};
	uint64_t fields[17] = {0};
	struct stat status;
	char name[64];
	FILE *file;

	if (fstat(stage.fds[DIRECT], &status))
		err(1, "fstat");
	snprintf(name, sizeof(name), "/sys/dev/block/%u:%u/stat", major(status.st_dev),
		 minor(status.st_dev));
	file = fopen(name, "r");
	if (!file)
		return counters;
	for (uint32_t i = 0; i < 17; i++)
		if (fscanf(file, "%" SCNu64, &fields[i]) != 1)
			break;
	fclose(file);
	counters.sectors = fields[6];
	counters.flushes = fields[15];
	return counters;
}
