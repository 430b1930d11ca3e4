/* SPDX-License-Identifier: MIT */
/*
 * Goal: create, open and recovery of the journal's own file meet limits, other openers and other
 * tags, like the home files; a call that only looks writes nothing.
 * Method: own_machine.h.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>

#include "check_run.h"
#include "own_machine.h"

START_TEST(who_only_looks_writes_nothing)
{
	static uint8_t zero[2 * PAGE];

	leave_page(7);
	restart(); /* recovered, and ready */
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

/* A create cut between its two headers: the older header still has the retired frames. */
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

/* K9: FUSE only passes RWF_DSYNC on to the server, which may drop the flag. */
START_TEST(a_journal_on_a_filesystem_that_leaves_syncs_to_a_server_is_synced)
{
	static const uint32_t magics[] = {0xEF53u,     0x58465342u, 0x9123683Eu, /* no server */
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
		/* The journal's headers are synced alike. */
		own.own_syncs = 0;
		ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
		ck_assert_uint_eq(own.own_syncs, i >= 3 ? 2 : 0);
	}
}
END_TEST

/* Each of these writes is relied on by the next, or by a home write. */
START_TEST(create_and_recovery_sync_each_header_and_frame_there)
{
	static const uint32_t magics[] = {0xEF53u, 0x65735546u, 0x01021997u};
	const struct atomicio_journal_options options = {.size = JOURNAL_RING_START + 8 * FRAME,
							 .frame_max = FRAME,
							 .flags = ATOMICIO_JOURNAL_OVERWRITE};

	for (int i = 0; i < 3; i++) {
		own.magic = magics[i];
		leave_page(80);
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		own.own_syncs = 0;
		ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0),
				 0);
		ck_assert_uint_eq(own.own_syncs, i ? 4 : 0); /* three headers, and the frame */
		end_process();
		own.own_syncs = 0;
		ck_assert_int_eq(journal_create(&calls, journal_fd, &options, sizeof(options)), 0);
		/* The zeroes; three headers of the old journal, and two of the new. */
		ck_assert_uint_eq(own.own_syncs, i ? 6 : 1);
		ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
		open_files();
	}
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
		who_only_looks_writes_nothing,
		a_limit_on_the_file_size_ends_neither_create_nor_recovery,
		a_create_that_is_cut_short_brings_no_older_header_back,
		a_new_journal_on_btrfs_is_not_copied_on_write,
		a_journal_on_a_filesystem_that_leaves_syncs_to_a_server_is_synced,
		create_and_recovery_sync_each_header_and_frame_there,
		a_device_that_is_in_use_is_opened_by_nobody,
		recovery_locks_its_files_if_it_is_asked_to,
		a_file_with_another_tag_is_refused,
		a_ring_without_a_reserve_says_so,
	};

	return check_run("journal_own", tests, sizeof(tests) / sizeof(tests[0]), own_setup);
}
