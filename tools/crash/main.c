/* SPDX-License-Identifier: MIT */
/*
 * atomicio-crash: power cuts and faults for anybody's program, without a virtual machine.
 *
 * Flow: `atomicio crash` starts this program; main() reads the options and calls the run
 * (supervise.c) or one of the servers (image.c, directory.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "directory.h"
#include "image.h"
#include "run.h"
#include "server.h"
#include "words.h"

int crash_error(const char *format, ...)
{
	char line[1024];
	va_list arguments;

	fflush(stdout);
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "atomicio: crash: %s\n", line);
	return RUN_ERROR;
}

static int help(void)
{
	puts("usage: atomicio crash run --fs ext4|xfs|btrfs --work 'CMD {}' --check 'CMD {}'\n"
	     "                          [--cuts N] [--seed S] [--size N] [--sector 512|4096]\n"
	     "       atomicio crash serve image DIRECTORY --size N [--sector 512|4096]\n"
	     "       atomicio crash serve directory SOURCE DIRECTORY [--mode "
	     "direct|cached|writeback]\n"
	     "Cut the power of a simulated disk under a program, and check what is left.\n"
	     "\n"
	     "run: a filesystem of this kernel on a disk with a volatile cache; {} is its mount "
	     "point.\n"
	     "The work writes until it is killed, and says on its standard output what it "
	     "promises:\n"
	     "  TRY key version   before it writes,\n"
	     "  ACK key version   when the write is durable,\n"
	     "  OLD key version   when it failed and the old page is still there.\n"
	     "The check is run on the disk after each cut, {} being where that is mounted; its "
	     "standard\n"
	     "input has for each key the last ACK and each later TRY.  It ends with 0 if each key "
	     "has\n"
	     "one of these versions, else the cut is bad, and the disk is kept.\n"
	     "  --cuts N        how many, 100\n"
	     "  --seed S        chooses what is lost, 1; the moments depend on the machine\n"
	     "  --size N        of the disk, with a suffix k, M or G\n"
	     "  --sector N      what the disk writes whole, 512 or 4096\n"
	     "  --all           go on after a bad cut, and count them\n"
	     "  --pause         stop the work while a cut is looked at: less is written "
	     "between two cuts\n"
	     "  --keep DIR      where the disk of the first bad cut is kept, .\n"
	     "  --timeout S     seconds for a check, and for the work to come to a cut, 30\n"
	     "  --fault WORDS   as in serve; \"flush drop times=0\" is a disk that lies\n"
	     "  --mkfs-options, --mount-options WORDS\n"
	     "It needs root.  Status 0: all good; 1: a bad cut; 2: an error, or nothing was "
	     "proved.\n"
	     "\n"
	     "serve: a file `image` with a volatile cache, or a directory, served by FUSE; "
	     "commands on\n"
	     "standard input, one line each.  man atomicio has them.");
	return 0;
}

static int parse_number(const char *text, uint64_t *value)
{
	unsigned shift = 0;

	if (!words_number(&text, value))
		return -EINVAL;
	if (*text == 'k' || *text == 'K')
		shift = 10;
	else if (*text == 'M')
		shift = 20;
	else if (*text == 'G')
		shift = 30;
	if (text[shift ? 1 : 0] || *value > UINT64_MAX >> shift)
		return -EINVAL;
	*value <<= shift;
	return 0;
}

enum {
	FS = 1,
	SIZE,
	CUTS,
	SEED,
	SECTOR,
	WORK,
	CHECK,
	KEEP,
	ALL,
	TIMEOUT,
	FAULT,
	MKFS,
	MOUNT,
	MODE,
	PAUSE
};

static const struct option long_options[] = {{"fs", required_argument, NULL, FS},
					     {"size", required_argument, NULL, SIZE},
					     {"cuts", required_argument, NULL, CUTS},
					     {"seed", required_argument, NULL, SEED},
					     {"sector", required_argument, NULL, SECTOR},
					     {"work", required_argument, NULL, WORK},
					     {"check", required_argument, NULL, CHECK},
					     {"keep", required_argument, NULL, KEEP},
					     {"all", no_argument, NULL, ALL},
					     {"pause", no_argument, NULL, PAUSE},
					     {"timeout", required_argument, NULL, TIMEOUT},
					     {"fault", required_argument, NULL, FAULT},
					     {"mkfs-options", required_argument, NULL, MKFS},
					     {"mount-options", required_argument, NULL, MOUNT},
					     {"mode", required_argument, NULL, MODE},
					     {"help", no_argument, NULL, 'h'},
					     {NULL, 0, NULL, 0}};

struct command_line {
	struct run_options run;
	const char *mode;
};

static int take_number(struct run_options *run, int option)
{
	uint64_t number;

	if (parse_number(optarg, &number))
		return crash_error("'%s' is no number", optarg);
	if (option == SIZE) {
		run->size = number / 4096 * 4096;
	} else if (option == SEED) {
		run->seed = number;
	} else if (option == CUTS) {
		if (!number || number > 1000000)
			return crash_error("--cuts is 1 to 1000000");
		run->cuts = (uint32_t)number;
	} else if (option == TIMEOUT) {
		if (!number || number > 3600)
			return crash_error("--timeout is 1 to 3600 seconds");
		run->timeout = (uint32_t)number;
	} else {
		if (number != 512 && number != 4096)
			return crash_error("--sector is 512 or 4096");
		run->sector = (uint32_t)number;
	}
	return 0;
}

static int take_fault(struct run_options *run)
{
	struct faults faults = {.count = 0};
	char words[256];
	const char *wrong;

	if (run->fault_count == RUN_FAULTS_MAX || strlen(optarg) >= sizeof(words))
		return crash_error("there are too many faults, or one is too long");
	memcpy(words, optarg, strlen(optarg) + 1);
	wrong = fault_add(&faults, words);
	if (wrong)
		return crash_error("--fault '%s': %s", optarg, wrong);
	run->faults[run->fault_count++] = optarg;
	return 0;
}

static int take_option(struct command_line *line, int option, char **argv)
{
	struct run_options *run = &line->run;
	const char **const texts[] = {
		[WORK] = &run->work,	     [CHECK] = &run->check,	    [KEEP] = &run->keep,
		[MKFS] = &run->mkfs_options, [MOUNT] = &run->mount_options, [MODE] = &line->mode};

	switch (option) {
	case FS:
		run->fs = filesystem_find(optarg);
		return run->fs ? 0 : crash_error("--fs is ext4, xfs or btrfs");
	case ALL:
		run->goes_on = true;
		return 0;
	case PAUSE:
		run->pauses = true;
		return 0;
	case FAULT:
		return take_fault(run);
	case SIZE:
	case CUTS:
	case SEED:
	case SECTOR:
	case TIMEOUT:
		return take_number(run, option);
	case ':':
		return crash_error("%s: a value is missing", argv[optind - 1]);
	case '?':
		return crash_error("the option '%s' is not known or takes no value: type atomicio "
				   "crash --help",
				   argv[optind - 1]);
	default:
		*texts[option] = optarg;
		return 0;
	}
}

static int check_run(struct run_options *run)
{
	char least[24], size[24];

	if (!run->work || !strstr(run->work, "{}"))
		return crash_error("--work 'CMD {}' is missing, or has no {} for the mount point");
	if (!run->check || !strstr(run->check, "{}"))
		return crash_error("--check 'CMD {}' is missing, or has no {} for the mount point");
	if (!run->size)
		run->size = run->fs->size;
	if (run->size < run->fs->size_min)
		return crash_error("--size %s is too small: %s needs %s",
				   filesystem_size_text(run->size, size), run->fs->name,
				   filesystem_size_text(run->fs->size_min, least));
	if (run->keep && access(run->keep, W_OK | X_OK) < 0)
		return crash_error("%s: %s", run->keep, strerror(errno));
	return 0;
}

/* The needs of a run: a chroot may have none of these. */
static const struct {
	const char *path;
	int mode;
	const char *remedy;
} needed[] = {
	{"/proc/self", F_OK, "type mount -t proc proc /proc"},
	{"/sys/block", F_OK, "type mount -t sysfs sysfs /sys"},
	{"/dev/null", R_OK | W_OK, "type mount -t devtmpfs devtmpfs /dev"},
	{"/dev/ptmx", R_OK | W_OK, "type mount -t devtmpfs devtmpfs /dev"},
	{"/dev/pts/ptmx", F_OK, "type mount -t devpts devpts /dev/pts"},
	{"/dev/fuse", R_OK | W_OK, "load the kernel module fuse"},
	{"/dev/loop-control", R_OK | W_OK, "load the kernel module loop"},
};

