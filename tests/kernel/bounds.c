/* SPDX-License-Identifier: MIT */
/*
 * Goal: exactly the writes that the probe promises are made, each whole, and no other byte of
 * the file ever changes.
 *
 * Method: on XFS with reflink, every length around every power of two from 512 to twice
 * unit_max, at aligned and unaligned offsets.  A model of the file in memory follows the
 * accepted writes; after each call the file is compared with it around the range, and as a
 * whole at the end.
 */
#include "kernel_test.h"

#define NAME "bounds"

static uint8_t *model;
static size_t model_size;
static uint32_t accepted, refused;

/* The file equals the model within [offset - margin, offset + length + margin). */
static int agrees(int fd, uint64_t offset, uint64_t length, uint64_t margin)
{
	const uint64_t from = offset > margin ? offset - margin : 0;
	uint64_t to = offset + length + margin;
	uint8_t *found;
	int same;

	if (to > model_size)
		to = model_size;
	found = kernel_memory(to - from + 1);
	same = pread(fd, found, to - from, (off_t)from) == (ssize_t)(to - from) &&
	       !memcmp(found, model + from, to - from);
	free(found);
	return same;
}

static int untorn_shape(const struct atomicio_limits *limits, uint64_t length, uint64_t offset)
{
	return length >= limits->unit_min && length <= limits->unit_max &&
	       (length & (length - 1)) == 0 && offset % length == 0;
}

/* One write, and all conditions after the write. */
static void attempt(struct atomicio_file *file, int reader, const struct atomicio_limits *limits,
		    uint64_t length, uint64_t offset)
{
	static uint32_t seed = 100;
	uint8_t *page;
	int error, wanted;

	if (!length || offset + length > model_size)
		return;
	wanted = untorn_shape(limits, length, offset);
	page = kernel_memory(length);
	kernel_fill(page, length, offset, ++seed);
	if (wanted)
		memcpy(model + offset, page, length);
	error = atomicio_write(file, page, length, offset, 0);
	if (error != (wanted ? 0 : -EINVAL) || !agrees(reader, offset, length, 64 * KIB) ||
	    (atomicio_check(file, page, length, offset) == 0) != wanted)
		printf("# length %" PRIu64 " offset %" PRIu64 "\n", length, offset);
	CHECK_EQ(error, wanted ? 0 : -EINVAL);
	CHECK_EQ(atomicio_check(file, page, length, offset) == 0, wanted);
	CHECK(agrees(reader, offset, length, 64 * KIB));
	*(wanted ? &accepted : &refused) += 1;
	free(page);
}

/* A9, A25 */
static void every_size_and_alignment_is_whole_or_refused(void)
{
	static const int64_t around[] = {0, -512, 512, -1, 1, -4096, 4096};
	struct atomicio_limits limits;
	struct atomicio_file *file;
	char path[4096];
	int fd, reader;

	fd = kernel_file(NAME, 4096, O_RDWR | O_DIRECT);
	limits = kernel_caps(file = kernel_open(fd, NULL)).direct;
	CHECK(limits.unit_min > 0 && limits.unit_max >= 64 * KIB);
	atomicio_close(file);
	close(fd);

	model_size = (size_t)limits.unit_max * 4;
	model = kernel_memory(model_size);
	kernel_fill(model, model_size, 0, 1);
	fd = kernel_file(NAME, model_size, O_RDWR | O_DIRECT);
	file = kernel_open(fd, NULL);
	snprintf(path, sizeof(path), "%s/%s", kernel_directory, NAME);
	reader = open(path, O_RDONLY);
	MUST(reader);

	for (int64_t size = 512; size <= (int64_t)limits.unit_max * 2; size *= 2) {
		for (size_t i = 0; i < sizeof(around) / sizeof(*around); i++) {
			const int64_t places[] = {0, 512, 4096, size / 2, size, size * 3};

			for (size_t j = 0; j < sizeof(places) / sizeof(*places); j++)
				if (size + around[i] > 0)
					attempt(file, reader, &limits, (uint64_t)(size + around[i]),
						(uint64_t)places[j]);
		}
		attempt(file, reader, &limits, (uint64_t)size + (uint64_t)size / 2, 0);
	}
	CHECK(agrees(reader, 0, model_size, 0));
	printf("# unit %u to %u: %u writes made, %u refused\n", limits.unit_min, limits.unit_max,
	       accepted, refused);
	CHECK(accepted >= 20 && refused >= 100);
	CHECK_EQ(kernel_stats(file).writes_filesystem, accepted);
	CHECK_EQ(kernel_stats(file).writes_failed, refused);
	CHECK_EQ(kernel_stats(file).failures[ATOMICIO_KIND_SHAPE], refused);
	atomicio_close(file);
	free(model);
	close(reader);
	close(fd);
}

