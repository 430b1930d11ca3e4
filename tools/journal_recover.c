/* SPDX-License-Identifier: MIT */
/*
 * atomicio journal recover: write the live frames of a journal home.
 *
 * Flow: called by journal.c.  The second reader first lists the named ids: nothing is written
 * before each id has its file.
 *
 * Rules:
 * TV1 an id without a file is an error, never skipped: only --gone drops pages.
 * TV2 no file is made, and none is opened twice: two ids of one file are an error.
 * TV3 the journal's own file is no home, under any name or device node.
 * TV4 the library writes through descriptions of its own; the given descriptor is buffered, and
 *     accepts pages of every shape where no direct description is possible.
 * TV5 a file with another identity is written only if the user names it for that.
 */
#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "journal_read.h"
#include "tool.h"

/* Ids that are named in frames, but not on the command line. */
struct missing {
	const struct journal_request *request;
	uint64_t ids[16];
	unsigned count, more;
};

struct journal_file_name *journal_find_file(const struct journal_request *request, uint64_t file_id)
{
	for (unsigned i = 0; i < request->file_count; i++)
		if (request->files[i].file_id == file_id)
			return &request->files[i];
	return NULL;
}

static void note_missing(struct missing *missing, uint64_t file_id)
{
	bool known = journal_find_file(missing->request, file_id) != NULL;

	for (unsigned i = 0; i < missing->count; i++)
		known |= missing->ids[i] == file_id;
	if (known)
		return;
	if (missing->count < sizeof(missing->ids) / sizeof(missing->ids[0]))
		missing->ids[missing->count++] = file_id;
	else
		missing->more = 1;
}

/* Note the ids of every page that will be replayed. */
static int look_for_missing(struct missing *missing, struct reader *reader)
{
	int error = reader_scan(reader);

	for (uint32_t i = 0; i < reader->count && !error; i++) {
		const struct reader_frame *frame = &reader->frames[i];
		const uint8_t *bytes;
		uint64_t page = 0;

		if (frame->state != READER_LIVE)
			continue;
		error = reader_frame_bytes(reader, frame, &bytes);
		for (uint32_t j = 0; j < frame->count && !error; j++) {
			struct reader_entry entry;

			reader_entry(reader, bytes, frame, j, &page, &entry);
			if (!entry.done)
				note_missing(missing, entry.file.file_id);
		}
	}
	return error;
}

/* Has each id that a live frame names a file on the command line? */
static int check_ids(const struct journal_request *request, int fd)
{
	struct missing missing = {.request = request};
	char list[16 * 20 + 8] = "";
	struct reader reader;
	size_t used = 0;
	int error = reader_open(fd, &reader);

	if (!error)
		error = look_for_missing(&missing, &reader);
	reader_close(&reader);
	if (error)
		return journal_open_error(request, error);
	if (!missing.count)
		return TOOL_YES;
	for (unsigned i = 0; i < missing.count; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%llu", i ? ", " : "",
					 (unsigned long long)missing.ids[i]);
	return tool_error("%s: not recovered: no file is given for the ids %s%s: add ID=FILE for "
			  "each, or --gone ID to drop the pages of a file that is gone",
			  request->safe, list, missing.more ? ", ..." : "");
}

