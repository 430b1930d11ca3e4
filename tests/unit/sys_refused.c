/* SPDX-License-Identifier: MIT */
/*
 * Goal: where a sandbox refuses a call, its stand-in keeps the promise or reports that it cannot.
 * An error of the file itself is never taken for a refusal.
 * Method: the fake system refuses statx, pwritev2 or getrandom, with every errno that filters use,
 * or the file itself gives the errno; also below a probe, a handle and a journal.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "probe.h"
#include "sys_refused.h"
#include "write_machine.h"

static const int refusals[] = {-ENOSYS, -EPERM, -EACCES, -EOPNOTSUPP, -ENOTRECOVERABLE};
#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

static const char text[8] = "sandbox";
static const struct iovec vectors[2] = {{.iov_base = (void *)(uintptr_t)text, .iov_len = 4},
					{.iov_base = (void *)(uintptr_t)(text + 4), .iov_len = 4}};

static struct {
	uint32_t calls;
	uint64_t offset[8];
	size_t length[8];
	ssize_t result; /* 0: all of it */
} seen;

static ssize_t take(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	(void)fd;
	ck_assert_int_eq(count, 1);
	ck_assert_int_eq(flags, 0);
	ck_assert_uint_lt(seen.calls, 8);
	seen.offset[seen.calls] = offset;
	seen.length[seen.calls++] = vector->iov_len;
	return seen.result ? seen.result : (ssize_t)vector->iov_len;
}

static void refuse(int error)
{
	fake_reset();
	memset(&seen, 0, sizeof(seen));
	fake.pwritev2_refused = error;
	fake.pwritev2 = take;
	fake.getfl_result = O_RDWR;
}

static ssize_t write_two(int rwf)
{
	return sys_write_at(&fake_sys, FAKE_FD, vectors, 2, 4096, rwf);
}

START_TEST(a_refused_pwritev2_is_made_by_pwrite_whatever_errno_refuses_it)
{
	for (size_t i = 0; i < REFUSALS; i++) {
		refuse(refusals[i]);
		ck_assert_int_eq(write_two(0), 8);
		ck_assert_uint_eq(seen.calls, 2);
		ck_assert_uint_eq(seen.offset[0], 4096);
		ck_assert_uint_eq(seen.offset[1], 4100);
		ck_assert_int_eq(write_two(SYS_RWF_NOAPPEND), 8);
	}
}
END_TEST

static ssize_t sealed(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	(void)fd, (void)vector, (void)count, (void)offset, (void)flags;
	return -EPERM;
}

START_TEST(an_error_of_the_file_is_no_refusal)
{
	refuse(0);
	fake.pwritev2 = sealed;
	ck_assert_int_eq(write_two(SYS_RWF_DSYNC), -EPERM);
	ck_assert_uint_eq(fake.pwrite_calls, 0);
	ck_assert(!sys_refuses_pwritev2(&fake_sys, FAKE_FD, -EPERM));
	/* Nor is another error of the empty call. */
	fake.pwritev2_refused = -EBADF;
	ck_assert_int_eq(write_two(0), -EBADF);
	ck_assert_uint_eq(fake.pwrite_calls, 0);
}
END_TEST

static int syncs;
static int count_sync(int fd)
{
	(void)fd;
	syncs++;
	return fake.fdatasync_result;
}

START_TEST(a_durable_stand_in_is_synced_and_fails_with_its_sync)
{
	struct sys_calls calls = fake_sys;

	refuse(-ENOSYS);
	syncs = 0;
	calls.fdatasync = count_sync;
	ck_assert_int_eq(sys_write_at(&calls, FAKE_FD, vectors, 2, 0, SYS_RWF_DSYNC), 8);
	ck_assert_int_eq(syncs, 1);
	fake.fdatasync_result = -EIO;
	ck_assert_int_eq(sys_write_at(&calls, FAKE_FD, vectors, 2, 0, SYS_RWF_DSYNC), -EIO);
	ck_assert_int_eq(sys_write_at(&calls, FAKE_FD, vectors, 1, 0, 0), 4);
	ck_assert_int_eq(syncs, 2);
}
END_TEST

START_TEST(what_pwrite_cannot_do_is_refused_before_a_byte_is_written)
{
	refuse(-EPERM);
	ck_assert_int_eq(write_two(SYS_RWF_NOWAIT), -EOPNOTSUPP);
	fake.getfl_result = O_RDWR | O_APPEND;
	ck_assert_int_eq(write_two(0), -EOPNOTSUPP);
	ck_assert_int_eq(write_two(SYS_RWF_NOAPPEND), -EOPNOTSUPP);
	fake.getfl_result = -EBADF;
	ck_assert_int_eq(write_two(0), -EBADF);
	ck_assert_uint_eq(seen.calls, 0);
}
END_TEST

