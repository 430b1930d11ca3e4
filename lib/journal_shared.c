/* SPDX-License-Identifier: MIT */
/*
 * The page that processes share: write, read and adopt the page.
 *
 * Flow: written by a process that opens the journal alone, and at both ends of each turn; read at
 * the beginning of a turn.  journal_share.h has the rules.
 *
 * The page names the files with live frames: no process needs to read the frames of other
 * processes.  A retirement has to sync exactly these files (J2), and a file not open in this
 * process stops the retirement.  The page does not name the bytes: in a turn after another
 * process's turn any range may have a live frame (J3).
 */
#include "journal_share.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "journal_crc.h"
#include "sys_refused.h"

#define STATE offsetof(struct journal_shared, in_turn)
#define SUMMED offsetof(struct journal_shared, turns)

static uint32_t sum(const struct journal_shared *page)
{
	return journal_crc32c(0, (const uint8_t *)page + SUMMED,
			      offsetof(struct journal_shared, crc) - SUMMED);
}

int journal_shared_write(const struct atomicio_journal *journal, const void *from, size_t at,
			 size_t length)
{
	const struct journal_share *share = journal->share;
	/* A write beyond RLIMIT_FSIZE would raise SIGXFSZ. */
	ssize_t result = journal_check_limit(journal, share->place + at + length);

	if (result)
		return (int)result;
	for (uint32_t i = 0; i < JOURNAL_EINTR_MAX; i++) {
		result = journal->sys->pwrite(share->fd, from, length, share->place + at);
		if (result != -EINTR)
			break;
	}
	if (result < 0)
		return (int)result;
	return (size_t)result == length ? 0 : -EIO;
}

int journal_shared_flag(const struct atomicio_journal *journal, size_t at, uint32_t value)
{
	return journal_shared_write(journal, &value, at, sizeof(value));
}

bool journal_shared_read(const struct atomicio_journal *journal, struct journal_shared *copy)
{
	memcpy(copy, journal->share->page, sizeof(*copy));
	return copy->magic == JOURNAL_SHARED_MAGIC && copy->crc == sum(copy) &&
	       memcmp(copy->id, journal->header.id, JOURNAL_ID_SIZE) == 0 &&
	       copy->file_count <= JOURNAL_SHARED_FILES;
}

