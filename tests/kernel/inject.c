/* SPDX-License-Identifier: MIT */
/*
 * Goal: every error of the kernel reaches the policy with the right kind, and costs what the
 * header says, with the page old, new or given up for lost as promised.
 *
 * Method: inject.sh runs this program under strace, which answers the program's write number
 * n in the kernel's place.  The program checks one scenario:
 *
 *	inject DIRECTORY count			how many pwritev2 calls atomicio_open() makes
 *	inject DIRECTORY fail ERROR KIND	the policy fails the write
 *	inject DIRECTORY retry ERROR KIND	the policy retries it; the second call works
 *	inject DIRECTORY plain ERROR KIND	the policy falls back to a plain write
 *	inject DIRECTORY spin ERROR N		the policy retries for ever, retries_max is N
 *	inject DIRECTORY default ERROR N	the default policy gives up after N retries
 *	inject DIRECTORY broken 0 0		a count that is not the length
 *	inject DIRECTORY sync ERROR 0		fdatasync fails
 */
#include "kernel_test.h"

#define NAME "inject"
#define PAGE (16 * KIB)

static const char *scenario;
static int injected;
static uint32_t number; /* the kind, or the count of retries */

/* The table of the header, for durable writes: "no room" may come from their sync. */
static const struct {
	uint32_t on_disk, allowed;
} table[] = {
	[ATOMICIO_KIND_UNSUPPORTED] = {ATOMICIO_DISK_OLD, ATOMICIO_FAIL | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_NOT_DIRECT] = {ATOMICIO_DISK_OLD,
				      ATOMICIO_FAIL | ATOMICIO_RETRY | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_LAYOUT] = {ATOMICIO_DISK_OLD, ATOMICIO_FAIL | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_BUSY] = {ATOMICIO_DISK_OLD,
				ATOMICIO_FAIL | ATOMICIO_RETRY | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_SPACE] = {ATOMICIO_DISK_OLD_OR_NEW, ATOMICIO_FAIL},
	[ATOMICIO_KIND_MEDIA] = {ATOMICIO_DISK_OLD_OR_NEW,
				 ATOMICIO_FAIL | ATOMICIO_RETRY | ATOMICIO_FALLBACK},
	[ATOMICIO_KIND_BROKEN] = {ATOMICIO_DISK_UNKNOWN, ATOMICIO_FAIL},
};

static void saw(const struct kernel_policy *policy, uint32_t kind, int error, uint32_t fallback)
{
	const uint32_t possible = ATOMICIO_FAIL | ATOMICIO_RETRY |
				  (fallback == ATOMICIO_FALLBACK_PLAIN ? ATOMICIO_FALLBACK : 0);

	CHECK_EQ(policy->last.kind, kind);
	CHECK_EQ(policy->last.error, error);
	/* A durable write: any error may be its flush's, or another page's. */
	CHECK_EQ(policy->last.on_disk, table[kind].on_disk > ATOMICIO_DISK_OLD
					       ? table[kind].on_disk
					       : ATOMICIO_DISK_OLD_OR_NEW);
	CHECK_EQ(policy->last.allowed, table[kind].allowed & possible);
	CHECK_EQ(policy->last.path, ATOMICIO_PATH_KERNEL);
	CHECK_EQ(policy->last.offset, PAGE);
	CHECK_EQ(policy->last.length, PAGE);
	CHECK_EQ(policy->last.flags, ATOMICIO_DSYNC);
}

static void the_injected_error_fails_the_write(struct atomicio_file *file,
					       const struct kernel_policy *policy)
{
	CHECK_EQ(kernel_write(file, 2, PAGE, PAGE, ATOMICIO_DSYNC), -injected);
	CHECK_EQ(policy->seen, 1);
	CHECK_EQ(policy->last.attempt, 1);
	saw(policy, number, -injected, ATOMICIO_FALLBACK_NONE);
	CHECK(kernel_holds(NAME, 0, 4 * PAGE, 1));
	CHECK_EQ(kernel_stats(file).failures[number], 1);
	CHECK_EQ(kernel_stats(file).writes_failed, 1);
	CHECK_EQ(kernel_stats(file).writes_filesystem, 0);
	CHECK_EQ(kernel_write(file, 3, PAGE, 0, 0), 0); /* and the handle lives on */
}

static void the_injected_error_is_retried(struct atomicio_file *file,
					  const struct kernel_policy *policy)
{
	const int can = !!(table[number].allowed & ATOMICIO_RETRY);

	CHECK_EQ(kernel_write(file, 2, PAGE, PAGE, ATOMICIO_DSYNC), can ? 0 : -injected);
	CHECK_EQ(policy->seen, 1);
	saw(policy, number, -injected, ATOMICIO_FALLBACK_NONE);
	CHECK(kernel_holds(NAME, 0, PAGE, 1));
	CHECK(kernel_holds(NAME, PAGE, PAGE, can ? 2 : 1));
	CHECK_EQ(kernel_stats(file).retries, can);
	CHECK_EQ(kernel_stats(file).writes_filesystem, can);
	CHECK_EQ(kernel_stats(file).writes_failed, !can);
	CHECK_EQ(kernel_stats(file).writebacks, injected == EAGAIN);
}

