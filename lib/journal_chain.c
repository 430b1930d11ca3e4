/* SPDX-License-Identifier: MIT */
/*
 * A group longer than any frame: a chain of frames, replayed whole or not at all (K5).
 *
 * Flow: journal_commit() comes here with a group longer than a frame.  The writing thread stages
 * the chain, before its ticket stands in line like any ticket.  The leader writes the chain.
 *
 * N2: the members have consecutive numbers and no other frame between them: the leader keeps the
 * role until the last member is durable.  No page goes home earlier.  The head moves over all
 * members at once: no retirement can put the tail between two members.
 *
 * The members are written without a flush, and then made durable with one flush.  Before the flush
 * recovery may find a part of the chain on the disk, and skips the part.
 */
#include "journal_aio.h"

#include <errno.h>

#include "trace.h"

/* One frame of the chain. */
struct member {
	uint32_t first, count; /* pages of the ticket */
	uint8_t *bytes;	       /* in the chain's memory */
	struct journal_frame frame;
};

struct journal_chain {
	struct member *members;
	uint32_t count, room;
	uint64_t length;	  /* of all frames */
	uint8_t *bytes;		  /* memory of the frames */
	struct journal_run *runs; /* for the homes: a run and a vector for each page */
};

/*
 * C1: half of the space not kept for carrying, because a chain and its predecessor must both fit.
 */
uint64_t journal_chain_limit(const struct journal_header *header)
{
	return (header->size - JOURNAL_RING_START - journal_reserve(header)) / 2;
}

/* Put as many pages as fit into one member. */
static int fill(const struct atomicio_journal *journal, const struct journal_ticket *ticket,
		uint32_t first, struct member *member)
{
	const struct journal_file *file = NULL;
	uint64_t files = 0, data = 0;
	uint32_t count = 0;

	while (first + count < ticket->count) {
		const struct journal_page *page = &ticket->pages[first + count];
		const uint64_t length =
			journal_header_length(files + (page->file != file), (uint64_t)count + 1) +
			data + journal_padded(page->length);

		if (length > journal->header.frame_max)
			break;
		files += page->file != file;
		file = page->file;
		data += journal_padded(page->length);
		count++;
	}
	if (count == 0)
		return -EMSGSIZE;
	*member = (struct member){.first = first, .count = count};
	member->frame = (struct journal_frame){
		.files = (uint32_t)files,
		.count = count,
		.flags = JOURNAL_CHAIN,
		.header_length = (uint32_t)journal_header_length(files, count),
	};
	member->frame.length = member->frame.header_length + (uint32_t)data;
	return 0;
}

static int plan(const struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	const struct sys_calls *sys = journal->sys;
	const uint64_t most = journal_chain_limit(&journal->header);
	struct journal_chain *chain = ticket->chain;

	chain->room = ticket->count;
	if (chain->room > most / JOURNAL_FRAME_MIN)
		chain->room = (uint32_t)(most / JOURNAL_FRAME_MIN);
	if (chain->room == 0)
		return -EMSGSIZE;
	chain->members =
		sys->allocate(_Alignof(struct member), chain->room * sizeof(*chain->members));
	if (!chain->members)
		return -ENOMEM;
	for (uint32_t first = 0; first < ticket->count;) {
		struct member *member = &chain->members[chain->count];
		const int error = chain->count == chain->room
					  ? -EMSGSIZE
					  : fill(journal, ticket, first, member);

		if (error)
			return error;
		first += member->count;
		chain->length += member->frame.length;
		chain->count++;
	}
	chain->members[chain->count - 1].frame.flags |= JOURNAL_LAST;
	return chain->length > most ? -EMSGSIZE : 0;
}

static void stage(struct member *member, const struct journal_ticket *ticket)
{
	uint32_t files = 0;

	(void)journal_stage_pages(member->bytes, &member->frame, 0, &files,
				  member->frame.header_length, ticket->pages + member->first,
				  member->count);
}

/* Give each member its place and number.  The head is moved, and moved back. */
static void place(struct atomicio_journal *journal, struct journal_chain *chain)
{
	const uint64_t offset = journal->head_offset, sequence = journal->head_sequence,
		       live = journal->live_bytes, whole = journal->whole_sequence,
		       whole_end = journal->whole_end;

	for (uint32_t i = 0; i < chain->count; i++) {
		struct journal_frame *frame = &chain->members[i].frame;

		frame->offset = journal_place_frame(journal, frame->length, 0);
		assert(frame->offset);
		journal_number(journal, frame, sequence);
		journal_advance_head(journal, frame);
	}
	journal->head_offset = offset;
	journal->head_sequence = sequence;
	journal->live_bytes = live;
	journal->whole_sequence = whole;
	journal->whole_end = whole_end;
}