START_TEST(a_short_stand_in_ends_there)
{
	refuse(-EPERM);
	seen.result = 3;
	ck_assert_int_eq(write_two(0), 3);
	ck_assert_uint_eq(seen.calls, 1);
	refuse(-EPERM);
	fake.pwrite_result = -EIO;
	ck_assert_int_eq(write_two(0), -EIO);
}
END_TEST

/* gVisor has a pwritev2, says 4.4.0, and refuses all flags. */
static ssize_t no_flags(int fd, const struct iovec *vector, int count, uint64_t offset, int flags)
{
	return flags ? -EOPNOTSUPP : take(fd, vector, count, offset, flags);
}

START_TEST(a_kernel_whose_pwritev2_knows_no_flags_is_served_without)
{
	static const struct {
		const char *release;
		ssize_t result;
	} rows[] = {{"4.4.0", 8},	    {"4.6.7", 8},	    {"3.10.0", 8},
		    {"4.7.0", -EOPNOTSUPP}, {"6.1.0", -EOPNOTSUPP}, {"x", -EOPNOTSUPP},
		    {NULL, -EOPNOTSUPP}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		refuse(0);
		fake.pwritev2 = no_flags;
		fake.release = rows[i].release;
		ck_assert_int_eq(write_two(SYS_RWF_DSYNC), rows[i].result);
	}
}
END_TEST

START_TEST(a_refused_statx_leaves_what_fstat_says)
{
	struct sys_statx out;

	for (size_t i = 0; i < REFUSALS; i++) {
		fake_reset();
		fake.statx_result = refusals[i];
		fake.statx.ino = 17;
		fake.statx.size = 65536;
		fake.inode_flags = SYS_INODE_APPEND | SYS_INODE_JOURNAL_DATA;
		ck_assert_int_eq(sys_stat(&fake_sys, FAKE_FD, SYS_STATX_BASIC, &out), 0);
		ck_assert_uint_eq(out.ino, 17);
		ck_assert_uint_eq(out.size, 65536);
		ck_assert_uint_eq(out.mask, SYS_STATX_BASIC | SYS_STATX_STAND_IN);
		ck_assert_uint_eq(out.attributes, SYS_STATX_ATTR_APPEND);
		fake.inode_flags_result = -ENOTTY;
		ck_assert_int_eq(sys_stat(&fake_sys, FAKE_FD, SYS_STATX_BASIC, &out), 0);
		ck_assert_uint_eq(out.attributes_mask, 0);
		fake.fstat_result = -EIO;
		ck_assert_int_eq(sys_stat(&fake_sys, FAKE_FD, SYS_STATX_BASIC, &out), refusals[i]);
	}
	fake.fstat_result = 0;
	fake.statx_result = -EBADF;
	ck_assert_int_eq(sys_stat(&fake_sys, FAKE_FD, SYS_STATX_BASIC, &out), -EBADF);
}
END_TEST

START_TEST(a_probe_without_statx_says_so_and_claims_nothing)
{
	struct atomicio_caps caps;

	for (size_t i = 0; i < REFUSALS; i++) {
		fake_reset();
		fake_claim(4096, 65536, 65536);
		fake.statx_result = refusals[i];
		ck_assert_int_eq(probe_file(&fake_sys, FAKE_FD, &caps), 0);
		ck_assert_uint_eq(caps.direct.mechanism, ATOMICIO_MECHANISM_NONE);
		ck_assert(caps.reasons & ATOMICIO_REASON_STATX_REFUSED);
		ck_assert(!(caps.reasons &
			    (ATOMICIO_REASON_FS_UNSUPPORTED | ATOMICIO_REASON_KERNEL_TOO_OLD)));
		ck_assert(!(caps.evidence & ATOMICIO_EVIDENCE_STATX));
		ck_assert_uint_eq(caps.device_major, 8);
		ck_assert_uint_eq(caps.file_mode, S_IFREG);
		ck_assert_uint_eq(caps.statx_mask, SYS_STATX_BASIC);
	}
	fake.release = "4.9.0";
	ck_assert_int_eq(probe_file(&fake_sys, FAKE_FD, &caps), 0);
	ck_assert(caps.reasons & ATOMICIO_REASON_KERNEL_TOO_OLD);
}
END_TEST

