/* SPDX-License-Identifier: MIT */
/*
 * Goal: trouble of the journal's own disk: headers that cannot be written or hang, parts that
 * cannot be read, a full filesystem, signals.
 * Method: own_machine.h.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>

#include "check_run.h"
#include "own_machine.h"

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
		/* Both sides of the bad part are used, and the live frames are found. */
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
	own.interrupts = 300; /* more retries than one sync makes */
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), 0);
	ck_assert_uint_eq(own.interrupts, 0);
	ck_assert_uint_eq(info().live_frames, 0);
	ck_assert_uint_eq(info().files_failed, 0);
	ck_assert_int_eq(write_page(0, 1, 41), 0);
	own.interrupts = 300; /* more retries than one sync makes */
	ck_assert_int_eq(atomicio_close(files[0]), 0);
	files[0] = NULL;
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
 * Where the header cannot be written again (H2): a direct read and a flush have to do, and do only
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
		/* The pages go home, but the header for this cannot be written. */
		ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0),
				 -ENOSPC);
		ck_assert_uint_eq(own.own_syncs, direct ? 2 : 0); /* the header, and the frame */
		ck_assert(holds(0, 1, direct ? 95 : 1));
		own.own_write_error = 0;
		ck_assert_int_eq(atomicio_journal_close(journal), 0);
		journal = NULL;
	}
	/* A clean journal accepts handles, for writes past the journal. */
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

static uint8_t at_home_write[JOURNAL_RING_START + 8 * FRAME]; /* the journal, of a power cut */
static bool home_is_written;

static ssize_t look_then_write(int fd, const struct iovec *vector, int count, uint64_t offset,
			       int flags)
{
	if (count && !is_journal(fd) && !home_is_written) {
		home_is_written = true;
		ck_assert_int_eq(pread(journal_fd, at_home_write, sizeof(at_home_write), 0),
				 sizeof(at_home_write));
	}
	return own_write(fd, vector, count, offset, flags);
}

/*
 * H1: the write of a header copy may fail, and the copy be on the disk all the same.  The copy says
 * that the frames are retired, or a file is done (H3).  The next recovery writes these pages again:
 * a power cut there tears them.
 */
static void recover_after_failed_header(bool other_fails, uint32_t header_fails)
{
	ck_assert_int_eq(write_page(1, 1, 60), 0);
	leave_page(61);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	own.headers = 0;
	own.header_fails = header_fails;
	trouble.file = 1;
	trouble.write_error = other_fails ? -EIO : 0;
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), -EIO);
	ck_assert_uint_eq(own.headers, header_fails);
	trouble.write_error = 0;
	own.header_fails = 0;
	calls.pwritev2 = look_then_write;
	home_is_written = false;
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	ck_assert(home_is_written);
	end_process();
	/* The power goes in the middle of the first home write of each. */
	ck_assert_int_eq(pwrite(journal_fd, at_home_write, sizeof(at_home_write), 0),
			 sizeof(at_home_write));
	memset(page, 1, PAGE);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pwrite(fds[i], page, PAGE / 2, PAGE), PAGE / 2);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	ck_assert(holds(0, 1, 61));
	ck_assert(holds(1, 1, 60));
	end_process();
}

START_TEST(a_recovery_after_one_whose_header_failed_has_its_frames_on_the_disk)
{
	for (int other_fails = 0; other_fails < 2; other_fails++)
		for (uint32_t header = 2; header <= 3; header++) { /* the first settles (H2) */
			recover_after_failed_header(other_fails, header);
			own_setup();
		}
}
END_TEST

/* H2: a power cut may undo the retirement that open read: the retired frames are live again. */
START_TEST(a_recovery_that_finds_nothing_live_makes_that_durable)
{
	leave_page(70);
	restart();
	end_process();
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0);
	ck_assert_uint_ne(info().notes & ATOMICIO_JOURNAL_NOTE_UNSETTLED, 0);
	own.own_write_error = -EIO;
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), -EIO);
	own.own_write_error = 0;
	own.own_writes = 0;
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	ck_assert_uint_eq(own.own_writes, 1);
	ck_assert_uint_eq(info().notes & ATOMICIO_JOURNAL_NOTE_UNSETTLED, 0);
	/* Once. */
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	ck_assert_uint_eq(own.own_writes, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_header_that_cannot_be_written_says_its_own_error,
		no_frame_is_put_where_the_ring_cannot_be_read,
		a_sync_that_a_signal_cuts_short_is_made_again,
		info_waits_for_no_disk,
		a_full_filesystem_that_copies_on_write_is_read_and_flushed_instead,
		a_recovery_after_one_whose_header_failed_has_its_frames_on_the_disk,
		a_recovery_that_finds_nothing_live_makes_that_durable,
	};

	return check_run("journal_own_trouble", tests, sizeof(tests) / sizeof(tests[0]), own_setup);
}
