/* SPDX-License-Identifier: MIT */
/*
 * Faults that a server makes on demand (faults.h).
 *
 * Flow: leaf of the servers.
 */
#define _GNU_SOURCE
#include "faults.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "words.h"

#define NAME(error)                                                                                \
	{                                                                                          \
#error, error                                                                      \
	}

int fault_errno(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {
		NAME(EIO),	 NAME(EINVAL),	NAME(EOPNOTSUPP), NAME(EAGAIN),	   NAME(ENOSPC),
		NAME(EREMOTEIO), NAME(ENODATA), NAME(EILSEQ),	  NAME(ETIMEDOUT), NAME(ENOLINK),
		NAME(EBADE),	 NAME(ENODEV),	NAME(ENOMEM),	  NAME(EBUSY),	   NAME(EDQUOT),
		NAME(EROFS),	 NAME(EINTR),	NAME(EFBIG),	  NAME(EPERM),	   NAME(EACCES),
		NAME(ENOTBLK),	 NAME(ESTALE),	NAME(ENXIO),	  NAME(EFAULT),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i].name))
			return names[i].error;
	return 0;
}

static bool parse_operation(const char *word, struct fault *fault)
{
	static const char *const names[] = {"read", "write", "flush", "discard"};

	for (uint32_t i = 0; word && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(word, names[i])) {
			fault->operation = (enum fault_operation)i;
			return true;
		}
	return false;
}

static bool parse_action(const char *word, struct fault *fault)
{
	uint64_t delay;

	if (!word)
		return false;
	fault->action = FAULT_ERROR;
	fault->error = fault_errno(word);
	if (fault->error)
		return true;
	if (!strcmp(word, "drop")) {
		fault->action = FAULT_DROP;
	} else if (!strcmp(word, "tear")) {
		fault->action = FAULT_TEAR;
		fault->error = EIO;
	} else if (!strcmp(word, "hang")) {
		fault->action = FAULT_SLOW;
		fault->delay = FAULT_HANG;
	} else if (words_are(word, "slow=", &delay) && delay < 3600000) {
		fault->action = FAULT_SLOW;
		fault->delay = (uint32_t)delay;
	} else {
		return false;
	}
	return true;
}

static bool parse_content(const char *text, struct fault *fault)
{
	const size_t length = strlen(text);

	if (!length || length >= sizeof(fault->content))
		return false;
	memcpy(fault->content, text, length + 1);
	return true;
}

static bool parse_where(const char *word, struct fault *fault)
{
	if (words_are(word, "nth=", &fault->nth))
		return fault->nth != 0;
	if (words_are(word, "every=", &fault->every))
		return fault->every != 0;
	if (words_are(word, "times=", &fault->times)) {
		if (!fault->times)
			fault->times = UINT64_MAX;
		return true;
	}
	if (words_take(&word, "content="))
		return parse_content(word, fault);
	return words_take(&word, "at=") && words_number(&word, &fault->offset) &&
	       words_are(word, "+", &fault->length) && fault->length;
}

const char *fault_add(struct faults *faults, char *words)
{
	struct fault fault = {.nth = 1, .every = 1, .times = 1};
	char *rest = words, *word;

	if (faults->count == FAULTS_MAX)
		return "there are too many faults";
	if (!parse_operation(strsep(&rest, " "), &fault))
		return "a fault is of read, write, flush or discard";
	if (!rest || !parse_action(strsep(&rest, " "), &fault))
		return "the action is an errno, drop, tear, hang or slow=MILLISECONDS";
	while ((word = strsep(&rest, " ")))
		if (*word && !parse_where(word, &fault))
			return "there are nth=N, every=N, times=N, at=OFFSET+LENGTH and "
			       "content=TEXT";
	faults->list[faults->count++] = fault;
	return NULL;
}

static bool matches(const struct fault *fault, enum fault_operation operation, const void *bytes,
		    uint64_t length, uint64_t offset)
{
	if (fault->operation != operation)
		return false;
	if (fault->length &&
	    (offset >= fault->offset + fault->length || offset + length <= fault->offset))
		return false;
	return !fault->content[0] ||
	       (bytes && memmem(bytes, length, fault->content, strlen(fault->content)));
}

const struct fault *fault_of(struct faults *faults, enum fault_operation operation,
			     const void *bytes, uint64_t length, uint64_t offset)
{
	const struct fault *met = NULL;

	for (uint32_t i = 0; i < faults->count; i++) {
		struct fault *fault = &faults->list[i];

		if (met || !matches(fault, operation, bytes, length, offset))
			continue;
		fault->seen++;
		if (fault->seen < fault->nth || fault->fired >= fault->times ||
		    (fault->seen - fault->nth) % fault->every)
			continue;
		fault->fired++;
		met = fault;
	}
	return met;
}
