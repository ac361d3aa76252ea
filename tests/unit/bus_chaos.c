/* The publisher that is killed. A record line is "REVISION NAME VARIANT"; variant -1 is a removal.
 */
#include "tests/unit/bus_chaos.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/publisher.h"
#include "kubeproxyd/directory/directory_table.h"
#include "tests/unit/bus_fixture.h"

#define NAMES	    300
#define CHANGES_MAX 100 /* in one commit */
#define PERIOD_MS   2

extern char **environ;

struct chaos {
	struct publisher *publisher;
	struct timer *timer;
	struct directory_table *table;
	int64_t sequence;
	int record;
};

static char *record_path(const char *dir)
{
	return xasprintf("%s/record", dir);
}

static void set(struct directory_table *table, int64_t revision, const char *name, int64_t variant)
{
	struct directory_item *item = directory_table_find(table, name);
	if (variant < 0) {
		if (item != NULL)
			directory_table_remove(table, item);
		return;
	}
	char *resource = bus_resource(name, variant);
	directory_table_put(table, name, revision, resource, strlen(resource));
	free(resource);
}

static struct directory_table *read_record(const char *dir, int64_t *sequence)
{
	struct directory_table *table = directory_table_new();
	char *path = record_path(dir), name[32];
	int64_t revision, variant;
	FILE *file = fopen(path, "r");
	*sequence = 0;
	while (file != NULL &&
	       fscanf(file, "%" SCNd64 " %31s %" SCNd64 "\n", &revision, name, &variant) == 3) {
		set(table, revision, name, variant);
		*sequence = revision;
	}
	if (file != NULL)
		fclose(file);
	free(path);
	return table;
}

void chaos_expected(const struct bus_world *world, int64_t *sequence, struct message_digest *digest)
{
	struct directory_table *table = read_record(world->dir, sequence);
	*digest = *directory_table_digest(table);
	directory_table_free(&table);
}

/* Records, then publishes: in between it may be killed. */
static void on_change(void *arg)
{
	struct chaos *chaos = arg;
	struct publisher_change changes[CHANGES_MAX];
	static char names[CHANGES_MAX][32];
	struct buf lines = {0};
	size_t count = 1 + (size_t)random() % CHANGES_MAX;
	for (size_t i = 0; i < count; i++) {
		int64_t variant = random() % 4 == 0 ? -1 : random();
		snprintf(names[i], sizeof names[i], "c%ld", random() % NAMES);
		buf_printf(
		    &lines, "%" PRId64 " %s %" PRId64 "\n", ++chaos->sequence, names[i], variant);
		changes[i] = bus_change(names[i], chaos->sequence,
		    variant >= 0 ? bus_resource(names[i], variant) : NULL);
	}
	if (write(chaos->record, lines.data, lines.len) != (ssize_t)lines.len)
		abort();
	publisher_publish(chaos->publisher, changes, count);
	for (size_t i = 0; i < count; i++)
		free((char *)(uintptr_t)changes[i].resource);
	buf_free(&lines);
	timer_set(chaos->timer, duration_ms(PERIOD_MS));
}

static struct publisher *make_publisher(struct loop *loop, const char *dir, uint64_t epoch,
    const struct directory_table *table, int64_t sequence)
{
	char *socket = xasprintf("%s/bus.sock", dir), *error = NULL;
	struct publisher_change *initial =
	    xcalloc(directory_table_count(table) + 1, sizeof *initial);
	struct directory_item *item = NULL;
	size_t count = 0;
	while ((item = directory_table_next(table, item)) != NULL)
		initial[count++] = bus_change(item->name, item->revision, item->resource);
	const struct publisher_options options = {
	    .socket_path = socket, .group = "test", .epoch = epoch, .heartbeat = duration_ms(50)};
	struct publisher *publisher = publisher_new(
	    loop, metrics_new(), &options, initial, count, sequence, NULL, NULL, &error);
	if (publisher == NULL)
		log_error("chaos", "cannot-publish", LOG_S("error", error));
	free(initial);
	free(socket);
	return publisher;
}

_Noreturn void chaos_publish(char **arguments)
{
	const char *dir = arguments[0];
	uint64_t epoch = strtoull(arguments[1], NULL, 10);
	struct loop *loop = loop_new();
	struct chaos chaos = {0};
	char *path = record_path(dir);
	log_set_level(LOG_LEVEL_ERROR);
	srandom((unsigned)epoch);
	chaos.table = read_record(dir, &chaos.sequence);
	chaos.record = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	chaos.publisher = make_publisher(loop, dir, epoch, chaos.table, chaos.sequence);
	if (chaos.publisher == NULL || chaos.record < 0)
		_exit(1);
	chaos.timer = timer_new(loop, on_change, &chaos);
	if (strcmp(arguments[2], "quiet") != 0)
		timer_set(chaos.timer, duration_ms(PERIOD_MS));
	loop_run(loop);
	_exit(0);
}

pid_t chaos_start(const struct bus_world *world, uint64_t epoch, bool is_quiet)
{
	char epoch_text[24];
	snprintf(epoch_text, sizeof epoch_text, "%" PRIu64, epoch);
	char *arguments[] = {(char[]){"publisher"}, (char[]){CHAOS_ARGUMENT}, world->dir,
	    epoch_text, is_quiet ? (char[]){"quiet"} : (char[]){"busy"}, NULL};
	pid_t pid;
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) != 0)
		abort();
	return pid;
}

void chaos_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
