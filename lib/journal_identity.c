/* SPDX-License-Identifier: MIT */
/*
 * The identity of a file: marks in a frame, by which recovery knows the file again (K4).
 *
 * Flow: attach asks once a file, for the rows of its frames; recovery asks for each given file, and
 * compares.
 *
 * A field not kept by the filesystem is unknown, and is not compared.
 */
#include "journal_internal.h"

#include <string.h>
#include <sys/stat.h>

#include "sys_refused.h"

#define STATX_INO_BIT 0x100u
#define STATX_BTIME_BIT 0x800u

void journal_identify(const struct sys_calls *sys, int fd, struct journal_identity *identity)
{
	static const uint8_t unset[sizeof(identity->fs_uuid)];
	struct sys_statx stat;
	const uint64_t file_id = identity->file_id;

	*identity = (struct journal_identity){.file_id = file_id};
	/* The inode of a device's node says nothing about the device. */
	if (sys_stat(sys, fd, SYS_STATX_BASIC | STATX_BTIME_BIT, &stat) || !S_ISREG(stat.mode))
		return;
	if (stat.mask & STATX_INO_BIT) {
		identity->inode = stat.ino;
		identity->known |= JOURNAL_KNOWS_INODE;
	}
	if (stat.mask & STATX_BTIME_BIT) {
		identity->birth_seconds = stat.btime.sec;
		identity->birth_nanoseconds = stat.btime.nsec;
		identity->known |= JOURNAL_KNOWS_BIRTH;
	}
	/* ext4 without a UUID says all zero. */
	if (sys->fs_uuid && sys->fs_uuid(fd, identity->fs_uuid) == 0 &&
	    memcmp(identity->fs_uuid, unset, sizeof(unset)) != 0)
		identity->known |= JOURNAL_KNOWS_FS;
	else
		memset(identity->fs_uuid, 0, sizeof(identity->fs_uuid));
}

uint32_t journal_differences(const struct journal_identity *then,
			     const struct journal_identity *now)
{
	const uint32_t known = then->known & now->known;
	uint32_t differs = 0;

	if (known & JOURNAL_KNOWS_FS &&
	    memcmp(then->fs_uuid, now->fs_uuid, sizeof(now->fs_uuid)) != 0)
		differs |= ATOMICIO_DIFFERS_FILESYSTEM;
	if (known & JOURNAL_KNOWS_INODE && then->inode != now->inode)
		differs |= ATOMICIO_DIFFERS_INODE;
	if (known & JOURNAL_KNOWS_BIRTH && (then->birth_seconds != now->birth_seconds ||
					    then->birth_nanoseconds != now->birth_nanoseconds))
		differs |= ATOMICIO_DIFFERS_BIRTH;
	return known ? differs : ATOMICIO_DIFFERS_UNKNOWN;
}

bool journal_is_own_file(const struct atomicio_journal *journal, const struct sys_statx *stat)
{
	struct sys_statx own;

	if (sys_stat(journal->sys, journal->fd, SYS_STATX_BASIC, &own) ||
	    (own.mode & S_IFMT) != (stat->mode & S_IFMT))
		return false;
	/* Many nodes may stand for one device. */
	if (S_ISBLK(own.mode))
		return own.rdev_major == stat->rdev_major && own.rdev_minor == stat->rdev_minor;
	return own.ino == stat->ino && own.dev_major == stat->dev_major &&
	       own.dev_minor == stat->dev_minor;
}

bool journal_is_volatile(const struct sys_calls *sys, int fd)
{
	uint32_t magic;

	return sys->fs_magic(fd, &magic) == 0 &&
	       (magic == 0x01021994u /* tmpfs */ || magic == 0x858458f6u /* ramfs */);
}
