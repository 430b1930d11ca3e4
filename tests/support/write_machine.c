/* SPDX-License-Identifier: MIT */
/*
 * Handles on the fake disk, and a scripted policy.  See write_machine.h.
 */
#include "write_machine.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#include "journal_internal.h"

_Alignas(4096) uint8_t page[2 * 262144];

uint32_t policy_scripted(void *context, const struct atomicio_failure *failure)
{
	struct policy_script *script = context;
	uint32_t turn = script->seen_count;

	ck_assert_uint_lt(turn, SEEN_MAX);
	ck_assert_uint_eq(failure->size, sizeof(*failure));
	script->seen[turn] = *failure;
	script->disk[turn] = failure->offset < DISK_BYTES ? disk.bytes[0][failure->offset] : 0;
	script->seen_count++;
	if (turn >= script->answer_count)
		turn = script->answer_count - 1;
	return script->answers[turn];
}

void policy_fails(struct policy_script *script)
{
	memset(script, 0, sizeof(*script));
	script->answers[0] = ATOMICIO_FAIL;
	script->answer_count = 1;
}

void policy_saw(const struct policy_script *script, uint32_t kind, int error, uint64_t reasons)
{
	ck_assert_uint_eq(script->seen_count, 1);
	ck_assert_uint_eq(script->seen[0].kind, kind);
	ck_assert_int_eq(script->seen[0].error, error);
	ck_assert_uint_eq(script->seen[0].reasons, reasons);
}

void write_machine(void)
{
	disk_reset();
	memset(page, NEW, sizeof(page));
}

struct atomicio_file *machine_open(const struct atomicio_options *options)
{
	struct atomicio_file *file = NULL;

	ck_assert_int_eq(write_open(disk_calls, FAKE_FD, options, sizeof(*options), &file), 0);
	ck_assert_ptr_nonnull(file);
	fake.calls = 0;
	fake.pwritev2_calls = 0;
	return file;
}

struct atomicio_journal *machine_journal(void)
{
	const struct atomicio_journal_options options = {.size = 262144, .frame_max = 65536};
	struct atomicio_journal *journal = NULL;

	ck_assert_int_eq(journal_create(disk_calls, DISK_JOURNAL_FD, &options, sizeof(options)), 0);
	ck_assert_int_eq(journal_open(disk_calls, DISK_JOURNAL_FD, &journal), 0);
	return journal;
}

static int resolve(void *context, uint64_t file_id)
{
	(void)context;
	return file_id == 1 ? FAKE_FD : -ENOENT;
}

void machine_recover(void)
{
	struct atomicio_journal *journal;

	disk_restart();
	ck_assert_int_eq(journal_open(disk_calls, DISK_JOURNAL_FD, &journal), 0);
	ck_assert_int_eq(atomicio_journal_recover(journal, resolve, NULL, NULL, 0, NULL, 0), 0);
	atomicio_journal_close(journal);
}

void machine_die(struct atomicio_file *file)
{
	struct atomicio_journal *journal = file->options.journal;

	if (file->attached) {
		struct journal_file **at = &journal->files;

		while (*at != &file->home)
			at = &(*at)->next;
		*at = file->home.next;
		file->sys->release_memory(file->home.rest);
		file->attached = false;
	}
	ck_assert_int_eq(atomicio_close(file), 0);
}

struct atomicio_stats machine_stats(const struct atomicio_file *file)
{
	struct atomicio_stats stats;

	ck_assert_int_eq(atomicio_file_get_stats(file, &stats, sizeof(stats)), 0);
	return stats;
}

void machine_is_clean(void)
{
	ck_assert_uint_eq(fake.opened, 0);
	ck_assert_uint_eq(fake.allocated, 0);
}
