/* SPDX-License-Identifier: MIT */
/*
 * Goal: processes that take turns with a journal see each other's work, keep out of each other's
 * turns, and write nothing outside one.
 * Method: turns_machine.h: children are processes of their own.
 */
#define _GNU_SOURCE
#ifdef __SANITIZE_THREAD__
#define ATOMICIO_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ATOMICIO_TSAN
#endif
#endif

#include "turns_machine.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check_run.h"

static void one_turn(int value)
{
	start();
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_group(value), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

START_TEST(each_turn_goes_on_where_the_last_one_ended)
{
	for (int round = 1; round <= 40; round++) { /* and around the ring, twice */
		const uint64_t before = info().head_sequence;

		ck_assert_int_eq(run(one_turn, 2 * round), 0);
		ck_assert_int_eq(group_value(), 2 * round);
		ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
		ck_assert_int_eq(begin(), 0);
		if (round > 1)
			ck_assert_uint_ge(info().head_sequence, before + 1);
		ck_assert_int_eq(write_group(2 * round + 1), 0);
		ck_assert_int_eq(end(), 0);
		ck_assert_int_eq(group_value(), 2 * round + 1);
	}
	ck_assert_uint_ge(info().checkpoints, 1);
}
END_TEST

static uint64_t reasons;
static uint32_t on_disk;

static uint32_t note_reasons(void *context, const struct atomicio_failure *failure)
{
	(void)context;
	reasons = failure->reasons;
	on_disk = failure->on_disk;
	return ATOMICIO_FALLBACK; /* which is not allowed */
}

/* Past or through the journal; the failure that the policy receives. */
static int write_told(uint32_t path)
{
	const struct atomicio_options options = {.policy = note_reasons,
						 .journal = journal,
						 .file_id = 1,
						 .path = path,
						 .fallback = ATOMICIO_FALLBACK_PLAIN};
	static uint8_t bytes[PAGE];
	struct atomicio_file *file;
	int error;

	reasons = on_disk = 0;
	ck_assert_int_eq(write_open(&calls, fds[0], &options, sizeof(options), &file), 0);
	error = atomicio_write(file, bytes, PAGE, 0, ATOMICIO_DSYNC);
	ck_assert_int_eq(atomicio_close(file), 0);
	return error;
}

START_TEST(nothing_is_written_outside_a_turn)
{
	static uint8_t bytes[PAGE];
	struct atomicio_op op = {.file = files[0], .buffer = bytes, .offset = 0, .length = 512};

	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(0, 1, 5), 0);
	ck_assert_int_eq(end(), 0);
	writes = 0;
	ck_assert_int_eq(write_told(ATOMICIO_PATH_JOURNAL), -EBUSY);
	ck_assert_uint_eq(reasons, ATOMICIO_REASON_NO_TURN);
	ck_assert_uint_eq(on_disk, ATOMICIO_DISK_OLD);
	ck_assert_int_eq(write_told(ATOMICIO_PATH_KERNEL), -EBUSY); /* at last by plain writes */
	ck_assert_uint_eq(reasons, ATOMICIO_REASON_NO_TURN);
	ck_assert_int_eq(atomicio_write_batch(NULL, &op, 1, ATOMICIO_ALL_OR_NONE), -EBUSY);
	ck_assert_int_eq(atomicio_journal_forget(journal, 1), -EBUSY);
	ck_assert_int_eq(atomicio_journal_checkpoint(journal), -EBUSY);
	ck_assert_int_eq(recover(), -EBUSY);
	ck_assert_int_eq(atomicio_journal_read(journal, 1, bytes, PAGE, 0), -EBUSY);
	ck_assert_int_eq(atomicio_journal_set_word(journal, 1), -EBUSY);
	ck_assert_int_eq(end(), -EINVAL);
	ck_assert_uint_eq(writes, 0);
	ck_assert_int_eq(value_of(0, 0), 0);
	ck_assert_uint_eq(info().live_frames, 1);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(begin(), -EALREADY);
	ck_assert_int_eq(write_page(0, 0, 5), 0);
	ck_assert_int_eq(end(), 0);
}
END_TEST

static int told[2]; /* pipes between the test and a child */
static int asked[2];

static void stay_in_a_turn(int unused)
{
	char byte;

	(void)unused;
	start();
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(0, 2, 9), 0);
	ck_assert_int_eq(write(told[1], "", 1), 1);
	ck_assert_int_eq(read(asked[0], &byte, 1), 1);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(close_all(), 0);
}

static void *wait_for_a_turn(void *unused)
{
	(void)unused;
	ck_assert_int_eq(atomicio_journal_turn_begin(journal, ATOMICIO_TURN_WAIT), 0);
	return NULL;
}

START_TEST(two_turns_never_meet)
{
	pthread_t waiter;
	pid_t pid;
	char byte;

	ck_assert_int_eq(pipe(told), 0);
	ck_assert_int_eq(pipe(asked), 0);
	pid = spawn(stay_in_a_turn, 0);
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	ck_assert_int_eq(begin(), -EBUSY);
	ck_assert_int_eq(atomicio_journal_is_alone(journal), 0);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 1);
	ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_a_turn, NULL), 0);
	usleep(20000);
	ck_assert_uint_eq(info().live_frames, 0); /* the other waits, and nothing is adopted */
	ck_assert_int_eq(write(asked[1], "", 1), 1);
	ck_assert_int_eq(pthread_join(waiter, NULL), 0);
	ck_assert_uint_eq(info().live_frames, 1);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(reap(pid), 0);
	ck_assert_int_eq(atomicio_journal_is_alone(journal), 1);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
}
END_TEST

