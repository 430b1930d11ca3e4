/* SPDX-License-Identifier: MIT */
/*
 * Goal: the journal's own file meets what its homes meet: O_APPEND, limits, signals, other openers,
 * parts that cannot be read, headers that cannot be written; and who only looks writes nothing.
 * Method: trouble_machine.h, with calls of the table replaced that a memfd cannot refuse.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "check_run.h"
#include "trouble_machine.h"

static struct {
	int open_error;	     /* of every open */
	int own_write_error; /* of every write to the journal */
	uint32_t own_writes; /* made */
	uint32_t dies_after; /* so many of them, 0: never */
	uint32_t own_syncs;
	uint32_t interrupts;	   /* so many syncs of files say -EINTR first */
	uint64_t bad_from, bad_to; /* of the journal cannot be read */
	uint64_t low, high;	   /* of what was written to its ring */
	uint32_t magic, flags;	   /* of its filesystem, and its inode */
	int flag_error;
	bool excluded; /* by O_EXCL */
	bool hangs;    /* every write of a header */
} own;

static bool is_journal(int fd)
{
	struct stat stat, journals;

	return fstat(fd, &stat) == 0 && fstat(journal_fd, &journals) == 0 &&
	       stat.st_ino == journals.st_ino;
}

static int open_or_not(const char *path, int flags)
{
	if (own.open_error)
		return own.open_error;
	if (own.excluded && flags & O_EXCL)
		return -EBUSY;
	return sys_linux.open(path, flags & ~O_EXCL);
}

static ssize_t own_write(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	if (!count || !is_journal(fd))
		return troubled_write(fd, vector, count, offset, flags);
	if (own.own_write_error)
		return own.own_write_error;
	if (own.dies_after && own.own_writes == own.dies_after)
		return -EIO;
	own.own_writes++;
	if (own.hangs && offset < JOURNAL_RING_START)
		hang(&own.hangs);
	if (offset >= JOURNAL_RING_START) {
		const uint64_t end = offset + vector->iov_len;

		ck_assert(end <= own.bad_from || offset >= own.bad_to);
		own.low = offset < own.low ? offset : own.low;
		own.high = end > own.high ? end : own.high;
	}
	return sys_linux.pwritev2(fd, vector, count, offset, flags);
}

static ssize_t own_read(int fd, void *buffer, size_t length, uint64_t offset)
{
	if (offset < own.bad_to && offset + length > own.bad_from && is_journal(fd))
		return -EIO;
	return sys_linux.pread(fd, buffer, length, offset);
}

static int interrupted_sync(int fd)
{
	own.own_syncs += is_journal(fd);
	if (!is_journal(fd) && own.interrupts) {
		own.interrupts--;
		return -EINTR;
	}
	return troubled_sync(fd);
}

static int own_magic(int fd, uint32_t *magic)
{
	if (!own.magic)
		return sys_linux.fs_magic(fd, magic);
	*magic = own.magic;
	return 0;
}

static int own_flags(int fd, uint32_t *flags)
{
	(void)fd;
	*flags = own.flags;
	return own.flag_error;
}

static int set_own_flags(int fd, uint32_t flags)
{
	struct stat stat;

	ck_assert_int_eq(fstat(fd, &stat), 0);
	ck_assert_int_eq(stat.st_size, 0); /* NOCOW cannot be given to any other */
	own.flags = flags;
	return own.flag_error;
}

static void own_setup(void)
{
	setup();
	memset(&own, 0, sizeof(own));
	own.low = UINT64_MAX;
	calls.open = open_or_not;
	calls.pwritev2 = own_write;
	calls.pread = own_read;
	calls.fdatasync = interrupted_sync;
	calls.fs_magic = own_magic;
	calls.inode_flags = own_flags;
	calls.set_inode_flags = set_own_flags;
}

static void end_process(void)
{
	for (int i = 0; i < 2; i++)
		if (files[i])
			(void)atomicio_close(files[i]);
	files[0] = files[1] = NULL;
	(void)atomicio_journal_close(journal);
	journal = NULL;
}

