/* SPDX-License-Identifier: MIT */
/*
 * The rules that a page, and a group of pages, must keep over a cut.
 *
 * Flow: pure; from kill_judge.c.
 *
 * KM1 every page is whole.  Of the control, only the page that each lane was writing may be torn.
 * KM2 a page is not older than its newest durable version.  A version is durable if its write
 *     returned with the promise, or a later sync returned.  Without a durable version the version
 *     of the last check counts.
 * KM3 a page has the version of the last check, or of a later operation that had begun to write
 *     this page: at most one above the lane's last DONE.
 * KM4 a group is there on all its pages, or on none; a later version on a page stands for it.
 */
#include "kill_model.h"

#include <stdio.h>
#include <string.h>

void model_fresh(struct model *model, uint32_t disk, uint64_t life)
{
	model->life[disk] = life;
	model->made[disk] = false;
	for (uint32_t i = 0; i < KILL_TARGETS; i++) {
		if (kill_targets[i].disk == disk)
			memset(&model->targets[i], 0, sizeof(model->targets[i]));
		for (uint32_t lane = 0; lane < KILL_LANES && kill_targets[i].disk == disk; lane++)
			model->targets[i].start[lane] = 1;
	}
}

void model_made(struct model *model, uint32_t disk)
{
	model->made[disk] = true;
}

bool model_done(struct model *model, uint32_t target, uint32_t lane, uint64_t number)
{
	struct model_target *now = &model->targets[target];

	if (number != (now->done[lane] ? now->done[lane] + 1 : now->start[lane]))
		return false;
	now->done[lane] = number;
	model->counts[target].acknowledged++;
	return true;
}

static bool writes(const struct kill_op *op, uint32_t page)
{
	for (uint32_t i = 0; i < op->count; i++) {
		if (op->pages[i] == page)
			return true;
	}
	return false;
}

struct lane_view {
	const struct kill_target *target;
	uint64_t life, first, last, synced; /* numbers; `last` had begun, the one before returned */
	uint32_t lane;
};

static struct lane_view view(const struct model *model, uint32_t target, uint32_t lane)
{
	const struct model_target *now = &model->targets[target];
	struct lane_view view = {.target = &kill_targets[target],
				 .life = model->life[kill_targets[target].disk],
				 .first = now->start[lane],
				 .lane = lane};
	struct kill_op op;

	view.last = now->done[lane] ? now->done[lane] + 1 : view.first;
	for (uint64_t n = view.first; n < view.last; n++) {
		kill_plan(view.target, view.life, lane, n, &op);
		if (op.kind == KILL_SYNC)
			view.synced = n;
	}
	return view;
}

/* The newest durable version of each page (KM2), and which pages were written at all. */
static void durable_versions(const struct lane_view *lane, uint64_t *floor, bool *written)
{
	struct kill_op op;

	for (uint64_t n = lane->first; n < lane->last; n++) {
		kill_plan(lane->target, lane->life, lane->lane, n, &op);
		for (uint32_t i = 0; i < op.count; i++) {
			written[op.pages[i]] = true;
			if (op.dsync || n < lane->synced)
				floor[op.pages[i]] = n;
		}
	}
}

static const char *page_problem(const struct model *model, uint32_t target, uint32_t page,
				uint64_t found, uint64_t floor, bool written)
{
	const uint64_t exact = model->targets[target].exact[page];
	const struct lane_view lane = view(model, target, page % kill_targets[target].lanes);
	struct kill_op op;

	if (found == KILL_TORN) {
		kill_plan(lane.target, lane.life, lane.lane, lane.last, &op);
		if (lane.target->way != KILL_NAKED)
			return "is torn";
		if (writes(&op, page) || (exact == KILL_TORN && !written))
			return NULL;
		return "is torn, and no write was under way there";
	}
	if (found < floor)
		return "has lost an acknowledged write";
	if (found == exact)
		return NULL;
	if (found < lane.first || found > lane.last)
		return "has a version that was not being written";
	kill_plan(lane.target, lane.life, lane.lane, found, &op);
	return writes(&op, page) ? NULL : "has a version that is another page's";
}

static bool groups_are_whole(const struct lane_view *lane, const uint64_t *versions, uint64_t *bad)
{
	struct kill_op op;

	for (uint64_t n = lane->first; n <= lane->last; n++) {
		bool any = false, missing = false;

		kill_plan(lane->target, lane->life, lane->lane, n, &op);
		for (uint32_t i = 0; i < op.count && op.kind == KILL_ALL_OR_NONE; i++) {
			any = any || versions[op.pages[i]] == n;
			missing = missing || versions[op.pages[i]] < n;
		}
		*bad = n;
		if (any && missing)
			return false;
	}
	return true;
}

static void settle(struct model *model, uint32_t target, const uint64_t *versions,
		   const uint64_t *floor)
{
	struct model_target *now = &model->targets[target];
	struct model_count *count = &model->counts[target];

	count->checks++;
	for (uint32_t page = 0; page < kill_targets[target].pages; page++) {
		if (versions[page] == KILL_TORN)
			count->torn += now->exact[page] != KILL_TORN;
		else if (versions[page] > floor[page])
			count->found_new++;
		now->exact[page] = versions[page];
	}
	for (uint32_t lane = 0; lane < kill_targets[target].lanes; lane++) {
		/*
		 * A number that may have begun is not used again; without any DONE it may be used.
		 */
		now->start[lane] = view(model, target, lane).last + 1;
		now->done[lane] = 0;
	}
}

bool model_found(struct model *model, uint32_t target, const uint64_t *versions, char *problem,
		 size_t problem_size)
{
	const struct kill_target *what = &kill_targets[target];
	uint64_t floor[KILL_PAGES], bad;
	bool written[KILL_PAGES] = {false};

	for (uint32_t page = 0; page < what->pages; page++) {
		floor[page] = model->targets[target].exact[page];
		if (floor[page] == KILL_TORN)
			floor[page] = 0;
	}
	for (uint32_t i = 0; i < what->lanes; i++) {
		const struct lane_view lane = view(model, target, i);

		durable_versions(&lane, floor, written);
		if (!groups_are_whole(&lane, versions, &bad)) {
			snprintf(problem, problem_size, "%s: group %llu of lane %u is half there",
				 what->name, (unsigned long long)bad, i);
			return false;
		}
	}
	for (uint32_t page = 0; page < what->pages; page++) {
		const char *why = page_problem(model, target, page, versions[page], floor[page],
					       written[page]);

		if (!why)
			continue;
		snprintf(problem, problem_size, "%s: page %u %s: found %lld, durable %llu",
			 what->name, page, why, (long long)versions[page],
			 (unsigned long long)floor[page]);
		return false;
	}
	settle(model, target, versions, floor);
	return true;
}
