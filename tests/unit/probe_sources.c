/* SPDX-License-Identifier: MIT */
/*
 * Goal: each other source of the probe is asked the right thing and heard right: statx, open
 * flags, release, filesystem and UUID, libblkid, the confirming call.
 * Method: one field of the fake system at a time, both sides of each decision.
 */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "check_run.h"
#include "probe.h"
#include "probe_machine.h"

static int probe_result(void)
{
	struct atomicio_caps before;
	int result;

	memset(&caps, 0xa5, sizeof(caps));
	before = caps;
	result = probe_file(&fake_sys, FAKE_FD, &caps);
	if (result < 0)
		ck_assert_mem_eq(&caps, &before, sizeof(caps));
	return result;
}

START_TEST(only_files_and_block_devices_are_probed)
{
	static const struct {
		uint16_t mode;
		int result;
	} rows[] = {
		{S_IFREG, 0},	     {S_IFBLK, 0},	 {S_IFDIR, -EISDIR}, {S_IFIFO, -ESPIPE},
		{S_IFSOCK, -ESPIPE}, {S_IFCHR, -EINVAL}, {S_IFLNK, -EINVAL}, {0, -EINVAL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake.statx.mode = rows[i].mode | 0644;
		fake.calls = 0;
		ck_assert_int_eq(probe_result(), rows[i].result);
		if (rows[i].result < 0)
			ck_assert_uint_eq(fake.calls, 1);
	}
}
END_TEST

START_TEST(statx_errors_are_the_result)
{
	static const int errors[] = {-EBADF, -ENOSYS, -EACCES, -EIO, -ESTALE};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake.statx_result = errors[i];
		fake.fstat_result = -EIO;
		ck_assert_int_eq(probe_result(), errors[i]);
	}
}
END_TEST

START_TEST(negative_descriptors_never_reach_the_kernel)
{
	/* With an empty path AT_FDCWD would name the working directory. */
	ck_assert_int_eq(probe_file(&fake_sys, AT_FDCWD, &caps), -EBADF);
	ck_assert_int_eq(probe_file(&fake_sys, -1, &caps), -EBADF);
	ck_assert_uint_eq(fake.calls, 0);
}
END_TEST

START_TEST(statx_is_asked_for_alignment_and_untorn_writes)
{
	probe_machine();
	ck_assert_uint_eq(fake.statx_mask & 0x12000u, 0x12000u);
	ck_assert_uint_eq(caps.evidence & ATOMICIO_EVIDENCE_STATX, ATOMICIO_EVIDENCE_STATX);
	ck_assert_uint_eq(caps.memory_align, 512);
	ck_assert_uint_eq(caps.offset_align, 512);
	fake.statx.dio_offset_align = 4096;
	fake.statx.dio_mem_align = 4;
	probe_machine();
	ck_assert_uint_eq(caps.memory_align, 4);
	ck_assert_uint_eq(caps.offset_align, 4096);
}
END_TEST

START_TEST(fields_whose_mask_bit_is_clear_are_not_read)
{
	fake_claim(4096, 8192, 8192);
	fake.statx.mask = SYS_STATX_BASIC;
	probe_machine();
	ck_assert_uint_eq(caps.memory_align, 0);
	ck_assert_uint_eq(caps.offset_align, 0);
	ck_assert_uint_eq(caps.statx_unit_min, 0);
	ck_assert_uint_eq(caps.statx_unit_max, 0);
	ck_assert_uint_eq(caps.statx_unit_max_opt, 0);
	ck_assert_uint_eq(caps.evidence & ATOMICIO_EVIDENCE_STATX, 0);
}
END_TEST

START_TEST(path_descriptors_are_refused)
{
	fake.getfl_result = O_PATH;
	ck_assert_int_eq(probe_result(), -EBADF);
	fake.getfl_result = -EBADF;
	ck_assert_int_eq(probe_result(), -EBADF);
}
END_TEST