/* What a killed process leaves, with a page of file 0. */
static void leave_page(int value)
{
	static uint8_t bytes[JOURNAL_RING_START + 8 * FRAME];

	ck_assert_int_eq(write_page(0, 1, value), 0);
	ck_assert_int_eq(pread(journal_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	end_process();
	ck_assert_int_eq(pwrite(journal_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
}

START_TEST(a_descriptor_that_appends_and_cannot_be_reopened_is_refused)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};
	const int before = fcntl(journal_fd, F_GETFL);

	end_process();
	own.open_error = -ENOENT; /* no /proc */
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before | O_APPEND), 0);
	own.own_writes = 0;
	ck_assert_int_eq(journal_create(&calls, journal_fd, &options, sizeof(options)),
			 -EOPNOTSUPP);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), -EOPNOTSUPP);
	ck_assert_uint_eq(own.own_writes, 0);
	/* Where it can be, O_APPEND does not matter. */
	own.open_error = 0;
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	open_files();
	ck_assert_int_eq(write_page(0, 1, 5), 0);
	ck_assert_int_eq(lseek(journal_fd, 0, SEEK_END), JOURNAL_RING_START + 8 * FRAME);
	end_process();
	/* Nor can it be set later, behind the back of an open journal. */
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before), 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(fcntl(journal_fd, F_SETFL, before | O_APPEND), 0);
	open_files();
	ck_assert_int_eq(write_page(0, 1, 6), 0);
	ck_assert_int_eq(lseek(journal_fd, 0, SEEK_END), JOURNAL_RING_START + 8 * FRAME);
}
END_TEST

START_TEST(who_only_looks_writes_nothing)
{
	static uint8_t zero[2 * PAGE];

	leave_page(7);
	restart(); /* it is recovered, and ready */
	leave_page(8);
	restart();
	end_process();
	/* Of every condition: clean, with one header damaged, unclean with nothing live. */
	for (int i = 0; i < 3; i++) {
		if (i == 1)
			ck_assert_int_eq(pwrite(journal_fd, zero, PAGE, PAGE), PAGE);
		if (i == 2) {
			ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
			open_files();
			leave_page(9);
			ck_assert_int_eq(pwrite(journal_fd, zero, PAGE, (off_t)JOURNAL_RING_START),
					 PAGE);
		}
		own.own_writes = 0;
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		(void)info();
		ck_assert_int_eq(atomicio_journal_close(journal), 0);
		ck_assert_uint_eq(own.own_writes, 0);
	}
	journal = NULL;
}
END_TEST

START_TEST(a_header_that_cannot_be_written_says_its_own_error)
{
	static const int errors[][2] = {
		{-EIO, -EIO}, {-ENOSPC, -ENOSPC}, {-EDQUOT, -ENOSPC}, {-EINVAL, -EIO}};

	for (size_t i = 0; i < 4; i++) {
		end_process();
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		open_files();
		ck_assert_int_eq(write_page(0, 1, 20), 0);
		end_process();
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		open_files();
		own.own_write_error = errors[i][0];
		ck_assert_int_eq(write_page(0, 1, 21), errors[i][1]);
		own.own_write_error = 0;
		/* Nothing was written, and nothing is poisoned. */
		ck_assert(holds(0, 1, 20));
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
		ck_assert_int_eq(write_page(0, 1, 22), 0);
		ck_assert(holds(0, 1, 22));
	}
}
END_TEST

START_TEST(no_frame_is_put_where_the_ring_cannot_be_read)
{
	for (int round = 0; round < 7; round++) {
		uint64_t frames;

		leave_page(30 + round);
		/* Not where a frame may hide: far behind the last, and before the first. */
		own.bad_from = JOURNAL_RING_START + 7 * FRAME + (uint64_t)round * 2 * PAGE;
		own.bad_to = own.bad_from + PAGE;
		restart();
		ck_assert_uint_ne(info().notes & ATOMICIO_JOURNAL_NOTE_UNREADABLE, 0);
		own.low = UINT64_MAX;
		own.high = 0;
		frames = info().frames;
		for (int lap = 0; lap < 400; lap++)
			ck_assert_int_eq(write_page(lap % 2, 5, lap), 0);
		ck_assert_uint_eq(info().frames, frames + 400);
		/* Both sides of it are used, and what is live is found. */
		ck_assert_uint_lt(own.low, own.bad_from);
		ck_assert(own.high > own.bad_to || own.bad_to + 2 * PAGE > own.high);
		ck_assert_uint_gt(own.high, own.bad_from - 2 * PAGE);
		trouble.file = 0;
		trouble.write_error = -EIO;
		ck_assert_int_eq(write_page(0, 5, 77), 0);
		for (int lap = 0; lap < 200; lap++) {
			ck_assert_int_eq(write_page(1, 5, lap), 0);
			ck_assert(frames_hold(0, 5, 77));
		}
		trouble.write_error = 0;
		own.bad_to = 0;
		restart();
		ck_assert(holds(0, 5, 77));
		ck_assert(holds(1, 5, 199));
		/* The next one's frames begin at the start. */
		end_process();
		setup();
		calls.pwritev2 = own_write;
		calls.pread = own_read;
	}
}
END_TEST

