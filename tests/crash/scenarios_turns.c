/* SPDX-License-Identifier: MIT */
/*
 * Processes take turns with one journal, and each process may be killed in each of its calls.
 *
 * Flow: explore.c kills the process that makes call n (FAULT_KILLED_*), and then cuts the power, or
 * kills the rest, in each later call.  A process is a journal and its handles.  A killed process
 * loses journal, handles, descriptors and locks; the other processes go on.  No call of theirs may
 * fail, and a process without the order to recover must see all promised pages.
 */
#include <errno.h>
#include <setjmp.h>
#include <string.h>

#include "fiber.h"
#include "journal_share.h"
#include "libatomicio/turns.h"
#include "scenarios.h"

struct process {
	struct atomicio_journal *journal;
	struct handle handles[HANDLES];
};

static struct process processes[DISK_PROCESSES];
static jmp_buf death;

static void die(void)
{
	longjmp(death, 1);
}

/* The library's state of a process is gone with the process's memory. */
static void forget(uint32_t process)
{
	struct journal_share **at = &journal_shares;

	while (*at)
		if ((*at)->pid == 1 + (int)process)
			*at = (*at)->next;
		else
			at = &(*at)->next;
}

/* Be this process for one turn; false: the process was killed. */
static bool live(uint32_t process, void (*body)(uint32_t step), uint32_t step)
{
	struct process *self = &processes[process];

	disk.process = process;
	world.journal = self->journal;
	memcpy(world.handles, self->handles, sizeof(world.handles));
	disk.killed = die;
	if (setjmp(death) == 0) {
		body(step);
		disk.killed = NULL;
		self->journal = world.journal;
		memcpy(self->handles, world.handles, sizeof(world.handles));
		world.journal = NULL;
		return true;
	}
	disk.killed = NULL;
	*self = (struct process){.journal = NULL};
	world.journal = NULL;
	memset(world.handles, 0, sizeof(world.handles));
	forget(process);
	oracle_crashed(&world.oracle);
	return false;
}

static void start(bool both)
{
	const struct atomicio_journal_open_options shared = {.flags = ATOMICIO_JOURNAL_OPEN_SHARED};

	if (world.journal)
		return;
	(void)world_expect("a shared open", journal_open_with(&disk_sys, DISK_FD(DISK_JOURNAL),
							      &shared, &world.journal));
	if (!world.journal)
		fiber_crash();
	step_open(0, 1, J, 0);
	if (both)
		step_open(1, 2, J, OPEN_BUFFERED);
}

static void begin(void)
{
	int result;

	/* A reader that is not told to recover. */
	if (!atomicio_journal_is_hot(world.journal))
		world_check_seen(false);
	result = atomicio_journal_turn_begin(world.journal, 0);
	if (result == 1)
		result = atomicio_journal_recover(world.journal, world_resolve, NULL, NULL, 0, NULL,
						  0);
	if (world_expect("a turn", result))
		fiber_crash();
	world_check_seen(false);
}

static void end(void)
{
	(void)world_expect("the end of a turn", atomicio_journal_turn_end(world.journal));
}

static const struct step_page pair[] = {
	{.handle = 0, .offset = 0, .length = 4096},
	{.handle = 1, .offset = 4096, .length = 1536},
};

static void write_pair(uint32_t step)
{
	start(true);
	begin();
	step_group(PAGES(pair));
	if (step % 2)
		step_write(0, 0, 4096, 0);
	end();
}

static void write_one(uint32_t step)
{
	start(true);
	begin();
	step_write(step % 2, step % 3 * 4096, 4096, 0);
	end();
}

/* A late process retires frames of others, and ends; with `step` as the last process. */
static void checkpoint_and_go(uint32_t step)
{
	start(true);
	begin();
	if (step)
		step_write(1, 4096, 512, 0);
	step_checkpoint();
	step_write(0, 4096, 512, 0);
	if (step)
		step_checkpoint();
	end();
	(void)step_close(0);
	(void)step_close(1);
	(void)world_expect("close", atomicio_journal_close(world.journal));
	world.journal = NULL;
}

/* The file of others' frames is not open here: a recovery does for a checkpoint. */
static void recover_and_go(uint32_t step)
{
	int error;

	(void)step;
	start(false);
	begin();
	error = atomicio_journal_checkpoint(world.journal);
	if (error != -EBUSY)
		(void)world_expect("a checkpoint", error);
	if (error)
		(void)world_expect("a recovery of all files",
				   atomicio_journal_recover(world.journal, world_resolve, NULL,
							    NULL, 0, NULL, 0));
	step_write(0, 0, 4096, 0);
	end();
	(void)step_close(0);
	(void)world_expect("close", atomicio_journal_close(world.journal));
	world.journal = NULL;
}

/* Nobody has the journal for itself any more. */
static void share(void)
{
	(void)world_expect("close", atomicio_journal_close(world.journal));
	world.journal = NULL;
	memset(processes, 0, sizeof(processes));
}

void run_turns(struct world *w, uint32_t boot)
{
	(void)w;
	share();
	(void)live(0, write_pair, 0);
	(void)live(1, write_pair, 1);
	if (boot)
		return;
	(void)live(0, write_one, 0);
	(void)live(2, checkpoint_and_go, 0);
	(void)live(1, write_one, 1);
	(void)live(2, recover_and_go, 0);
	(void)live(0, checkpoint_and_go, 0);
	(void)live(1, checkpoint_and_go, 1);
}

/* A ring that is full all the time. */
void run_turns_full(struct world *w, uint32_t boot)
{
	(void)w;
	share();
	for (uint32_t i = 0; i < (boot ? 3u : 7u); i++)
		(void)live(i % 3, i % 2 ? write_pair : write_one, i);
}