static uint64_t mark_of(const struct journal_file *file)
{
	struct journal_identity identity;
	uint64_t words[5], mark = 1;

	journal_decode_file(file->row, &identity);
	if (!(identity.known & JOURNAL_KNOWS_INODE))
		return 0;
	/* On one machine the device number is as good as the UUID. */
	words[0] = file->device_major;
	words[1] = file->device_minor;
	words[2] = identity.inode;
	words[3] = (uint64_t)identity.birth_seconds;
	words[4] = identity.birth_nanoseconds;
	for (uint32_t i = 0; i < 5; i++) {
		mark = (mark ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		mark ^= mark >> 32;
	}
	return mark ? mark : 1;
}

static bool is_another(const struct journal_shared_file *file, uint64_t mark)
{
	return file->mark && mark && file->mark != mark;
}

/* Add a file with its oldest live frame; false: no room. */
static bool add_file(struct journal_shared_file *files, uint32_t *count,
		     struct journal_shared_file added)
{
	for (uint32_t i = 0; i < *count; i++) {
		if (files[i].file_id != added.file_id || is_another(&files[i], added.mark))
			continue;
		if (added.first < files[i].first)
			files[i].first = added.first;
		return true;
	}
	if (*count == JOURNAL_SHARED_FILES)
		return false;
	files[(*count)++] = added;
	return true;
}

static uint64_t oldest(const struct journal_file *file)
{
	if (!file->first[0] || (file->first[1] && file->first[1] < file->first[0]))
		return file->first[1];
	return file->first[0];
}

static struct journal_shared_file describe(const struct journal_file *file)
{
	return (struct journal_shared_file){file->file_id, oldest(file), mark_of(file)};
}

static void list_files(const struct atomicio_journal *journal, struct journal_shared *page)
{
	const struct journal_share *share = journal->share;

	page->some = share->some;
	for (uint32_t i = 0; i < share->other_count; i++)
		(void)add_file(page->files, &page->file_count, share->others[i]);
	for (const struct journal_file *file = journal->files; file; file = file->next)
		if (oldest(file) && !add_file(page->files, &page->file_count, describe(file)))
			page->some = 1;
}

static void fill(const struct atomicio_journal *journal, struct journal_shared *page)
{
	const struct journal_header *header = &journal->header;

	page->hot = journal->state != ATOMICIO_JOURNAL_READY || journal->share->trouble;
	memcpy(page->id, header->id, JOURNAL_ID_SIZE);
	page->generation = header->generation;
	page->tail_offset = header->tail_offset;
	page->tail_sequence = header->tail_sequence;
	page->header_head_offset = header->head_offset;
	page->header_head_sequence = header->head_sequence;
	page->header_flags = header->flags;
	page->head_offset = journal->head_offset;
	page->head_sequence = journal->head_sequence;
	page->next_sequence = journal->next_sequence;
	page->live_bytes = journal->live_bytes;
	page->first_copy = journal->first_copy;
	page->damaged = journal->damaged;
	page->settled = journal->settled;
	page->begun = journal->begun;
	page->uneven = journal->uneven;
	page->doubtful = journal->doubtful;
	list_files(journal, page);
}

int journal_shared_publish(struct atomicio_journal *journal, bool anew)
{
	struct journal_share *share = journal->share;
	struct journal_shared page = {.magic = JOURNAL_SHARED_MAGIC};
	int error;

	/* T2: two pages with the same number of turns are told apart. */
	if (anew && (error = sys_random_bytes(journal->sys, share->epoch, sizeof(share->epoch))))
		return error;
	memcpy(page.epoch, share->epoch, sizeof(page.epoch));
	fill(journal, &page);
	page.in_turn = anew && share->on_turn;
	page.turns = ++share->turns;
	page.crc = sum(&page);
	if (!anew)
		return journal_shared_write(journal, (uint8_t *)&page + STATE, STATE,
					    sizeof(page) - STATE);
	return journal_shared_write(journal, &page, 0, sizeof(page));
}

static struct journal_file *find_file(const struct atomicio_journal *journal, uint64_t file_id)
{
	for (struct journal_file *file = journal->files; file; file = file->next)
		if (file->file_id == file_id && !file->failed)
			return file;
	return NULL;
}

void journal_shared_forget(struct atomicio_journal *journal)
{
	journal->share->other_count = 0;
	journal->share->some = false;
	for (struct journal_file *file = journal->files; file; file = file->next) {
		file->first[0] = file->first[1] = 0;
		file->synced[0] = file->synced[1] = false;
	}
}

static void adopt_files(struct atomicio_journal *journal, const struct journal_shared *page)
{
	struct journal_share *share = journal->share;
	const uint32_t now = journal->generation & 1;

	journal_shared_forget(journal);
	share->some = page->some;
	for (uint32_t i = 0; i < page->file_count; i++) {
		struct journal_file *file = find_file(journal, page->files[i].file_id);

		if (file && !is_another(&page->files[i], mark_of(file)))
			file->first[now] = page->files[i].first; /* J2 */
		else
			(void)add_file(share->others, &share->other_count, page->files[i]);
	}
}

void journal_shared_adopt(struct atomicio_journal *journal, const struct journal_shared *page)
{
	struct journal_share *share = journal->share;
	struct journal_header *header = &journal->header;

	if (share->turns == page->turns && journal_share_knows(share, page))
		return; /* no other process had a turn since */
	share->turns = page->turns;
	memcpy(share->epoch, page->epoch, sizeof(share->epoch));
	journal_forget_scan(journal);
	header->generation = page->generation;
	header->tail_offset = page->tail_offset;
	header->tail_sequence = page->tail_sequence;
	header->head_offset = page->header_head_offset;
	header->head_sequence = page->header_head_sequence;
	header->flags = page->header_flags;
	header->done_count = 0; /* a page with done files is hot, and not adopted */
	journal->head_offset = page->head_offset;
	journal->head_sequence = page->head_sequence;
	journal->next_sequence = page->next_sequence;
	journal->live_bytes = page->live_bytes;
	journal->first_copy = page->first_copy;
	journal->damaged = page->damaged;
	journal->settled = page->settled;
	journal->begun = page->begun;
	journal->uneven = page->uneven;
	journal->doubtful = page->doubtful;
	journal->state = ATOMICIO_JOURNAL_READY;
	adopt_files(journal, page);
	journal_uncover_all(journal);
	if (journal->live_bytes)
		journal_cover_all(journal);
}

void journal_shared_leave(struct atomicio_journal *journal, const struct journal_file *file)
{
	struct journal_share *share = journal->share;
	const uint32_t now = journal->generation & 1;
	const struct journal_shared_file left = describe(file);
	struct journal_file *other;

	for (other = journal->files; other; other = other->next)
		if (other != file && other->file_id == file->file_id && !other->failed)
			break;
	if (other && (!other->first[now] || left.first < other->first[now]))
		other->first[now] = left.first;
	if (!other && !add_file(share->others, &share->other_count, left))
		share->some = true;
}

/*
 * O4: every turn that begins later writes its homes while this description is open.  For a turn
 * that may be under way the answer is unknown, until our next turn.
 */
static uint64_t first_vouched(const struct atomicio_journal *journal)
{
	struct journal_shared page;

	if (!journal_has_no_turn(journal))
		return journal->head_sequence;
	return journal_shared_read(journal, &page) && !page.in_turn ? page.head_sequence
								    : UINT64_MAX;
}

/* T5 */
static bool lists_another(const struct journal_shared_file *files, uint32_t count,
			  const struct journal_file *file)
{
	for (uint32_t i = 0; i < count; i++)
		if (files[i].file_id == file->file_id && is_another(&files[i], mark_of(file)))
			return true;
	return false;
}

bool journal_shared_left_another(const struct atomicio_journal *journal,
				 const struct journal_file *file)
{
	return lists_another(journal->share->others, journal->share->other_count, file);
}

int journal_shared_check(const struct atomicio_journal *journal, const struct journal_file *file)
{
	struct journal_shared page;

	if (!journal_has_no_turn(journal))
		return journal_shared_left_another(journal, file) ? -EEXIST : 0;
	/* While another process is in its turn the page is of before: our next turn will tell. */
	if (!journal_shared_read(journal, &page) || page.in_turn)
		return 0;
	return lists_another(page.files, page.file_count, file) ? -EEXIST : 0;
}

void journal_shared_find(struct atomicio_journal *journal, struct journal_file *file)
{
	struct journal_share *share = journal->share;

	file->since = first_vouched(journal);
	for (uint32_t i = 0; i < share->other_count; i++) {
		if (share->others[i].file_id != file->file_id ||
		    is_another(&share->others[i], mark_of(file)))
			continue;
		file->first[journal->generation & 1] = share->others[i].first;
		share->others[i] = share->others[--share->other_count];
		return;
	}
}

/* Two losses may be noted at the same time, and each number must differ from the healed number. */
static void tell_loss(const struct atomicio_journal *journal)
{
	const struct journal_shared *page = journal->share->page;
	uint32_t number;

	if (sys_random_bytes(journal->sys, &number, sizeof(number)))
		number = page->lost + 1;
	while (number == page->lost || number == page->healed)
		number++;
	(void)journal_shared_flag(journal, offsetof(struct journal_shared, lost), number);
}

void journal_share_note_trouble(struct atomicio_journal *journal)
{
	struct journal_share *share = journal->share;

	if (!share)
		return;
	share->trouble = true;
	/*
	 * T1: outside a turn, or while waiting for a turn, other processes must see the loss at
	 * once.
	 */
	if (!share->in_turn && share->page)
		tell_loss(journal);
}