/* The needs from the machine: NULL, or a sentence of advice. */
static int check_machine(const struct run_options *run)
{
	char path[64];

	if (geteuid() != 0)
		return crash_error("needs root, to mount filesystems and make loop devices");
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (access(needed[i].path, needed[i].mode) < 0)
			return crash_error("%s: %s: %s", needed[i].path, strerror(errno),
					   needed[i].remedy);
	snprintf(path, sizeof(path), "command -v mkfs.%s >/dev/null", run->fs->name);
	if (system(path) != 0) /* NOLINT(cert-env33-c): a constant, in a PATH of root's */
		return crash_error("mkfs.%s is missing: install the package %s", run->fs->name,
				   run->fs->package);
	return 0;
}

static int command_run(struct command_line *line, int argc)
{
	int status;

	if (optind < argc)
		return crash_error("run takes options only: type atomicio crash --help");
	if (!line->run.fs) {
		crash_error("--fs is missing: ext4, xfs or btrfs");
		return RUN_ERROR;
	}
	status = check_run(&line->run);
	if (status)
		return status;
	status = check_machine(&line->run);
	return status ? status : run_supervised(&line->run);
}

static int serve_image(struct command_line *line, int argc, char **argv)
{
	if (argc - optind != 1 || !line->run.size)
		return crash_error("type atomicio crash serve image DIRECTORY --size N");
	server.oracle = NULL;
	return image_serve(argv[optind], line->run.size, line->run.sector);
}