/* No lock held. */
static int write_members(const struct atomicio_journal *journal, struct journal_chain *chain)
{
	int error = 0;

	for (uint32_t i = 0; i < chain->count && !error; i++) {
		struct member *member = &chain->members[i];

		journal_encode_frame(member->bytes, journal->header.id, &member->frame);
		error = journal_write_own(journal, 0, member->bytes, member->frame.length,
					  member->frame.offset);
	}
	if (!error)
		error = journal_sync_own(journal); /* J1: all members, before any home write */
	for (uint32_t i = 0; i < chain->count; i++)
		journal_unescape(chain->members[i].bytes, &chain->members[i].frame); /* N3 */
	return error ? journal_frame_error(error) : 0;
}

static void account(struct atomicio_journal *journal, struct journal_ticket *ticket, int error)
{
	struct journal_counters *counters = &journal->counters;
	const struct journal_chain *chain = ticket->chain;
	const uint64_t first = chain->members[0].frame.sequence;

	counters->flushes++;
	counters->bytes_written += chain->length;
	journal_cover_ticket(journal, ticket, first);
	TRACE_FRAME_COMMIT(first, ticket->count, chain->length, error);
	if (error) {
		journal_poison(journal); /* J9 */
		return;
	}
	for (uint32_t i = 0; i < chain->count; i++)
		journal_advance_head(journal, &chain->members[i].frame);
	counters->frames += chain->count;
	counters->pages += ticket->count;
	counters->bytes += ticket->bytes;
	counters->writers += chain->count;
	counters->group_sizes[0] += chain->count;
	if (!counters->group_max)
		counters->group_max = 1;
	ticket->generation = journal->generation;
	ticket->stage = JOURNAL_STAGES;
}

int journal_frame_chain(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	struct journal_chain *chain = ticket->chain;
	int error = journal_first_frame(journal);

	if (!error)
		error = journal_make_room(journal, ticket, chain->length + journal_gaps(journal),
					  NULL);
	if (!error)
		error = journal_check_limit(journal, journal->header.size);
	if (error)
		return error; /* nothing was written */
	place(journal, chain);
	pthread_mutex_unlock(&journal->lock);
	error = write_members(journal, chain);
	pthread_mutex_lock(&journal->lock);
	account(journal, ticket, error);
	return error;
}

/* All members together: a run may go over the end of one. */
void journal_chain_goes_home(struct atomicio_journal *journal, const struct journal_ticket *ticket)
{
	const struct journal_chain *chain = ticket->chain;
	uint32_t count;

	for (uint32_t i = 0; i < chain->count; i++) {
		const struct member *member = &chain->members[i];

		journal_list_homes(ticket, member->first, member->count,
				   member->bytes + member->frame.header_length,
				   chain->runs + member->first);
	}
	count = journal_merge_runs(chain->runs, ticket->count,
				   (struct iovec *)(chain->runs + ticket->count));
	journal_send_home(journal, ticket->courier, chain->runs, count);
}

void journal_forget_chain(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	const struct sys_calls *sys = journal->sys;
	struct journal_chain *chain = ticket->chain;

	ticket->chain = NULL;
	if (chain->bytes)
		sys->release_memory(chain->bytes);
	if (chain->runs)
		sys->release_memory(chain->runs);
	if (chain->members)
		sys->release_memory(chain->members);
	sys->release_memory(chain);
}

int journal_stage_chain(struct atomicio_journal *journal, struct journal_ticket *ticket)
{
	const struct sys_calls *sys = journal->sys;
	struct journal_chain *chain = sys->allocate(_Alignof(struct journal_chain), sizeof(*chain));
	uint64_t at = 0;
	int error;

	if (!chain)
		return -ENOMEM;
	*chain = (struct journal_chain){.count = 0};
	ticket->chain = chain;
	error = plan(journal, ticket);
	if (!error) {
		chain->bytes = sys->allocate(JOURNAL_BLOCK, chain->length);
		chain->runs = sys->allocate(_Alignof(struct journal_run),
					    ticket->count *
						    (sizeof(*chain->runs) + sizeof(struct iovec)));
		error = chain->bytes && chain->runs ? 0 : -ENOMEM;
	}
	for (uint32_t i = 0; i < chain->count && !error; i++) {
		chain->members[i].bytes = chain->bytes + at;
		at += chain->members[i].frame.length;
		stage(&chain->members[i], ticket);
	}
	return error;
}