/* A33 */
static void a_write_into_a_hole_or_past_the_end_is_whole(void)
{
	int fd = kernel_file(NAME, 0, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);

	MUST(ftruncate(fd, 256 * KIB));
	CHECK_EQ(kernel_write(file, 7, 64 * KIB, 64 * KIB, 0), 0);
	CHECK(kernel_holds(NAME, 64 * KIB, 64 * KIB, 7));
	CHECK_EQ(kernel_write(file, 8, 64 * KIB, 256 * KIB, ATOMICIO_DSYNC), 0);
	CHECK_EQ(kernel_size(NAME), 320 * KIB);
	CHECK(kernel_holds(NAME, 256 * KIB, 64 * KIB, 8));
	CHECK_EQ(kernel_write(file, 9, 32 * KIB, MIB, 0), 0);
	CHECK_EQ(kernel_size(NAME), MIB + 32 * KIB);
	CHECK(kernel_holds(NAME, MIB, 32 * KIB, 9));
	CHECK_EQ(atomicio_sync(file), 0);
	CHECK_EQ(kernel_stats(file).syncs, 1);
	CHECK_EQ(kernel_stats(file).bytes, 160 * KIB);
	atomicio_close(file);
	close(fd);
}

static void misuse_is_refused_and_leaves_the_file_alone(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	uint8_t *page = kernel_memory(16 * KIB);

	CHECK_EQ(atomicio_write(file, NULL, 16 * KIB, 0, 0), -EINVAL);
	CHECK_EQ(atomicio_write(file, page, 0, 0, 0), -EINVAL);
	CHECK_EQ(atomicio_write(file, page, 16 * KIB, 0, 0x80000000u), -EINVAL);
	CHECK_EQ(atomicio_write(file, page, 16 * KIB, 0, ATOMICIO_ALL_OR_NONE), -EINVAL);
	CHECK_EQ(atomicio_write(file, page, 16 * KIB, UINT64_MAX, 0), -EINVAL);
	CHECK_EQ(atomicio_write(file, page, 16 * KIB, (uint64_t)INT64_MAX + 1, 0), -EINVAL);
	CHECK_EQ(atomicio_write(file, page, SIZE_MAX, 0, 0), -EINVAL);
	CHECK(atomicio_check(file, NULL, 16 * KIB, 0));
	CHECK(atomicio_check(file, page, 0, 0));
	CHECK(atomicio_check(file, page, 16 * KIB, (uint64_t)INT64_MAX + 1));
	CHECK(kernel_holds(NAME, 0, 64 * KIB, 1));
	CHECK_EQ(kernel_size(NAME), 64 * KIB);
	errno = 4711;
	CHECK_EQ(atomicio_write(file, page, 5000, 0, 0), -EINVAL);
	CHECK_EQ(errno, 4711);
	atomicio_close(file);
	free(page);
	close(fd);
}

/* A7 */
static void xfs_without_hardware_is_told_apart_from_hardware(void)
{
	int fd = kernel_file(NAME, 64 * KIB, O_RDWR | O_DIRECT);
	struct atomicio_file *file = kernel_open(fd, NULL);
	const struct atomicio_caps caps = kernel_caps(file);

	CHECK_EQ(caps.direct.mechanism, ATOMICIO_MECHANISM_FILESYSTEM);
	CHECK_EQ(caps.direct.unit_max_hw, 0);
	CHECK_EQ(caps.direct.unit_max, caps.statx_unit_max);
	CHECK_EQ(caps.direct.segments_max, 1);
	CHECK_EQ(caps.buffered.mechanism, ATOMICIO_MECHANISM_NONE);
	CHECK_EQ(caps.confirm_result, -EINVAL);
	CHECK(caps.evidence & ATOMICIO_EVIDENCE_QUEUE);
	CHECK(caps.evidence & ATOMICIO_EVIDENCE_CONFIRM);
	CHECK(caps.reasons & ATOMICIO_REASON_XFS_SOFTWARE);
	CHECK(!strcmp(caps.filesystem_type, "xfs"));
	CHECK(!strncmp(caps.disk_name, "loop", 4));
	CHECK_EQ(kernel_write(file, 3, caps.direct.unit_min, 0, 0), 0);
	CHECK_EQ(kernel_stats(file).writes_filesystem, 1);
	CHECK_EQ(kernel_stats(file).writes_hardware, 0);
	atomicio_close(file);
	close(fd);
}

int main(int argc, char **argv)
{
	static const struct kernel_test tests[] = {
		TEST(every_size_and_alignment_is_whole_or_refused),
		TEST(a_write_into_a_hole_or_past_the_end_is_whole),
		TEST(misuse_is_refused_and_leaves_the_file_alone),
		TEST(xfs_without_hardware_is_told_apart_from_hardware),
	};

	return kernel_main(argc, argv, tests, sizeof(tests) / sizeof(*tests));
}
