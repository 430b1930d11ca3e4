/* SPDX-License-Identifier: MIT */
/*
 * The judge of one round gives the guest a command, keeps the records, kills the guest, and judges.
 *
 * Flow: crash.sh starts the judge before each restored machine, on the socket of the channel's
 * disk; the judge ends with the machine.  A record is answered only after its judgment: a guest
 * whose pages are wrong cannot write over them.
 *
 *	kill_judge round STATE SOCKET SEED DISKS kill|check	one line on stdout
 *	kill_judge fresh STATE		the disks that need a new filesystem
 *	kill_judge forget STATE		all disks need a new filesystem
 *	kill_judge report STATE		a line of counts, and a line per target
 *
 * The seed decides the moment of the kill.  One kill in four falls into mount, recovery or check:
 * the delay is a part of the time that the last round took from the command to the first writes.
 * The delay of the other kills is a part of that time, or of a second, counted from the moment when
 * the lanes of all disks have begun.  Exit of round: 0 all right; 1 with a line that names the
 * fault.
 */
#define _GNU_SOURCE
#include "kill_model.h"
#include "nbd_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL_SIZE (1U << 20)
#define HANG_S 120
#define WRITING_MS 900

struct judge {
	struct model model;
	struct nbd_disk nbd;
	char sector[CHANNEL_SIZE]; /* the answer to a read of the channel */
	uint64_t seed;
	uint32_t disks, begun;
	struct timespec asked_at;
	long ready_ms; /* from the command until all lanes began */
	bool only_check, asked, early;
	char problem[512];
};

static struct judge judge;
static volatile sig_atomic_t hung, killed;

/* The kill, or the end of our patience. */
static void on_alarm(int number)
{
	(void)number;
	if (judge.nbd.client > 0)
		kill(judge.nbd.client, SIGKILL);
	killed = 1;
}

static void on_hang(int number)
{
	hung = 1;
	on_alarm(number);
}

/* Without SA_RESTART: a signal ends every wait. */
static void on_signal(void (*handler)(int))
{
	const struct sigaction action = {.sa_handler = handler};

	sigaction(SIGALRM, &action, NULL);
}

static void kill_in(uint64_t microseconds)
{
	const struct itimerval timer = {.it_value = {(time_t)(microseconds / 1000000),
						     (suseconds_t)(microseconds % 1000000 + 1)}};

	on_signal(on_alarm);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static long milliseconds_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	judge.model.ready_ms = 1000;
	if (fd < 0)
		return; /* the first round */
	if (read(fd, &judge.model, sizeof(judge.model)) != (ssize_t)sizeof(judge.model)) {
		fprintf(stderr, "kill_judge: %s is damaged\n", path);
		exit(2);
	}
	close(fd);
}

static void save(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, &judge.model, sizeof(judge.model)) != sizeof(judge.model)) {
		perror(path);
		exit(2);
	}
	close(fd);
}

static void make_command(void)
{
	struct kill_command command = {
		.magic = KILL_MAGIC, .disks = judge.disks, .check = judge.only_check};
	uint64_t random = judge.seed;

	for (uint32_t disk = 0; disk < judge.disks; disk++) {
		if (!judge.model.made[disk]) {
			command.fresh |= 1U << disk;
			model_fresh(&judge.model, disk, kill_random(&random));
		}
		command.life[disk] = judge.model.life[disk];
	}
	for (uint32_t i = 0; i < KILL_TARGETS; i++) {
		const struct model_target *now = &judge.model.targets[i];

		/* After the check, numbers begin above what may have begun; see settle(). */
		for (uint32_t lane = 0; lane < kill_targets[i].lanes; lane++)
			command.start[i][lane] =
				(now->done[lane] ? now->done[lane] + 1 : now->start[lane]) + 1;
	}
	memcpy(judge.sector, &command, sizeof(command));
}

static const char *on_read(void *context, uint64_t offset)
{
	uint64_t random = judge.seed ^ 0x6b696c6cU;

	(void)context;
	if (offset == 0 && !judge.asked) {
		judge.asked = true;
		clock_gettime(CLOCK_MONOTONIC, &judge.asked_at);
		if (!judge.only_check && kill_random(&random) % 4 == 0) {
			judge.early = true;
			kill_in(kill_random(&random) % (judge.model.ready_ms * 1000));
		}
	}
	return judge.sector + offset;
}

static void on_flush(void *context)
{
	(void)context;
}

static void wrong(const char *text)
{
	if (judge.problem[0] == '\0')
		snprintf(judge.problem, sizeof(judge.problem), "%s", text);
	kill_in(0);
	while (!killed)
		usleep(1000);
}

static void on_begun(uint32_t disk)
{
	uint64_t random = judge.seed ^ 0x626567U, range = WRITING_MS;

	judge.begun |= 1U << disk;
	if (judge.begun != (1U << judge.disks) - 1)
		return;
	judge.ready_ms = milliseconds_since(&judge.asked_at);
	judge.model.ready_ms = (uint64_t)judge.ready_ms + 1;
	/* A host that is busy elsewhere gets as much written, in more time. */
	if (judge.model.ready_ms > range)
		range = judge.model.ready_ms;
	if (!judge.early)
		kill_in(judge.only_check ? 0 : 50000 + kill_random(&random) % (range * 1000));
}

