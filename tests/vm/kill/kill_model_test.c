/* SPDX-License-Identifier: MIT */
/*
 * Goal: the judge's rules see every kind of wrong page, and take every right one.
 *
 * Method: a lane's operations are acknowledged as far as each test wants, versions are made from
 * the plan, then one of them is made wrong.  Prints TAP; crash.sh runs it before the first kill.
 */
#include "kill_model.h"

#include <stdio.h>
#include <string.h>

#define LIFE 80U
#define DONE 40U

static struct model model;
static uint64_t versions[KILL_PAGES];
static uint32_t target, failed, count;

/* Lane 0 of the target has acknowledged DONE operations; all are in versions[]. */
static void arrange(const char *name)
{
	struct kill_op op;

	memset(&model, 0, sizeof(model));
	memset(versions, 0, sizeof(versions));
	for (target = 0; strcmp(kill_targets[target].name, name) != 0; target++)
		;
	model_fresh(&model, kill_targets[target].disk, LIFE);
	for (uint64_t n = 1; n <= DONE; n++) {
		model_done(&model, target, 0, n);
		kill_plan(&kill_targets[target], LIFE, 0, n, &op);
		for (uint32_t i = 0; i < op.count; i++)
			versions[op.pages[i]] = n;
	}
}

static void expect(const char *name, const char *problem)
{
	char seen[256] = "";
	bool good = model_found(&model, target, versions, seen, sizeof(seen));
	bool right = problem ? !good && strstr(seen, problem) : good;

	failed += !right;
	printf("%sok %u %s%s%s\n", right ? "" : "not ", ++count, name, right ? "" : " - ",
	       right ? "" : seen);
}

/* The last operation up to DONE, or the first after DONE, of this kind and flag. */
static uint64_t find(enum kill_kind kind, bool dsync, struct kill_op *op)
{
	for (uint64_t n = DONE; n > 0; n--) {
		kill_plan(&kill_targets[target], LIFE, 0, n, op);
		if (op->kind == KILL_SYNC && !dsync)
			break;
		if (op->kind == kind && op->dsync == dsync && op->count > 0 &&
		    versions[op->pages[0]] == n)
			return n;
	}
	printf("not ok - no such operation in the plan\n");
	failed++;
	return 0;
}

/* Undo the last write after the last sync that is not durable. */
static void volatile_write_is_gone(void)
{
	struct kill_op op;
	uint64_t last = find(KILL_WRITE, false, &op), before = 0;
	uint32_t page = op.pages[0];

	for (uint64_t n = 1; n < last; n++) {
		kill_plan(&kill_targets[target], LIFE, 0, n, &op);
		if (op.count && op.pages[0] == page)
			before = n;
	}
	versions[page] = before;
}

static void right_pages(void)
{
	struct kill_op op;

	arrange("ext4-journal");
	expect("what_was_acknowledged_is_right", NULL);
	expect("what_was_found_once_is_right_again", NULL);
	arrange("ext4-journal");
	kill_plan(&kill_targets[target], LIFE, 0, DONE + 1, &op);
	for (uint32_t i = 0; i < op.count; i++)
		versions[op.pages[i]] = DONE + 1;
	expect("what_was_under_way_may_be_there", NULL);
	arrange("xfs-control");
	kill_plan(&kill_targets[target], LIFE, 0, DONE + 1, &op);
	versions[op.pages[0]] = KILL_TORN;
	expect("the_control_may_tear_what_was_under_way", NULL);
	arrange("xfs-atomic-16k");
	volatile_write_is_gone();
	expect("what_was_not_durable_may_be_gone", NULL);
}

static void wrong_pages(void)
{
	struct kill_op op;

	arrange("xfs-journal");
	versions[1] = KILL_TORN;
	expect("a_torn_page_is_seen", "is torn");
	arrange("xfs-journal");
	versions[find(KILL_WRITE, true, &op) ? op.pages[0] : 0]--;
	expect("a_lost_page_is_seen", "lost an acknowledged write");
	arrange("xfs-journal");
	versions[1] = 2;
	expect("a_version_not_begun_is_seen", "was not being written");
	arrange("xfs-journal");
	kill_plan(&kill_targets[target], LIFE, 0, DONE + 1, &op);
	versions[(op.count ? op.pages[0] + 3 : 0) % 96] = DONE + 1;
	expect("another_page_s_version_is_seen", "another page's");
	arrange("xfs-atomic-16k");
	versions[find(KILL_WRITE, true, &op) ? op.pages[0] : 0] = 0;
	expect("a_lost_page_of_the_kernel_s_path_is_seen", "lost an acknowledged write");
	arrange("xfs-control");
	kill_plan(&kill_targets[target], LIFE, 0, DONE, &op);
	versions[op.pages[0]] = KILL_TORN;
	expect("the_control_may_not_tear_what_was_acknowledged", "no write was under way");
}

static void groups(void)
{
	struct kill_op op;
	uint64_t next = DONE + 1;
	bool left_out;

	arrange("ext4-journal");
	/* Acknowledge up to the operation before the next group. */
	for (;; next++) {
		kill_plan(&kill_targets[target], LIFE, 0, next, &op);
		if (op.kind == KILL_ALL_OR_NONE)
			break;
		model_done(&model, target, 0, next);
		for (uint32_t i = 0; i < op.count; i++)
			versions[op.pages[i]] = next;
	}
	versions[op.pages[0]] = next;
	expect("half_a_group_is_seen", "half there");
	for (uint32_t i = 0; i < op.count; i++)
		versions[op.pages[i]] = next;
	expect("a_whole_group_is_right", NULL);
	versions[op.pages[0]] = 0;
	expect("what_was_found_once_stays", "lost an acknowledged write");
	left_out = model_done(&model, target, 0, next + 5);
	failed += left_out;
	printf("%sok %u a_number_that_was_left_out_is_seen\n", left_out ? "not " : "", ++count);
}

int main(void)
{
	right_pages();
	wrong_pages();
	groups();
	printf("1..%u\n", count);
	return failed != 0;
}
