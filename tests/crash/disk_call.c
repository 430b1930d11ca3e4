/* SPDX-License-Identifier: MIT */
/*
 * Events in a call besides the call: the fault of this run, a crash, the end of a process.
 *
 * Flow: disk_sys.c and disk_aio.c call this file for each write and each sync.
 */
#include "disk.h"

#include <errno.h>

#include "disk_internal.h"

void disk_lose_writeback(uint32_t file)
{
	disk_lose(&disk.state, file, 0);
	disk.state.errors[file]++;
	disk.faulted = true;
}

bool disk_enter_call(uint32_t *call)
{
	if (disk.before)
		disk.before();
	*call = disk.calls++;
	if (disk.fault == FAULT_NONE || *call != disk.fault_call)
		return false;
	if (disk.fault >= FAULT_KILLED_BEFORE)
		return false;
	if (disk.fault != FAULT_WRITEBACK)
		return true;
	disk_lose_writeback(disk.fault_file);
	return false;
}

bool disk_has_no_room(uint32_t file, uint64_t end)
{
	return disk.full && file != DISK_JOURNAL && end > disk.state.size[file];
}

int disk_failed_write(uint32_t file, const uint8_t *bytes, uint64_t length, uint64_t offset,
		      int flags)
{
	disk.faulted = true;
	if (disk.fault == FAULT_HALF && !(flags & SYS_RWF_ATOMIC))
		length = length / 2 / SECTOR * SECTOR;
	else if (disk.fault != FAULT_ALL)
		length = 0;
	if (length) {
		disk_write(&disk.state, file, offset, bytes, length, flags & SYS_RWF_ATOMIC);
		disk_lose(&disk.state, file, disk.state.pending_count - disk.state.in_flight);
		disk.state.in_flight = 0;
	}
	return -EIO;
}

void disk_stop(void)
{
	disk_land_all();
	disk.crash();
}

bool disk_is_dying(uint32_t call)
{
	return disk.killed && disk.fault >= FAULT_KILLED_BEFORE && call == disk.fault_call;
}

void disk_die(void)
{
	disk_aio_exit();
	disk_kill(&disk.state, (uint32_t)(disk.fault - FAULT_KILLED_BEFORE));
	disk.state.in_flight = 0;
	for (int fd = DISK_OWN_FIRST; fd < (int)DISK_DESCRIPTIONS; fd++) {
		struct disk_description *one = &disk.descriptions[fd];

		if (!one->open || one->process != disk.process)
			continue;
		one->open = false;
		disk_share_close(fd);
	}
	disk.killed();
}