START_TEST(open_flags_become_reasons)
{
	static const struct {
		int flags;
		uint64_t reasons;
		uint32_t confirms;
	} rows[] = {
		{O_RDWR | O_DIRECT, 0, 1},
		{O_WRONLY | O_DIRECT | O_APPEND, 0, 1},
		{O_RDWR, ATOMICIO_REASON_NOT_DIRECT, 1},
		{O_RDONLY | O_DIRECT, ATOMICIO_REASON_READ_ONLY | ATOMICIO_REASON_UNCONFIRMED, 0},
		{3 | O_DIRECT, ATOMICIO_REASON_READ_ONLY | ATOMICIO_REASON_UNCONFIRMED, 0},
	};

	machine_xfs(&queue_4k);
	fake_claim(4096, 4096, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake.getfl_result = rows[i].flags;
		fake.pwritev2_calls = 0;
		expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, rows[i].reasons);
		ck_assert_uint_eq(fake.pwritev2_calls, rows[i].confirms);
	}
}
END_TEST

START_TEST(confirming_call_has_nothing_to_write)
{
	probe_machine();
	ck_assert_uint_eq(fake.pwritev2_calls, 1);
	ck_assert_ptr_null(fake.pwritev2_vector.iov_base);
	ck_assert_uint_eq(fake.pwritev2_vector.iov_len, 3);
	ck_assert_int_eq(fake.pwritev2_count, 1);
	ck_assert_uint_eq(fake.pwritev2_offset, 0);
	ck_assert_int_eq(fake.pwritev2_flags, 0x40 | 0x20);
	ck_assert_int_eq(caps.confirm_result, -EINVAL);
	ck_assert(caps.evidence & ATOMICIO_EVIDENCE_CONFIRM);
}
END_TEST

START_TEST(other_answers_confirm_nothing_and_deny_nothing)
{
	static const int errors[] = {-EPERM, -EFBIG, -EFAULT, -ENOSYS, -EAGAIN, -EIO};

	machine_xfs(&queue_4k);
	fake_claim(4096, 4096, 0);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		fake.pwritev2_result = errors[i];
		expect(ATOMICIO_MECHANISM_HARDWARE, 4096, 4096, 4096, ATOMICIO_REASON_UNCONFIRMED);
		ck_assert_int_eq(caps.confirm_result, errors[i]);
		ck_assert(!(caps.evidence & ATOMICIO_EVIDENCE_CONFIRM));
	}
}
END_TEST

START_TEST(releases_are_parsed_whole_or_not_at_all)
{
	static const struct {
		const char *release;
		uint32_t major, minor, patch;
	} rows[] = {
		{"6.18.44-fc-v669", 6, 18, 44},
		{"6.1.0-13-amd64", 6, 1, 0},
		{"6.16-rc1", 6, 16, 0},
		{"7.0", 7, 0, 0},
		{"10.0.1+", 10, 0, 1},
		{"5.14.0-503.el9.x86_64", 5, 14, 0},
		{"", 0, 0, 0},
		{"6", 0, 0, 0},
		{"6.", 0, 0, 0},
		{"6.18.", 0, 0, 0},
		{"6.18.x", 0, 0, 0},
		{"v6.18", 0, 0, 0},
		{"-6.18", 0, 0, 0},
		{"6,18", 0, 0, 0},
		{"65536.1", 0, 0, 0},
		{"6.99999999999999999999", 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fake.release = rows[i].release;
		probe_machine();
		ck_assert_uint_eq(caps.kernel_major, rows[i].major);
		ck_assert_uint_eq(caps.kernel_minor, rows[i].minor);
		ck_assert_uint_eq(caps.kernel_patch, rows[i].patch);
	}
}
END_TEST

START_TEST(plain_probe_takes_sixteen_calls)
{
	machine_xfs(&queue_none);
	fake_claim(4096, 1048576, 0);
	probe_machine();
	ck_assert_uint_eq(fake.calls, 16);
	machine_xfs(&queue_64k);
	fake.calls = 0;
	probe_machine();
	ck_assert_uint_eq(fake.calls, 25);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		only_files_and_block_devices_are_probed,
		statx_errors_are_the_result,
		negative_descriptors_never_reach_the_kernel,
		statx_is_asked_for_alignment_and_untorn_writes,
		fields_whose_mask_bit_is_clear_are_not_read,
		path_descriptors_are_refused,
		open_flags_become_reasons,
		confirming_call_has_nothing_to_write,
		other_answers_confirm_nothing_and_deny_nothing,
		releases_are_parsed_whole_or_not_at_all,
		plain_probe_takes_sixteen_calls,
	};

	return check_run("probe_sources", tests, sizeof(tests) / sizeof(tests[0]), fake_reset);
}
