/* SPDX-License-Identifier: MIT */
/*
 * Every call of a write fails once, with every errno, and the result of the write is compared with
 * the disk.
 *
 * Flow: for the tests of tests/fault that write.  Each program has its own: include it once.
 */
#ifndef FAULT_MACHINE_H
#define FAULT_MACHINE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "write_machine.h"

static const int errors[] = {-EPERM,  -EINTR,	-EIO,	 -EBADF,  -EAGAIN, -ENOMEM, -EINVAL,
			     -ENOSPC, -ENOTBLK, -ENOSYS, -EDQUOT, -EFBIG,  -EILSEQ, -EOPNOTSUPP};

#define AT 131072u

#define UNTOUCHED ((struct atomicio_file *)(uintptr_t)0x5a5a)

struct scenario {
	const char *name;
	void (*machine)(void);
	struct atomicio_options options;
	uint64_t length;
	uint32_t offset_in_buffer, flags;
	bool journal;
};

/* The outcome of a run. */
struct outcome {
	uint32_t calls;
	int opened, written, synced, closed;
	uint64_t plain; /* by the statistics */
};

static struct policy_script script;

static inline bool is_media(int error)
{
	struct write_outcome outcome;

	write_classify(&outcome, error, PAGE);
	return outcome.kind == ATOMICIO_KIND_MEDIA;
}

static inline int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? FAKE_FD : -ENOENT;
}

/* The next start: open the journal, recover, close it. */
static inline void recover(void)
{
	struct atomicio_journal *journal = NULL;

	ck_assert_int_eq(journal_open(disk_calls, DISK_JOURNAL_FD, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	atomicio_journal_close(journal);
}

static inline bool holds(uint64_t length, int value)
{
	return disk_holds(AT, length, value);
}

/* Was the policy told the true state of the disk, at that moment? */
static inline uint32_t truthful_policy(void *context, const struct atomicio_failure *failure)
{
	const bool old = holds(failure->length, DISK_OLD), new = holds(failure->length, NEW);

	if (failure->path != ATOMICIO_PATH_JOURNAL) {
		if (failure->on_disk == ATOMICIO_DISK_OLD)
			ck_assert(old);
		if (failure->on_disk == ATOMICIO_DISK_OLD_OR_NEW)
			ck_assert(old || new);
	}
	policy_scripted(context, failure);
	return atomicio_policy_default(NULL, failure);
}

/* Committed, not home: live frames have the page. */
static inline bool frames_hold(struct atomicio_journal *journal, uint64_t length)
{
	static uint8_t bytes[DISK_BYTES];

	memset(bytes, DISK_OLD, sizeof(bytes));
	if (atomicio_journal_read(journal, 1, bytes, length, AT) != (int64_t)length)
		return false;
	for (uint64_t i = 0; i < length; i++)
		if (bytes[i] != NEW)
			return false;
	return true;
}

/* Write a page, sync, close: with the call `fail_at`, counted from the open, failing. */
static inline struct outcome run(const struct scenario *it, uint32_t fail_at, int error, bool late)
{
	struct outcome result = {.written = 1, .synced = 1};
	struct atomicio_options options = it->options;
	struct atomicio_file *file = UNTOUCHED;
	struct atomicio_journal *journal = NULL;

	write_machine();
	if (it->machine)
		it->machine();
	memset(&script, 0, sizeof(script));
	script.answer_count = 1;
	options.policy = truthful_policy;
	options.policy_context = &script;
	if (it->journal)
		options.journal = journal = machine_journal();
	disk.fail_late = late;
	fake.calls = 0;
	fake.fail_at = fail_at;
	fake.fail_error = error;

	result.opened = write_open(disk_calls, FAKE_FD, &options, sizeof(options), &file);
	if (result.opened == 0) {
		result.written = atomicio_write(file, page + it->offset_in_buffer, it->length, AT,
						it->flags);
		result.plain = machine_stats(file).writes_plain;
		/* An answered page is there before any other step. */
		if (result.written == 0)
			ck_assert(holds(it->length, NEW) ||
				  (journal && frames_hold(journal, it->length)));
		result.synced = atomicio_sync(file);
		result.closed = atomicio_close(file);
	} else {
		ck_assert_ptr_eq(file, UNTOUCHED);
		ck_assert(holds(it->length, DISK_OLD));
	}
	result.calls = fake.calls;
	fake.fail_at = 0;
	if (journal) {
		atomicio_journal_close(journal);
		recover();
	}
	machine_is_clean();
	return result;
}

/* Did the policy, whose word is checked, hear that the page may be new? */
static inline bool told_new(void)
{
	return script.seen_count && script.seen[script.seen_count - 1].on_disk > ATOMICIO_DISK_OLD;
}

/* After the end the disk is as the caller was told. */
static inline void truth(const struct scenario *it, const struct outcome *result)
{
	const bool old = holds(it->length, DISK_OLD), new = holds(it->length, NEW);

	ck_assert(disk_holds(0, AT, DISK_OLD));
	ck_assert(disk_holds(AT + it->length, DISK_BYTES - AT - it->length, DISK_OLD));
	if (result->opened)
		return;
	if (result->written == 0) {
		ck_assert(new);
		/* Untorn, unless PLAIN was asked for and is owned up to. */
		if (disk.plain && !it->journal)
			ck_assert_uint_eq(result->plain, 1);
		return;
	}
	ck_assert_int_lt(result->written, 0);
	if (it->options.fallback != ATOMICIO_FALLBACK_PLAIN)
		ck_assert(old || new);
	/* Through a journal another error means that recovery decides. */
	if (!is_media(result->written) && !it->journal && !told_new() &&
	    it->options.fallback != ATOMICIO_FALLBACK_PLAIN)
		ck_assert(old);
}

static inline void fail_every_call(const struct scenario *it, uint32_t calls_min)
{
	const struct outcome whole = run(it, 0, 0, false);

	ck_assert_int_eq(whole.opened, 0);
	ck_assert_int_eq(whole.written, 0);
	ck_assert_int_eq(whole.synced, 0);
	ck_assert_int_eq(whole.closed, 0);
	ck_assert_uint_ge(whole.calls, calls_min);
	for (uint32_t n = 1; n <= whole.calls; n++) {
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			const int fates = is_media(errors[i]) ? 2 : 1;

			for (int late = 0; late < fates; late++) {
				const struct outcome result = run(it, n, errors[i], late);

				truth(it, &result);
			}
		}
	}
}

#endif /* FAULT_MACHINE_H */
