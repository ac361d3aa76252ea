/* The file of ticket keys: made by the first, read by all, rotated by one, and refused when others
 * can read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/xmem.h"
#include "kubeproxyd/net/tls_seal.h"
#include "kubeproxyd/ticket_keys.h"

static char directory[64];
static char *path, *lock_path;
static struct loop *loop;
/* What was set last, by anybody. */
static struct tls_seal_key seen[TLS_SEAL_KEYS];
static size_t seen_count;
static void (*ask)(void *arg);
static void *ask_arg;

struct tls_seal *tls_seal_new(void (*on_unknown)(void *arg), void *arg)
{
	ask = on_unknown;
	ask_arg = arg;
	return xcalloc(1, 1);
}

void tls_seal_free(struct tls_seal **seal)
{
	xfree(seal);
}

void tls_seal_set(struct tls_seal *seal, const struct tls_seal_key *keys, size_t count)
{
	assert_non_null(seal);
	memcpy(seen, keys, count * sizeof *keys);
	seen_count = count;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/eksgate-tickets-XXXXXX");
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/ticket-keys", directory);
	lock_path = xasprintf("%s/ticket-keys.lock", directory);
	loop = loop_new();
	seen_count = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(&loop);
	unlink(path);
	unlink(lock_path);
	rmdir(directory);
	free(path);
	free(lock_path);
	return 0;
}

static void open_and_close(void)
{
	struct ticket_keys *keys = ticket_keys_new(loop, directory);
	ticket_keys_free(&keys);
}

static void write_file(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static const char *read_file(void)
{
	static char text[4096];
	FILE *file = fopen(path, "r");
	size_t len = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
	if (file != NULL)
		fclose(file);
	text[len] = '\0';
	return text;
}

static void test_the_first_makes_it(void **state)
{
	(void)state;
	struct stat info;
	open_and_close();
	assert_int_equal(seen_count, 1);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	struct tls_seal_key first = seen[0];
	open_and_close();
	assert_int_equal(seen_count, 1);
	assert_memory_equal(&seen[0], &first, sizeof first);
}

#define KEY_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static void test_an_old_key_becomes_the_second(void **state)
{
	(void)state;
	write_file("1000 " KEY_A "\n500 " KEY_B "\n", 0600);
	open_and_close();
	assert_int_equal(seen_count, 2);
	static const uint8_t zeros[TLS_SEAL_NAME];
	assert_memory_not_equal(seen[0].name, zeros, sizeof zeros);
	assert_memory_equal(seen[1].name, zeros, sizeof zeros);
	const char *text = read_file();
	assert_non_null(strstr(text, "\n1000 " KEY_A "\n"));
	assert_null(strstr(text, KEY_B));
	struct tls_seal_key newest = seen[0];
	open_and_close();
	assert_memory_equal(&seen[0], &newest, sizeof newest);
}

/* Another rotates at this moment: nobody waits, the old key serves on. */
static void test_busy(void **state)
{
	(void)state;
	write_file("1000 " KEY_A "\n", 0600);
	FILE *lock = fopen(lock_path, "w");
	assert_int_equal(flock(fileno(lock), LOCK_EX), 0);
	open_and_close();
	assert_int_equal(seen_count, 1);
	assert_string_equal(read_file(), "1000 " KEY_A "\n");
	fclose(lock);
}

static void test_what_is_not_ours_is_not_used(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		mode_t mode;
	} rows[] = {
	    {"9000000000 " KEY_A "\n", 0640},
	    {"9000000000 " KEY_A "\n", 0604},
	    {"", 0600},
	    {"9000000000 " KEY_A, 0600},
	    {"9000000000 AAAA\n", 0600},
	    {"9000000000\n", 0600},
	    {"x " KEY_A "\n", 0600},
	    {"9000000000 " KEY_A "\n9000000000 " KEY_A "\n9000000000 " KEY_A "\n", 0600},
	    {"99999999999999999999999999 " KEY_A "\n", 0600},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		write_file(rows[i].text, rows[i].mode);
		open_and_close();
		assert_int_equal(seen_count, 0);
		assert_string_equal(read_file(), rows[i].text);
	}
	unlink(path);
	char *target = xasprintf("%s/elsewhere", directory);
	assert_int_equal(symlink(target, path), 0);
	free(target);
}

/* A ticket of a key that a sibling has made since; not more than once a second. */
static void test_an_unknown_key(void **state)
{
	(void)state;
	struct ticket_keys *keys = ticket_keys_new(loop, directory);
	unlink(path);
	open_and_close();
	struct tls_seal_key newest = seen[0];
	memset(seen, 0, sizeof seen);
	struct ticket_keys *other = ticket_keys_new(loop, directory);
	memset(seen, 0, sizeof seen);
	ask(ask_arg);
	assert_memory_not_equal(&seen[0], &newest, sizeof newest);
	usleep(1100000);
	ask(ask_arg);
	assert_memory_equal(&seen[0], &newest, sizeof newest);
	ticket_keys_free(&keys);
	ticket_keys_free(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_the_first_makes_it),
	    TEST(test_an_old_key_becomes_the_second),
	    TEST(test_busy),
	    TEST(test_what_is_not_ours_is_not_used),
	    TEST(test_an_unknown_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