/* SECCOMP_MODE_STRICT: read, write, exit and sigreturn are the only calls that do not kill. */
static void ask_in_strict_mode(int unused)
{
	long hot = 0;

	(void)unused;
	start();
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), 0);
	for (int i = 0; i < 1000; i++)
		hot += atomicio_journal_is_hot(journal) + (long)atomicio_journal_get_word(journal);
	(void)syscall(SYS_exit, hot == 7000 ? 0 : 1);
}

START_TEST(is_hot_makes_no_system_call)
{
#ifdef ATOMICIO_TSAN
	return; /* the runtime makes calls of its own */
#endif
	if (prctl(PR_GET_SECCOMP) < 0)
		return; /* qemu-user, which has no strict mode */
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_set_word(journal, 7), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(run(ask_in_strict_mode, 0), 0);
}
END_TEST

static void change_the_word(int expected)
{
	start();
	ck_assert_int_eq((int)atomicio_journal_get_word(journal), expected);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_set_word(journal, UINT64_C(0x0102030405060708)), 0);
	ck_assert_int_eq(end(), 0);
}

START_TEST(the_word_is_shared_and_gone_with_the_last_process)
{
	ck_assert_uint_eq(atomicio_journal_get_word(journal), 0);
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(atomicio_journal_set_word(journal, 77), 0);
	ck_assert_uint_eq(atomicio_journal_get_word(journal), 77);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(run(change_the_word, 77), 0);
	ck_assert_uint_eq(atomicio_journal_get_word(journal), UINT64_C(0x0102030405060708));
	ck_assert_int_eq(close_all(), 0);
	ck_assert_int_eq(open_journal(), 0);
	ck_assert_uint_eq(atomicio_journal_get_word(journal), 0);
}
END_TEST

START_TEST(a_journal_is_open_once_in_a_process_and_shared_by_all_or_by_none)
{
	struct atomicio_journal *kept = journal, *second = NULL;
	const int again = open_in("journal", 0);

	ck_assert_int_eq(open_journal(), -EBUSY);
	ck_assert_int_eq(journal_open(&calls, again, &second), -EBUSY);
	ck_assert_int_eq(journal_create(&calls, again,
					&(struct atomicio_journal_options){
						.flags = ATOMICIO_JOURNAL_OVERWRITE},
					sizeof(struct atomicio_journal_options)),
			 -EBUSY);
	journal = kept;
	/* None of these calls has dropped the lock that proves this process alive. */
	ck_assert_int_eq(begin(), 0);
	ck_assert_int_eq(write_page(0, 0, 1), 0);
	ck_assert_int_eq(end(), 0);
	ck_assert_int_eq(run(one_turn, 3), 0);
	ck_assert_int_eq(atomicio_journal_peek(again, NULL, 0), 1); /* others are left */
	ck_assert_int_eq(close_all(), 0);
	ck_assert_int_eq(journal_open(&calls, journal_fd, &journal), 0); /* for itself */
	ck_assert_int_eq(begin(), -EINVAL);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), -EINVAL);
}
END_TEST

static bool hangs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static ssize_t hanging_write(int fd, const struct iovec *vector, int count, uint64_t offset,
			     int flags)
{
	pthread_mutex_lock(&lock);
	while (hangs && count && is_file(fd, inode_of(fds[0]))) {
		pthread_cond_broadcast(&changed);
		pthread_cond_wait(&changed, &lock);
	}
	pthread_mutex_unlock(&lock);
	return sys_linux.pwritev2(fd, vector, count, offset, flags);
}

static void *write_one(void *unused)
{
	(void)unused;
	ck_assert_int_eq(write_page(0, 0, 8), 0);
	return NULL;
}

static void *end_the_turn(void *ended)
{
	ck_assert_int_eq(end(), 0);
	*(_Atomic bool *)ended = true;
	return NULL;
}

START_TEST(a_turn_ends_when_its_home_writes_are_there)
{
	static _Atomic bool ended;
	pthread_t writer, ender;

	calls.pwritev2 = hanging_write;
	hangs = true;
	ck_assert_int_eq(begin(), 0);
	pthread_mutex_lock(&lock);
	ck_assert_int_eq(pthread_create(&writer, NULL, write_one, NULL), 0);
	pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(pthread_create(&ender, NULL, end_the_turn, (void *)&ended), 0);
	usleep(30000);
	ck_assert(!ended);
	ck_assert_int_eq(atomicio_journal_is_alone(journal), 1);
	ck_assert(((const struct journal_shared *)journal->share->page)->in_turn);
	pthread_mutex_lock(&lock);
	hangs = false;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	ck_assert_int_eq(pthread_join(writer, NULL), 0);
	ck_assert_int_eq(pthread_join(ender, NULL), 0);
	ck_assert(ended);
	ck_assert_int_eq(atomicio_journal_is_hot(journal), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		each_turn_goes_on_where_the_last_one_ended,
		nothing_is_written_outside_a_turn,
		two_turns_never_meet,
		is_hot_makes_no_system_call,
		the_word_is_shared_and_gone_with_the_last_process,
		a_journal_is_open_once_in_a_process_and_shared_by_all_or_by_none,
		a_turn_ends_when_its_home_writes_are_there,
	};

	return check_run("journal_turns", tests, sizeof(tests) / sizeof(tests[0]), setup);
}