START_TEST(a_sync_that_a_signal_cuts_short_is_made_again)
{
	ck_assert_int_eq(write_page(0, 1, 40), 0);
	own.interrupts = 300; /* more than one sync makes of itself */
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_eq(own.interrupts, 0);
	ck_assert_uint_eq(info().live_frames, 0);
	ck_assert_uint_eq(info().files_failed, 0);
	ck_assert_int_eq(write_page(0, 1, 41), 0);
	own.interrupts = 300; /* more than one sync makes of itself */
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	files[0] = NULL;
}
END_TEST

START_TEST(a_limit_on_the_file_size_ends_neither_create_nor_recovery)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME};
	const int fd = memfd_create("another", MFD_CLOEXEC);
	struct rlimit before, now;
	struct stat stat;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	leave_page(50);
	memset(page, 1, PAGE);
	ck_assert_int_eq(pwrite(fds[0], page, PAGE, PAGE), PAGE);
	now = before;
	now.rlim_cur = JOURNAL_RING_START + FRAME; /* SIGXFSZ would end the test */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	ck_assert_int_eq(journal_create(&calls, fd, &options, sizeof(options)), -EFBIG);
	ck_assert_int_eq(fstat(fd, &stat), 0);
	ck_assert_int_eq(stat.st_size, 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0),
			 -EFBIG);
	ck_assert(holds(0, 1, 1));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	ck_assert(holds(0, 1, 50));
	close(fd);
}
END_TEST

/* One that was cut short between its headers: the older of them knows frames that are retired. */
START_TEST(a_create_that_is_cut_short_brings_no_older_header_back)
{
	static uint8_t before[PAGE], after[PAGE];
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};

	ck_assert_int_eq(write_page(0, 1, 1), 0);
	ck_assert_int_eq(pread(journal_fd, before, PAGE, 0), PAGE);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_int_eq(pread(journal_fd, after, PAGE, 0), PAGE);
	end_process();
	for (uint32_t writes = 1; writes <= 4; writes++) {
		for (int newer = 0; newer < 2; newer++) {
			int error;

			ck_assert_int_eq(pwrite(journal_fd, newer ? before : after, PAGE, 0), PAGE);
			ck_assert_int_eq(pwrite(journal_fd, newer ? after : before, PAGE, PAGE),
					 PAGE);
			own.own_writes = 0;
			own.dies_after = writes;
			ck_assert_int_eq(
				journal_create(&calls, journal_fd, &options, sizeof(options)),
				-EIO);
			own.dies_after = 0;
			error = journal_open(&calls, journal_fd, &journal);
			ck_assert(error == 0 || error == -ENODATA);
			if (!error)
				ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
			ck_assert_int_eq(atomicio_journal_close(error ? NULL : journal), 0);
		}
	}
	journal = NULL;
}
END_TEST

START_TEST(a_new_journal_on_btrfs_is_not_copied_on_write)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME};
	static const uint32_t nocow = 0x00800000u, btrfs = 0x9123683Eu;
	int fd;

	for (int i = 0; i < 3; i++) {
		fd = memfd_create("new", MFD_CLOEXEC);
		own.magic = i == 1 ? 0xEF53u : btrfs;
		own.flags = 4;
		own.flag_error = i == 2 ? -EOPNOTSUPP : 0; /* it does without */
		ck_assert_int_eq(journal_create(&calls, fd, &options, sizeof(options)), 0);
		ck_assert_uint_eq(own.flags, i == 0 ? nocow | 4 : 4);
		close(fd);
	}
}
END_TEST

static void *write_first(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)write_page(0, 1, 90);
}

static void *checkpoint(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)atomicio_journal_checkpoint(journal);
}

/* K10: the header of the first frame, and that of a retirement. */
START_TEST(info_waits_for_no_disk)
{
	void *(*const calls_that_hang[])(void *) = {write_first, checkpoint};
	pthread_t thread;
	void *result;

	for (int i = 0; i < 2; i++) {
		own.hangs = true;
		ck_assert_int_eq(pthread_create(&thread, NULL, calls_that_hang[i], NULL), 0);
		pthread_mutex_lock(&trouble.lock);
		while (!trouble.hanging)
			pthread_cond_wait(&trouble.changed, &trouble.lock);
		pthread_mutex_unlock(&trouble.lock);
		ck_assert_uint_eq(info().state, ATOMICIO_JOURNAL_READY);
		ck_assert_uint_eq(info().live_frames, (uint64_t)i);
		pthread_mutex_lock(&trouble.lock);
		own.hangs = false;
		pthread_cond_broadcast(&trouble.changed);
		pthread_mutex_unlock(&trouble.lock);
		ck_assert_int_eq(pthread_join(thread, &result), 0);
		ck_assert_ptr_null(result);
	}
	ck_assert_uint_eq(info().live_frames, 0);
}
END_TEST

