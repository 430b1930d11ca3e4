/* SPDX-License-Identifier: MIT */
/*
 * The results of bench, as tables for people or as a JSON object.
 *
 * Flow: called last by bench.c; the conclusions are those of bench_advice.c.
 */
#include "json.h"
#include "bench.h"
#include "tool.h"
#include "words.h"

static const char *const shape_titles[WAYS_SHAPES] = {
	"one durable page a call",
	"64 pages in one durable call",
	"64 pages, one a call, then one sync",
};

/* The kernel path is named after the maker of its untorn writes: the figure of interest. */
const char *bench_way_name(const struct bench *bench, enum ways_way way)
{
	switch (way) {
	case WAYS_KERNEL:
		return word_kernel_path(bench->size <= bench->caps.direct.unit_max_hw);
	case WAYS_JOURNAL:
		return word_ways[WAYS_JOURNAL];
	case WAYS_DOUBLE:
		return "double write";
	default:
		return word_ways[WAYS_PLAIN];
	}
}

static void put_table(const struct bench *bench, const struct bench_mode *mode,
		      enum ways_shape shape)
{
	printf("\n%s file, %s:\n", word_file_mode(mode->direct), shape_titles[shape]);
	printf("  %-14s %-7s %10s %10s %10s %10s %14s\n", "WAY", "THROUGH", "PAGES/S", "OVERALL",
	       "P50-US", "P99-US", "OF-UNPROTECTED");
	for (uint32_t way = 0; way < BENCH_WAYS; way++) {
		const struct bench_result *result = &mode->results[shape][way];

		if (result->rounds)
			printf("  %-14s %-7s %10.0f %10.0f %10.0f %10.0f %13.2fx\n",
			       bench_way_name(bench, (enum ways_way)way),
			       ways_engine_name((enum ways_way)way, result->engine),
			       result->pages_per_second, result->overall, result->p50_us,
			       result->p99_us, result->to_plain);
	}
}

void bench_put_text(const struct bench *bench)
{
	const struct atomicio_caps *caps = &bench->caps;
	char size[32];

	printf("%s: %s on %s, Linux %u.%u.%u, pages of %s\n", bench->safe,
	       caps->filesystem_type[0] ? caps->filesystem_type : "an unknown filesystem",
	       caps->disk_name[0] ? caps->disk_name : "an unknown disk", caps->kernel_major,
	       caps->kernel_minor, caps->kernel_patch, text_size(bench->size, size, sizeof(size)));
	printf("A flush costs %.0f us (median of %u).\n", bench->flush_us, bench->flushes);
	for (uint32_t i = 0; i < bench->mode_count; i++)
		for (uint32_t shape = 0; shape < WAYS_SHAPES; shape++)
			put_table(bench, &bench->modes[i], (enum ways_shape)shape);
	bench_put_advice(bench);
}

static void put_json_shape(struct json *json, const struct bench_mode *mode, enum ways_shape shape)
{
	enum ways_way fastest;
	double factor;

	json_begin(json, NULL, '{');
	json_string(json, "shape", word_shapes[shape]);
	json_unsigned(json, "pages", shape == WAYS_PAGE ? 1 : BENCH_BATCH);
	json_begin(json, "ways", '{');
	for (uint32_t way = 0; way < BENCH_WAYS; way++) {
		const struct bench_result *result = &mode->results[shape][way];

		if (!result->rounds) {
			json_null(json, word_ways[way]);
			continue;
		}
		json_begin(json, word_ways[way], '{');
		json_unsigned(json, "rounds", result->rounds);
		json_string(json, "through", ways_engine_name((enum ways_way)way, result->engine));
		json_decimal(json, "pages_per_second", result->pages_per_second);
		json_decimal(json, "pages_per_second_overall", result->overall);
		json_decimal(json, "p50_us", result->p50_us);
		json_decimal(json, "p99_us", result->p99_us);
		json_decimal(json, "of_unprotected", result->to_plain);
		json_decimal(json, "of_journal", result->to_journal);
		json_end(json, '}');
	}
	json_end(json, '}');
	fastest = bench_fastest(mode, shape, &factor);
	json_string(json, "auto", word_ways[mode->by_auto[shape]]);
	json_string(json, "fastest", word_ways[fastest]);
	json_decimal(json, "fastest_of_auto", factor);
	json_end(json, '}');
}

void bench_put_json(const struct bench *bench)
{
	struct json json = {.out = stdout};

	json_begin(&json, NULL, '{');
	json_string(&json, "directory", bench->directory);
	json_unsigned(&json, "size", bench->size);
	json_unsigned(&json, "seconds", bench->seconds);
	json_string(&json, "filesystem", bench->caps.filesystem_type);
	json_string(&json, "disk", bench->caps.disk_name);
	json_begin(&json, "kernel", '[');
	json_unsigned(&json, NULL, bench->caps.kernel_major);
	json_unsigned(&json, NULL, bench->caps.kernel_minor);
	json_unsigned(&json, NULL, bench->caps.kernel_patch);
	json_end(&json, ']');
	json_decimal(&json, "flush_us", bench->flush_us);
	json_begin(&json, "files", '[');
	for (uint32_t i = 0; i < bench->mode_count; i++) {
		const struct bench_mode *mode = &bench->modes[i];

		json_begin(&json, NULL, '{');
		json_string(&json, "file", word_file_mode(mode->direct));
		json_string(&json, "kernel_path",
			    mode->why_not ? NULL : bench_way_name(bench, WAYS_KERNEL));
		probe_json_reasons(&json, "reasons", mode->why_not);
		json_begin(&json, "shapes", '[');
		for (uint32_t shape = 0; shape < WAYS_SHAPES; shape++)
			put_json_shape(&json, mode, (enum ways_shape)shape);
		json_end(&json, ']');
		json_end(&json, '}');
	}
	json_end(&json, ']');
	json_end(&json, '}');
}