/* One file, or one device, perhaps under two nodes. */
static bool same_file(int fd, int other_fd)
{
	struct stat one, other;

	if (fstat(fd, &one) || fstat(other_fd, &other))
		return false;
	if (S_ISBLK(one.st_mode) && S_ISBLK(other.st_mode))
		return one.st_rdev == other.st_rdev;
	return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static int open_files(const struct journal_request *request, int journal_fd)
{

	for (unsigned i = 0; i < request->file_count; i++) {
		struct journal_file_name *file = &request->files[i];
		char sentence[TARGET_SENTENCE_SIZE], safe[TEXT_PATH_SIZE];

		if (!file->path)
			continue;
		text_path(file->path, safe, sizeof(safe));
		if (target_open(file->path, TARGET_FOR_WRITE, &file->target, sentence,
				sizeof(sentence)))
			return tool_error("%s: %s", safe, sentence);
		file->open = true;
		/* Pages of any length and place may come: TV4. */
		if (fcntl(file->target.fd, F_SETFL, fcntl(file->target.fd, F_GETFL) & ~O_DIRECT))
			return tool_error("%s: %s: check the path with ls -l", safe,
					  strerror(errno));
		if (same_file(file->target.fd, journal_fd))
			return tool_error("%s: the file is the journal itself, and recovery would "
					  "overwrite its frames: check which file has the id",
					  safe);
		for (unsigned j = 0; j < i; j++)
			if (request->files[j].open &&
			    same_file(file->target.fd, request->files[j].target.fd))
				return tool_error("%s: the file is given for two ids: check which "
						  "id is the file's",
						  safe);
	}
	return TOOL_YES;
}

static bool is_forced(const struct journal_request *request, uint64_t file_id)
{
	for (unsigned i = 0; i < request->forced_count; i++)
		if (request->forced[i] == file_id)
			return true;
	return false;
}

/* The second round of TV5: only files found right in the first round, and forced files. */
static int resolve(void *context, uint64_t file_id)
{
	const struct journal_request *request = context;
	const struct journal_file_name *file = journal_find_file(request, file_id);

	if (!file)
		return -ESRCH; /* TV1; checked by check_ids() */
	if (!file->path)
		return -ENOENT;
	if (file->told && file->fate.result && !is_forced(request, file_id))
		return file->fate.result;
	return file->target.fd;
}

static int choose(void *context, const struct atomicio_live_page *page)
{
	const struct journal_request *request = context;

	for (unsigned i = 0; i < request->keep_count; i++)
		if (request->keeps[i].file_id == page->file_id &&
		    request->keeps[i].offset == page->offset)
			return ATOMICIO_CHOOSE_SKIP;
	return ATOMICIO_CHOOSE_REPLAY;
}

static void report(void *context, const struct atomicio_recovered_file *fate)
{
	struct journal_file_name *file = journal_find_file(context, fate->file_id);

	if (!file)
		return;
	/* The first of two rounds may have written a part. */
	if (file->told) {
		const struct atomicio_recovered_file before = file->fate;

		file->fate = *fate;
		file->fate.pages += before.pages;
		file->fate.differs |= before.differs;
	} else {
		file->fate = *fate;
	}
	file->told = true;
}

/* Is a file left for its identity, although the user wants it written? */
static bool wants_second_round(const struct journal_request *request)
{
	for (unsigned i = 0; i < request->file_count; i++)
		if (request->files[i].told && request->files[i].fate.result == -ESTALE &&
		    is_forced(request, request->files[i].file_id))
			return true;
	return false;
}

/* Add the second round's results. */
static void add(struct atomicio_recovery *all, const struct atomicio_recovery *more)
{
	all->frames = more->frames > all->frames ? more->frames : all->frames;
	all->pages += more->pages;
	all->bytes += more->bytes;
	all->pages_skipped += more->pages_skipped;
	all->files += more->files;
	all->files_gone = more->files_gone > all->files_gone ? more->files_gone : all->files_gone;
	all->bytes_scanned += more->bytes_scanned;
	all->files_failed = more->files_failed;
	all->files_unverified += more->files_unverified;
}

/* TV5: nothing is forced on a file that needs no force. */
static int recover(const struct journal_request *request, struct journal_opened *opened,
		   struct atomicio_recovery *recovery)
{
	struct atomicio_recover_options options = {
		.report = report,
		.choose = request->keep_count ? choose : NULL,
		.flags = request->unreadable ? ATOMICIO_RECOVER_UNREADABLE : 0,
	};
	struct atomicio_recovery more = {0};
	void *context = (void *)(uintptr_t)request;
	int error = atomicio_journal_recover(opened->journal, resolve, context, &options,
					     sizeof(options), recovery, sizeof(*recovery));

	if (!error || !wants_second_round(request))
		return error;
	options.flags |= ATOMICIO_RECOVER_ANY_FILE;
	error = atomicio_journal_recover(opened->journal, resolve, context, &options,
					 sizeof(options), &more, sizeof(more));
	add(recovery, &more);
	return error;
}

static int recover_opened(const struct journal_request *request, struct journal_opened *opened)
{
	struct atomicio_recovery recovery = {0};
	int status;

	if (opened->info.state == ATOMICIO_JOURNAL_CORRUPT) {
		tool_error("%s: not recovered: the journal is corrupt: type atomicio journal check "
			   "%s",
			   request->safe, request->safe);
		return TOOL_CORRUPT;
	}
	if (opened->info.state == ATOMICIO_JOURNAL_TAIL_UNREADABLE && !request->unreadable)
		return journal_unreadable_error(request, opened->info.corrupt_offset);
	if (!request->list) {
		status = check_ids(request, opened->target.fd);
		if (status)
			return status;
	}
	status = open_files(request, opened->target.fd);
	if (status)
		return status;
	if (request->list)
		return journal_list(request, opened);
	return journal_put_recovery(request, &recovery, recover(request, opened, &recovery));
}

int action_recover(const struct journal_request *request)
{
	struct journal_opened opened;
	int status = journal_open_named(request, &opened);

	if (status)
		return status;
	status = recover_opened(request, &opened);
	journal_close_named(&opened);
	for (unsigned i = 0; i < request->file_count; i++)
		if (request->files[i].open)
			target_close(&request->files[i].target);
	return status;
}