/* K9: FUSE only passes RWF_DSYNC on to its server, which may drop it. */
START_TEST(a_journal_on_a_filesystem_that_leaves_syncs_to_a_server_is_synced)
{
	static const uint32_t magics[] = {0xEF53u,     0x58465342u, 0x9123683Eu, /* they do it */
					  0x65735546u, 0x794c7630u, 0x01021997u, 0x12345u};

	for (size_t i = 0; i < 7; i++) {
		end_process();
		own.magic = magics[i];
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		ck_assert_int_eq(!!(info().notes & ATOMICIO_JOURNAL_NOTE_DELEGATED), i >= 3);
		open_files();
		ck_assert_int_eq(write_page(0, 1, 1), 0);
		own.own_syncs = 0;
		ck_assert_int_eq(write_page(0, 1, 2), 0);
		ck_assert_uint_eq(own.own_syncs, i >= 3);
		/* So are its headers. */
		own.own_syncs = 0;
		ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
		ck_assert_uint_eq(own.own_syncs, i >= 3 ? 2 : 0);
	}
}
END_TEST

/* A memfd that can be read past the cache, as statx says. */
static int direct_statx(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	const int error = sys_linux.statx(fd, path, mask, out);

	if (!error && is_journal(fd)) {
		out->mask |= SYS_STATX_DIOALIGN;
		out->dio_offset_align = out->dio_mem_align = 512;
	}
	return error;
}

/*
 * H2 where the header cannot be written again: a direct read and a flush have to do, and do only
 * if the disk has what was read.
 */
START_TEST(a_full_filesystem_that_copies_on_write_is_read_and_flushed_instead)
{
	leave_page(95);
	memset(page, 1, PAGE);
	ck_assert_int_eq(pwrite(fds[0], page, PAGE, PAGE), PAGE);
	for (int direct = 0; direct < 2; direct++) {
		calls.statx = direct ? direct_statx : sys_linux.statx;
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		ck_assert_int_eq(!(info().notes & ATOMICIO_JOURNAL_NOTE_BUFFERED), direct);
		own.own_write_error = -ENOSPC;
		own.own_syncs = 0;
		/* The pages go home; that there is no more to do cannot be written down. */
		ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0),
				 -ENOSPC);
		ck_assert_uint_eq(own.own_syncs, direct ? 2 : 0); /* the header, and the frame */
		ck_assert(holds(0, 1, direct ? 95 : 1));
		own.own_write_error = 0;
		ck_assert_int_eq(atomicio_journal_close(journal), 0);
		journal = NULL;
	}
	/* A clean one is attached to, for writes past it. */
	restart();
	end_process();
	for (int other = 0; other < 2; other++) {
		static uint8_t old[PAGE], zero[PAGE];

		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		ck_assert_int_eq(pread(journal_fd, old, PAGE, 0), PAGE);
		own.own_write_error = -EDQUOT;
		own.own_syncs = 0;
		if (other) /* the cache had it, and the disk does not */
			for (int copy = 0; copy < 2; copy++)
				ck_assert_int_eq(pwrite(journal_fd, zero, PAGE, (off_t)copy * PAGE),
						 PAGE);
		ck_assert_int_eq(atomicio_journal_checkpoint(journal), other ? -EDQUOT : 0);
		ck_assert_uint_eq(own.own_syncs, !other);
		own.own_write_error = 0;
		for (int copy = 0; copy < 2 && other; copy++)
			ck_assert_int_eq(pwrite(journal_fd, old, PAGE, (off_t)copy * PAGE), PAGE);
		ck_assert_int_eq(atomicio_journal_close(journal), 0);
	}
	journal = NULL;
}
END_TEST

/* A memfd that statx shows as a block device. */
static int device_statx(int fd, const char *path, uint32_t mask, struct sys_statx *out)
{
	const int error = sys_linux.statx(fd, path, mask, out);

	if (!error && is_journal(fd))
		out->mode = S_IFBLK | 0600;
	return error;
}