static int serve_directory(struct command_line *line, int argc, char **argv)
{
	if (argc - optind != 2)
		return crash_error("type atomicio crash serve directory SOURCE DIRECTORY");
	return directory_serve(argv[optind], argv[optind + 1], line->mode);
}

static int command_serve(struct command_line *line, int argc, char **argv)
{
	const char *what = optind < argc ? argv[optind++] : "";
	int status;

	server.in = STDIN_FILENO;
	server.out = STDOUT_FILENO;
	if (!strcmp(what, "image"))
		status = serve_image(line, argc, argv);
	else if (!strcmp(what, "directory"))
		status = serve_directory(line, argc, argv);
	else
		return crash_error(
			"serve is of an image or a directory: type atomicio crash --help");
	return status ? status : server_say_what_never_fired();
}

int main(int argc, char **argv)
{
	struct command_line line = {.run = {.cuts = 100, .seed = 1, .sector = 512, .timeout = 30},
				    .mode = "cached"};
	const char *command;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		if (option == 'h')
			return help();
		if (take_option(&line, option, argv))
			return RUN_ERROR;
	}
	command = optind < argc ? argv[optind++] : "";
	if (!strcmp(command, "run"))
		return command_run(&line, argc);
	if (!strcmp(command, "serve"))
		return command_serve(&line, argc, argv);
	if (!strcmp(command, "help"))
		return help();
	return crash_error("the command is run or serve: type atomicio crash --help");
}
