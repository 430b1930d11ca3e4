/* SPDX-License-Identifier: MIT */
/*
 * The filesystems that a run can make (run.h).
 *
 * Flow: run.c makes one; check.c mounts its cuts.
 */
#define _GNU_SOURCE
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "process.h"
#include "server.h"

#define MIB UINT64_C(1048576)

/*
 * size_min: mkfs, or the kernel, refuses less (e2fsprogs 1.47, xfsprogs 6.1, btrfs-progs 6.2).
 *
 * The superblock of ext4 has two sectors of 512 bytes, and a cut may tear them.  With a checksum it
 * cannot be mounted then, before e2fsck takes another copy (2 of 30,000 cuts): a bad cut that says
 * nothing of the work.
 */
static const struct filesystem filesystems[] = {
	{.name = "ext4",
	 .mkfs = "mkfs.ext4 -q -F -O ^metadata_csum "
		 "-E nodiscard,lazy_itable_init=0,lazy_journal_init=0",
	 .package = "e2fsprogs",
	 .size_min = 8 * MIB,
	 .size = 64 * MIB},
	{.name = "xfs",
	 .mkfs = "mkfs.xfs -q -f -K",
	 .package = "xfsprogs",
	 .mount_data = "nouuid",
	 .size_min = 300 * MIB,
	 .size = 300 * MIB},
	{.name = "btrfs",
	 .mkfs = "mkfs.btrfs -q -f -K",
	 .package = "btrfs-progs",
	 .size_min = 115 * MIB,
	 .size = 128 * MIB,
	 .is_alone = true},
};

const struct filesystem *filesystem_find(const char *name)
{
	for (size_t i = 0; i < sizeof(filesystems) / sizeof(filesystems[0]); i++)
		if (!strcmp(name, filesystems[i].name))
			return &filesystems[i];
	return NULL;
}

const char *filesystem_size_text(uint64_t size, char text[24])
{
	if (size % MIB == 0)
		snprintf(text, 24, "%" PRIu64 "M", size / MIB);
	else
		snprintf(text, 24, "%" PRIu64, size);
	return text;
}

/* The last line that a program has written into a file. */
static const char *last_line(int fd, char line[512])
{
	const ssize_t length = pread(fd, line, 511, 0);
	char *end;

	line[length > 0 ? length : 0] = '\0';
	while ((end = strrchr(line, '\n')) && !end[1])
		*end = '\0';
	return end ? end + 1 : line;
}

int filesystem_make(struct run *run, const char *device)
{
	const struct filesystem *fs = run->options->fs;
	const char *more = run->options->mkfs_options ? run->options->mkfs_options : "";
	const int out = memfd_create("mkfs", MFD_CLOEXEC);
	char command[1024], line[512];
	pid_t pid;
	int status;

	if (out < 0)
		return crash_error("no memory for the output of mkfs");
	snprintf(command, sizeof(command), "exec %s %s %s", fs->mkfs, more, device);
	pid = process_start(command, -1, out, out);
	status = pid < 0 ? pid : process_wait(pid, 60000);
	if (status == -EINTR) {
		close(out);
		return RUN_ERROR;
	}
	if (status)
		crash_error("mkfs.%s failed: %s", fs->name,
			    status < 0 ? strerror(-status) : last_line(out, line));
	close(out);
	return status ? RUN_ERROR : 0;
}

int filesystem_mount(struct run *run, const char *device, const char *where, bool is_copy)
{
	const char *own = is_copy ? run->options->fs->mount_data : NULL;
	const char *more = run->options->mount_options;
	char data[512];
	int error;

	snprintf(data, sizeof(data), "%s%s%s", own ? own : "", own && more ? "," : "",
		 more ? more : "");
	undo_push(run->undo, UNDO_MOUNT, 0, where); /* U1 */
	if (mount(device, where, run->options->fs->name, 0, data) == 0)
		return 0;
	error = -errno;
	undo_pop(run->undo);
	return error;
}
