/* The exchange of exchange_stage.h as an exec whose recording goes to a directory of its own. */
#include "tests/unit/remote_stage.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/record/audit.h"
#include "kubeproxyd/record/audit_policy.h"
#include "kubeproxyd/record/recordings.h"
#include "tests/unit/tunnel_bytes.h"

char directory[64];
char *path;
struct recordings *recordings;
struct buf bytes;

int set_up_recordings(void **state)
{
	set_up(state);
	strcpy(directory, "/tmp/eksgate-remote-XXXXXX");
	assert_non_null(mkdtemp(directory));
	path = xasprintf("%s/kept", directory);
	settings.proxy.recording = (struct recording_settings){.directory = path};
	struct recordings_options options = {
	    .loop = loop, .metrics = metrics, .settings = &settings, .instance = "main"};
	recordings = recordings_new(&options);
	all->with.recordings = recordings;
	return 0;
}

int tear_down_recordings(void **state)
{
	recordings_free(&recordings);
	buf_free(&bytes);
	char *command = xasprintf("rm -rf %s", directory);
	assert_int_equal(system(command), 0);
	free(command);
	free(path);
	return tear_down(state);
}

/* --- helpers --------------------------------------------------------------------------------- */

/* What waits for the disk is done. */
void settle(void)
{
	if (recordings != NULL)
		assert_true(recordings_settle(recordings, duration_seconds(30)));
	end_turn();
}

void ask_exec(enum record_mode mode, const char *target, const char *protocol)
{
	world.options.record = mode;
	request.is_upgrade = true;
	fields_add_text(&request.fields, "Upgrade", "websocket");
	fields_add_text(&request.fields, "Sec-WebSocket-Extensions", "permessage-deflate");
	if (protocol != NULL)
		fields_add_text(&request.fields, "Sec-WebSocket-Protocol", protocol);
	ask("GET", target, HTTP_BODY_NONE);
	settle();
}

void switch_to(const char *protocol)
{
	struct http_head head = {.status = 101, .body = HTTP_BODY_NONE, .keep_alive = true};
	head.is_upgrade = true;
	fields_add_text(&head.fields, "Upgrade", "websocket");
	fields_add_text(&head.fields, "Sec-WebSocket-Protocol", protocol);
	upstreams[0].is_ended = false; /* the head's end; the tunnel has its own */
	upstreams[0].events->on_head(upstreams[0].arg, &head);
	http_head_free(&head);
}

void open_exec(enum record_mode mode)
{
	ask_exec(mode, EXEC, "v5.channel.k8s.io");
	switch_to("v5.channel.k8s.io");
}

/* What was gathered in `bytes`. */
void server_sends(size_t len)
{
	upstreams[0].events->on_body(upstreams[0].arg, (const uint8_t *)bytes.data, len);
	buf_consume(&bytes, len);
}

void client_sends(void)
{
	exchange_client_events.on_body(exchange, (const uint8_t *)bytes.data, bytes.len);
	buf_clear(&bytes);
}

void end_by_server(void)
{
	ws_message(&bytes, false, 3, "{\"status\":\"Success\"}");
	server_sends(bytes.len);
	answer_end(0);
	client_end();
}

/* The text of the only file, once it is on the disk; NULL: there is none. To be freed. */
char *kept(void)
{
	recordings_free(&recordings);
	all->with.recordings = NULL;
	DIR *open = opendir(path);
	char *text = NULL;
	for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		assert_null(text);
		char *file = xasprintf("%s/%s", path, entry->d_name);
		FILE *stream = fopen(file, "r");
		text = xcalloc(1, 65536);
		(void)!fread(text, 1, 65535, stream);
		fclose(stream);
		assert_non_null(strstr(file, ".cast"));
		assert_null(strstr(file, ".part"));
		free(file);
	}
	if (open != NULL)
		closedir(open);
	return text;
}

void assert_kept(const char *const *wanted)
{
	char *text = kept();
	if (wanted == NULL) {
		assert_null(text);
		return;
	}
	assert_non_null(text);
	for (; *wanted != NULL; wanted++)
		if (strstr(text, *wanted) == NULL)
			fail_msg("%s is not in %s", *wanted, text);
	free(text);
}

/* That a client reads `words` on its terminal, as an error, and a goodbye. */
void assert_told(const char *words)
{
	const char *text = client.body.data;
	const char *on_terminal = memmem(text, client.body.len, words, strlen(words));
	assert_non_null(on_terminal);
	size_t left = client.body.len - (size_t)(on_terminal + 1 - text);
	assert_non_null(memmem(on_terminal + 1, left, words, strlen(words)));
	assert_memory_equal(text + client.body.len - 4, "\x88\x02\x03\xe8", 4);
	assert_true(client.is_ended && client.is_released && upstreams[0].is_released);
}

void open_audit(struct audit_policy **policy)
{
	static const char text[] =
	    "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n";
	static char to_file[] = "file", refuse[] = "refuse";
	char *error = NULL;
	*policy = audit_policy_parse("p", text, strlen(text), &error);
	assert_non_null(*policy);
	settings.proxy.audit = (struct audit_settings){.destination = to_file,
	    .directory = directory,
	    .when_failing = refuse,
	    .buffer = 64 * 1024};
	struct audit_options options = {.loop = loop,
	    .metrics = metrics,
	    .settings = &settings,
	    .policy = *policy,
	    .instance = "main"};
	all->with.audit = audit_new(&options, &error);
	assert_non_null(all->with.audit);
}

/* What is on record at the end; to be freed. */
char *close_audit(struct audit_policy **policy)
{
	settle();
	audit_flush(all->with.audit);
	audit_free(&all->with.audit);
	audit_policy_free(policy);
	char *file = xasprintf("%s/main.jsonl", directory), *text = xcalloc(1, 65536);
	FILE *stream = fopen(file, "r");
	assert_non_null(stream);
	(void)!fread(text, 1, 65535, stream);
	fclose(stream);
	free(file);
	return text;
}