static void the_injected_error_falls_back(struct atomicio_file *file,
					  const struct kernel_policy *policy)
{
	const int can = !!(table[number].allowed & ATOMICIO_FALLBACK);

	CHECK_EQ(kernel_write(file, 2, PAGE, PAGE, ATOMICIO_DSYNC), can ? 0 : -injected);
	saw(policy, number, -injected, ATOMICIO_FALLBACK_PLAIN);
	CHECK(kernel_holds(NAME, PAGE, PAGE, can ? 2 : 1));
	CHECK_EQ(kernel_stats(file).fallbacks, can);
	CHECK_EQ(kernel_stats(file).writes_plain, can);
	CHECK_EQ(kernel_stats(file).writes_filesystem, 0);
	CHECK_EQ(kernel_stats(file).writes_failed, !can);
}

static void retries_are_bounded(struct atomicio_file *file, const struct kernel_policy *policy)
{
	CHECK_EQ(kernel_write(file, 2, PAGE, PAGE, ATOMICIO_DSYNC), -injected);
	CHECK_EQ(kernel_stats(file).retries, number);
	CHECK_EQ(kernel_stats(file).writes_failed, 1);
	CHECK(kernel_holds(NAME, 0, 4 * PAGE, 1));
	if (policy->seen) { /* not under the default policy */
		CHECK(policy->seen == number || policy->seen == number + 1);
		CHECK_EQ(policy->last.attempt, policy->seen);
	}
}

static void a_wrong_count_poisons_the_handle(struct atomicio_file *file,
					     const struct kernel_policy *policy)
{
	CHECK_EQ(kernel_write(file, 2, PAGE, PAGE, ATOMICIO_DSYNC), -EIO);
	CHECK_EQ(policy->seen, 1);
	saw(policy, ATOMICIO_KIND_BROKEN, -EIO, ATOMICIO_FALLBACK_PLAIN);
	CHECK(policy->last.reasons & ATOMICIO_REASON_SHORT_WRITE);
	CHECK_EQ(kernel_stats(file).failures[ATOMICIO_KIND_BROKEN], 1);
	CHECK_EQ(kernel_stats(file).writes_failed, 1);
	CHECK_EQ(kernel_write(file, 3, PAGE, 0, 0), -ENOTRECOVERABLE);
	CHECK_EQ(atomicio_sync(file), -ENOTRECOVERABLE);
	CHECK_EQ(kernel_stats(file).writes_filesystem, 0);
	CHECK_EQ(kernel_stats(file).writes_plain, 0);
	CHECK(kernel_holds(NAME, 0, PAGE, 1));
}

static void a_failed_sync_poisons(struct atomicio_file *file, const struct kernel_policy *policy)
{
	CHECK_EQ(kernel_write(file, 2, PAGE, PAGE, 0), 0);
	CHECK_EQ(atomicio_sync(file), -injected);
	CHECK_EQ(atomicio_sync(file), -ENOTRECOVERABLE);
	CHECK_EQ(kernel_write(file, 3, PAGE, PAGE, 0), -ENOTRECOVERABLE);
	CHECK_EQ(policy->seen, 0);
	CHECK(kernel_holds(NAME, PAGE, PAGE, 2));
}

static void run(void)
{
	int fd = kernel_file(NAME, 4 * PAGE, O_RDWR | O_DIRECT);
	struct kernel_policy policy = {.answer = ATOMICIO_FAIL};
	struct atomicio_options options = {.policy = kernel_decide, .policy_context = &policy};
	struct atomicio_file *file;
	void (*check)(struct atomicio_file *, const struct kernel_policy *) = NULL;

	if (!strcmp(scenario, "fail")) {
		check = the_injected_error_fails_the_write;
	} else if (!strcmp(scenario, "retry")) {
		policy.answer = ATOMICIO_RETRY;
		check = the_injected_error_is_retried;
	} else if (!strcmp(scenario, "plain")) {
		policy.answer = ATOMICIO_FALLBACK;
		options.fallback = ATOMICIO_FALLBACK_PLAIN;
		check = the_injected_error_falls_back;
	} else if (!strcmp(scenario, "spin")) {
		policy.answer = ATOMICIO_RETRY;
		options.retries_max = number;
		check = retries_are_bounded;
	} else if (!strcmp(scenario, "default")) {
		options.policy = NULL;
		check = retries_are_bounded;
	} else if (!strcmp(scenario, "broken")) {
		policy.answer = ATOMICIO_RETRY;
		options.fallback = ATOMICIO_FALLBACK_PLAIN;
		check = a_wrong_count_poisons_the_handle;
	} else if (!strcmp(scenario, "sync")) {
		check = a_failed_sync_poisons;
	}
	file = kernel_open(fd, &options);
	if (check)
		check(file, &policy);
	else
		CHECK(!strcmp(scenario, "count"));
	CHECK_EQ(atomicio_close(file), 0);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {TEST(run)};

	if (argc < 3)
		return 2;
	scenario = argv[2];
	injected = argc > 3 ? atoi(argv[3]) : 0;
	number = argc > 4 ? (uint32_t)atoi(argv[4]) : 0;
	return kernel_main(2, argv, tests, 1);
}
