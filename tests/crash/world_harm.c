/* SPDX-License-Identifier: MIT */
/*
 * Harm to a journal from a disk, a restored backup or a page of the caller's: a damaged frame or
 * header, a file replaced by another, a page that looks like a frame.
 *
 * Flow: steps of scenarios, and recoveries before the full recovery; see world.h.
 */
#include <errno.h>
#include <string.h>

#include "disk_internal.h"
#include "forge.h"
#include "journal_format.h"
#include "journal_share.h"
#include "world.h"

static int resolve_all_but_2(void *context, uint64_t file_id)
{
	return file_id == 102 ? -EACCES : world_resolve(context, file_id);
}

/* Other programs write to file 1 after the close of its handle. */
static void close_for_others(void)
{
	if (step_close(0) == 0)
		step_foreign(1, 0, 12288, false, true);
}

/*
 * File 2 cannot be opened, or another file is in its place (K4).  File 1 is recovered, its frames
 * are in the log area, and file 1 accepts writes until the pages of file 2 have to be carried.  No
 * page of either file is lost or undone (H3, K7).
 */
void world_recover_partly(void)
{
	const bool swapped = world.scenario->swapped;
	int error;

	disk.stranger = swapped ? 2 : 0;
	world_open_journal();
	error = atomicio_journal_recover(world.journal, swapped ? world_resolve : resolve_all_but_2,
					 NULL, NULL, 0, NULL, 0);
	if (error && error != (swapped ? -ESTALE : -EACCES))
		world_problem("a recovery without file 2 gives %d", error);
	if (world_info().state != ATOMICIO_JOURNAL_READY)
		world_problem("not ready after a recovery without file 2");
	world.killed = true; /* file 2 is as it was */
	step_open(0, 1, ATOMICIO_PATH_JOURNAL, 0);
	close_for_others();
	step_open(0, 1, ATOMICIO_PATH_JOURNAL, 0);
	for (uint32_t i = 0; i < 6; i++)
		step_write(0, i % 2 * 4096, 512, 0);
	close_for_others();
	atomicio_journal_close(world.journal);
	if (disk.stranger_written)
		world_problem("a file that is not the one of the frames is written");
	disk.stranger = 0;
}

static bool decode_copy(uint32_t copy, struct journal_header *header)
{
	return journal_decode_header(disk.state.durable_journal + copy * JOURNAL_BLOCK, header) ==
		       0 &&
	       memcmp(disk.state.seen_journal + copy * JOURNAL_BLOCK,
		      disk.state.durable_journal + copy * JOURNAL_BLOCK, JOURNAL_BLOCK) == 0;
}

/*
 * One copy of the header is damaged, if the other is whole: the next open reports the damage (K2).
 */
static bool damage(uint32_t copy)
{
	const uint64_t at = copy * JOURNAL_BLOCK + 64;
	struct journal_header header;

	if (!world.oracle.journal_made || !decode_copy(0, &header) || !decode_copy(1, &header))
		return false;
	disk.state.seen_journal[at] ^= 1;
	disk.state.durable_journal[at] ^= 1;
	world.notes = 1u << copy;
	return true;
}

/* Two copies of different age stay: this boot has to make them equal. */
void world_damage_one(void)
{
	struct journal_header first, second;

	if (decode_copy(0, &first) && decode_copy(1, &second) &&
	    first.generation == second.generation)
		(void)damage(first.generation % 2);
}

/* After a crash with one damaged copy of the header, recovery keeps all promises with the other. */
void world_recover_damaged(void)
{
	static struct disk_state state;
	static struct oracle oracle;
	const bool killed = world.killed;

	disk_copy(&state, &disk.state);
	oracle = world.oracle;
	for (uint32_t copy = 0; copy < JOURNAL_COPIES; copy++) {
		if (damage(copy))
			world_recover();
		disk_copy(&disk.state, &state);
		world.oracle = oracle;
		world.killed = killed;
		world.notes = 0;
		disk_boot();
		journal_shares = NULL;
	}
}

void step_forged(uint32_t handle)
{
	step_write_again(handle, 0, FORGE_LENGTH, TAG_FORGED);
	if (!forge_is_in_place())
		world_problem("no frame is where the forged one says that it is");
}

void step_rot(void)
{
	const uint64_t at = world_info().tail_offset + 4096 + 100;
	uint8_t homes[DISK_HOMES][DISK_HOME_SIZE];

	world.journal->files = NULL; /* as if killed: nothing is retired */
	atomicio_journal_close(world.journal);
	disk.state.seen_journal[at] ^= 1;
	disk.state.durable_journal[at] ^= 1;
	memcpy(homes, disk.state.seen_home, sizeof(homes));
	world_open_journal();
	if (world_info().state != ATOMICIO_JOURNAL_CORRUPT ||
	    world_info().corrupt_offset != world_info().tail_offset)
		world_problem("a damaged frame before whole ones is not told");
	if (atomicio_journal_recover(world.journal, world_resolve, NULL, NULL, 0, NULL, 0) !=
		    -EBADMSG ||
	    memcmp(homes, disk.state.seen_home, sizeof(homes)) != 0)
		world_problem("recovery goes on over a damaged frame");
	world.journal->files = NULL; /* as if killed: nothing is retired */
	atomicio_journal_close(world.journal);
	disk.state.seen_journal[at] ^= 1;
	disk.state.durable_journal[at] ^= 1;
	world.killed = true;
	world_recover();
}

void step_refused(uint32_t number, uint64_t offset, uint32_t length)
{
	static const uint8_t page[4096] __attribute__((aligned(4096)));
	const struct handle *handle = &world.handles[number];

	if (handle->file && atomicio_write(handle->file, page, length, offset, 0) != -ENOSPC)
		world_problem("a write without room for its page is not refused");
	if (world_info().state != ATOMICIO_JOURNAL_READY)
		world_problem("a write without room stops the journal");
}