static void on_record(const struct kill_record *record, uint32_t length)
{
	struct model_count *count = &judge.model.counts[record->target % KILL_TARGETS];
	char problem[256];

	switch (record->kind) {
	case KILL_MADE:
		model_made(&judge.model, record->disk);
		break;
	case KILL_RECOVERED:
		count->frames += record->number;
		count->frame_checks += record->number > 0;
		count->tails_torn += record->tail_torn;
		break;
	case KILL_FOUND:
		if (length < sizeof(*record))
			wrong("a record is too short");
		if (!model_found(&judge.model, record->target, record->versions, problem,
				 sizeof(problem)))
			wrong(problem);
		break;
	case KILL_BEGUN:
		on_begun(record->disk);
		break;
	case KILL_DONE:
		if (!model_done(&judge.model, record->target, record->lane, record->number))
			wrong("the guest counts wrongly");
		break;
	default:
		wrong(record->kind == KILL_WRONG ? record->text : "a record of no known kind");
	}
}

static void on_write(void *context, uint64_t offset, uint32_t length, char *data, bool fua)
{
	struct kill_record record = {0};

	(void)context;
	(void)offset;
	(void)fua;
	memcpy(&record, data, length < sizeof(record) ? length : sizeof(record));
	free(data);
	record.text[sizeof(record.text) - 1] = '\0';
	if (record.magic != KILL_MAGIC || record.target >= KILL_TARGETS ||
	    record.lane >= KILL_LANES || record.disk >= judge.disks)
		wrong("a record that is none");
	else
		on_record(&record, length);
}

static int round_command(char **argv)
{
	static volatile sig_atomic_t never;
	uint64_t before[KILL_TARGETS];

	load(argv[2]);
	judge.seed = strtoull(argv[4], NULL, 0);
	judge.disks = (uint32_t)strtoul(argv[5], NULL, 0);
	judge.only_check = strcmp(argv[6], "check") == 0;
	if (judge.disks == 0 || judge.disks > KILL_DISKS)
		return 2;
	make_command();
	for (uint32_t i = 0; i < KILL_TARGETS; i++)
		before[i] = judge.model.counts[i].acknowledged;
	judge.nbd = (struct nbd_disk){.size = CHANNEL_SIZE,
				      .read = on_read,
				      .write = on_write,
				      .flush = on_flush,
				      .stop = &never};
	signal(SIGPIPE, SIG_IGN);
	on_signal(on_hang);
	alarm(HANG_S);
	nbd_serve(argv[3], &judge.nbd);
	if (hung)
		snprintf(judge.problem, sizeof(judge.problem), "nothing came in %d s", HANG_S);
	else if (!killed && judge.problem[0] == '\0')
		snprintf(judge.problem, sizeof(judge.problem), "the machine ended by itself");
	judge.model.rounds++;
	judge.model.kills += !judge.only_check;
	judge.model.kills_early += !judge.only_check && judge.begun != (1U << judge.disks) - 1;
	printf("seed=%s begun=%u ready_ms=%ld end_ms=%ld done=", argv[4], judge.begun,
	       judge.ready_ms, judge.asked ? milliseconds_since(&judge.asked_at) : -1);
	for (uint32_t i = 0; i < KILL_TARGETS; i++)
		printf("%llu,",
		       (unsigned long long)(judge.model.counts[i].acknowledged - before[i]));
	printf(" %s\n", judge.problem);
	save(argv[2]);
	return judge.problem[0] != '\0';
}

static int report_command(void)
{
	const struct model *model = &judge.model;

	printf("kills=%llu early=%llu rounds=%llu\n", (unsigned long long)model->kills,
	       (unsigned long long)model->kills_early, (unsigned long long)model->rounds);
	for (uint32_t i = 0; i < KILL_TARGETS; i++) {
		const struct model_count *count = &model->counts[i];

		if (count->checks == 0)
			continue;
		printf("target=%s checks=%llu acknowledged=%llu new=%llu torn=%llu "
		       "recoveries=%llu frames=%llu tails=%llu\n",
		       kill_targets[i].name, (unsigned long long)count->checks,
		       (unsigned long long)count->acknowledged,
		       (unsigned long long)count->found_new, (unsigned long long)count->torn,
		       (unsigned long long)count->frame_checks, (unsigned long long)count->frames,
		       (unsigned long long)count->tails_torn);
	}
	return 0;
}

static int fresh_command(const char *path, bool forget)
{
	for (uint32_t disk = 0; disk < KILL_DISKS; disk++) {
		if (forget)
			judge.model.made[disk] = false;
		else if (!judge.model.made[disk])
			printf("%u\n", disk);
	}
	if (forget)
		save(path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "round") == 0)
		return round_command(argv);
	if (argc == 3)
		load(argv[2]);
	if (argc == 3 && strcmp(argv[1], "report") == 0)
		return report_command();
	if (argc == 3 && (strcmp(argv[1], "fresh") == 0 || strcmp(argv[1], "forget") == 0))
		return fresh_command(argv[2], strcmp(argv[1], "forget") == 0);
	fprintf(stderr, "kill_judge: wrong usage; see the head of kill_judge.c\n");
	return 2;
}