START_TEST(random_bytes_come_from_the_device_where_getrandom_is_refused)
{
	struct sys_calls calls = fake_sys;
	char bytes[6] = "";

	fake.fail_at = 1;
	fake.fail_error = -ENOSYS;
	fake_file("/dev/urandom", "urandom");
	ck_assert_int_eq(sys_random_bytes(&calls, bytes, sizeof(bytes)), 0);
	ck_assert_mem_eq(bytes, "urando", sizeof(bytes));
	ck_assert_uint_eq(fake.opened, 0);
	/* Too few bytes, or no device: the first error. */
	fake.fail_at = fake.calls + 1;
	ck_assert_int_eq(sys_random_bytes(&calls, (char[16]){0}, 16), -ENOSYS);
	fake.open_result = -EACCES;
	fake.fail_at = fake.calls + 1;
	ck_assert_int_eq(sys_random_bytes(&calls, bytes, sizeof(bytes)), -ENOSYS);
	fake.fail_at = 0;
	ck_assert_int_eq(sys_random_bytes(&calls, bytes, sizeof(bytes)), 0);
	ck_assert_int_eq(bytes[0], 0x5a);
}
END_TEST

START_TEST(a_journal_lives_without_statx_and_pwritev2)
{
	for (size_t i = 0; i < REFUSALS; i++) {
		struct atomicio_options options = {.file_id = 1};
		struct atomicio_file *file;

		write_machine();
		fake.statx_result = refusals[i];
		fake.pwritev2_refused = refusals[i];
		options.journal = machine_journal();
		file = machine_open(&options);
		ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, ATOMICIO_DSYNC), 0);
		ck_assert_uint_eq(machine_stats(file).writes_journal, 1);
		ck_assert(disk_holds(PAGE, PAGE, NEW));
		ck_assert_uint_gt(fake.pwrite_calls, 1);
		ck_assert_int_eq(atomicio_close(file), 0);
		atomicio_journal_close(options.journal);
		machine_is_clean();
	}
}
END_TEST

START_TEST(plain_goes_by_pwrite_where_pwritev2_is_refused)
{
	const struct atomicio_options options = {.fallback = ATOMICIO_FALLBACK_PLAIN};
	struct atomicio_file *file;

	write_machine();
	fake.pwritev2_refused = -EPERM;
	file = machine_open(&options);
	ck_assert_int_eq(atomicio_write(file, page, PAGE, PAGE, 0), 0);
	ck_assert_uint_eq(machine_stats(file).writes_plain, 1);
	ck_assert(disk_holds(PAGE, PAGE, NEW));
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 2 * PAGE, ATOMICIO_NOWAIT), 0);
	ck_assert(disk_holds(2 * PAGE, PAGE, NEW));
	fake.getfl_result |= O_APPEND;
	ck_assert_int_eq(atomicio_write(file, page, PAGE, 0, 0), -EOPNOTSUPP);
	ck_assert(disk_holds(0, PAGE, DISK_OLD));
	ck_assert_uint_eq(disk.moved, 0);
	atomicio_close(file);
}
END_TEST

START_TEST(a_refused_untorn_write_is_unsupported_and_no_fault_of_the_disk)
{
	struct atomicio_options options = {
		.policy = atomicio_policy_default, .path = ATOMICIO_PATH_KERNEL, .file_id = 1};

	for (size_t i = 0; i < 2 * REFUSALS; i++) {
		const int error = refusals[i / 2];
		struct atomicio_file *file;

		write_machine();
		options.journal = i % 2 ? machine_journal() : NULL;
		options.bounce_max = PAGE; /* by the cold path, too */
		file = machine_open(&options);
		fake.pwritev2_refused = error;
		for (uint32_t cold = 0; cold < 2; cold++)
			ck_assert_int_eq(
				atomicio_write(file, page + cold, PAGE, PAGE, ATOMICIO_DSYNC),
				options.journal ? 0 : error);
		ck_assert_uint_eq(machine_stats(file).failures[ATOMICIO_KIND_UNSUPPORTED], 2);
		ck_assert_uint_eq(machine_stats(file).failures[ATOMICIO_KIND_MEDIA], 0);
		ck_assert_uint_eq(machine_stats(file).writes_journal, options.journal ? 2 : 0);
		ck_assert(!write_is_poisoned(file));
		ck_assert_int_eq(atomicio_sync(file), 0);
		ck_assert_int_eq(atomicio_close(file), 0);
		if (options.journal)
			atomicio_journal_close(options.journal);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_refused_pwritev2_is_made_by_pwrite_whatever_errno_refuses_it,
		an_error_of_the_file_is_no_refusal,
		a_durable_stand_in_is_synced_and_fails_with_its_sync,
		what_pwrite_cannot_do_is_refused_before_a_byte_is_written,
		a_short_stand_in_ends_there,
		a_kernel_whose_pwritev2_knows_no_flags_is_served_without,
		a_refused_statx_leaves_what_fstat_says,
		a_probe_without_statx_says_so_and_claims_nothing,
		random_bytes_come_from_the_device_where_getrandom_is_refused,
		a_journal_lives_without_statx_and_pwritev2,
		plain_goes_by_pwrite_where_pwritev2_is_refused,
		a_refused_untorn_write_is_unsupported_and_no_fault_of_the_disk,
	};

	return check_run("sys_refused", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