static int device_size(int fd, uint64_t *size)
{
	(void)fd;
	*size = JOURNAL_RING_START + 8 * FRAME;
	return 0;
}

START_TEST(a_device_that_is_in_use_is_opened_by_nobody)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};

	end_process();
	calls.statx = device_statx;
	calls.device_size = device_size;
	own.excluded = true;
	own.own_writes = 0;
	ck_assert_int_eq(journal_create(&calls, journal_fd, &options, sizeof(options)), -EBUSY);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), -EBUSY);
	ck_assert_uint_eq(own.own_writes, 0);
	own.excluded = false;
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(atomicio_journal_close(journal), 0);
	journal = NULL;
}
END_TEST

START_TEST(recovery_locks_its_files_if_it_is_asked_to)
{
	const struct atomicio_recover_options options = {.flags = ATOMICIO_RECOVER_LOCK};
	char path[32];
	int other;

	leave_page(60);
	memset(page, 1, PAGE);
	ck_assert_int_eq(pwrite(fds[0], page, PAGE, PAGE), PAGE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[0]);
	other = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(other, 0);
	/* Somebody still writes to it, with ATOMICIO_OPEN_LOCK. */
	ck_assert_int_eq(flock(other, LOCK_SH | LOCK_NB), 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, &options, sizeof(options),
						  NULL, 0),
			 -EWOULDBLOCK);
	ck_assert(holds(0, 1, 1));
	ck_assert_uint_gt(info().live_frames, 0);
	close(other);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, &options, sizeof(options),
						  NULL, 0),
			 0);
	ck_assert(holds(0, 1, 60));
	/* Exclusively. */
	other = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(flock(other, LOCK_SH | LOCK_NB), -1);
	close(other);
}
END_TEST

START_TEST(a_file_with_another_tag_is_refused)
{
	struct atomicio_options options = {.policy = atomicio_policy_strict,
					   .journal = journal,
					   .file_id = 1,
					   .path = ATOMICIO_PATH_JOURNAL};
	struct atomicio_file *file;

	ck_assert_int_eq(atomicio_close(files[0]), 0);
	memset(options.file_tag, 0xa1, sizeof(options.file_tag));
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &files[0]), 0);
	options.file_tag[3] ^= 1;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &file), -EEXIST);
	leave_page(70);
	/* Frames of an earlier run say so, too. */
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	options.journal = journal;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &file), -EEXIST);
	options.file_tag[3] ^= 1;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &file), 0);
	ck_assert_int_eq(atomicio_close(file), 0);
	/* Nothing is live, nothing is compared. */
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	options.file_tag[3] ^= 1;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &files[0]), 0);
}
END_TEST

START_TEST(a_ring_without_a_reserve_says_so)
{
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 5 * FRAME,
							 .frame_max = FRAME};
	struct atomicio_journal *small;
	struct atomicio_journal_info now;
	const int fd = memfd_create("small", MFD_CLOEXEC);

	ck_assert_uint_eq(info().notes & ATOMICIO_JOURNAL_NOTE_SMALL, 0);
	ck_assert_int_eq(journal_create(&calls, fd, &options, sizeof(options)), 0);
	ck_assert_int_eq(journal_open(&calls, fd, &small), 0);
	ck_assert_int_eq(atomicio_journal_get_info(small, &now, sizeof(now)), 0);
	ck_assert_uint_ne(now.notes & ATOMICIO_JOURNAL_NOTE_SMALL, 0);
	ck_assert_int_eq(atomicio_journal_close(small), 0);
	close(fd);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_descriptor_that_appends_and_cannot_be_reopened_is_refused,
		who_only_looks_writes_nothing,
		a_header_that_cannot_be_written_says_its_own_error,
		no_frame_is_put_where_the_ring_cannot_be_read,
		a_sync_that_a_signal_cuts_short_is_made_again,
		a_limit_on_the_file_size_ends_neither_create_nor_recovery,
		a_create_that_is_cut_short_brings_no_older_header_back,
		a_new_journal_on_btrfs_is_not_copied_on_write,
		a_journal_on_a_filesystem_that_leaves_syncs_to_a_server_is_synced,
		info_waits_for_no_disk,
		a_full_filesystem_that_copies_on_write_is_read_and_flushed_instead,
		a_device_that_is_in_use_is_opened_by_nobody,
		recovery_locks_its_files_if_it_is_asked_to,
		a_file_with_another_tag_is_refused,
		a_ring_without_a_reserve_says_so,
	};

	return check_run("journal_own", tests, sizeof(tests) / sizeof(tests[0]), own_setup);
}
