/* The tunnel of an exec, recorded: the first byte chooses the protocol, then come pieces, each
 * behind a byte with its side and length. The same bytes in other pieces, which wait as they do
 * for a thread, make the same recording, every line of it is JSON, and a last word read as a client
 * reads it is never within a message, be it one that was completed here. What a client sends, by
 * itself, makes no output and no exit.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "kubeproxyd/record/cast_pieces.h"
#include "kubeproxyd/record/cast_writer.h"
#include "kubeproxyd/record/remote_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	const char *upgrade, *protocol;
} protocols[] = {{"websocket", "v5.channel.k8s.io"}, {"websocket", "v4.base64.channel.k8s.io"},
    {"SPDY/3.1", "v4.channel.k8s.io"}};

struct recorder {
	struct remote_command *command;
	struct cast_writer *writer;
	struct buf out;
	bool waits; /* what comes is put down first */
	struct buf pieces;
};

static void demand(bool is_met)
{
	if (!is_met)
		abort();
}

static void on_stream(
    void *arg, enum remote_stream stream, const uint8_t *data, size_t len, bool is_last)
{
	struct recorder *recorder = arg;
	struct cast_piece piece = {
	    .stream = stream, .is_last = is_last, .data = (const char *)data, .len = len};
	if (recorder->waits)
		cast_pieces_add(&recorder->pieces, &piece);
	else
		cast_writer_add(recorder->writer, stream, data, len, is_last, piece.at);
}

static void end_recorder(struct recorder *recorder)
{
	struct cast_piece piece, over = {.kind = CAST_OVER, .data = "over", .len = 4};
	cast_pieces_add(&recorder->pieces, &over);
	for (size_t at = 0; cast_pieces_next(&recorder->pieces, &at, &piece);) {
		if (piece.kind == CAST_STREAM)
			cast_writer_add(recorder->writer, piece.stream, (const uint8_t *)piece.data,
			    piece.len, piece.is_last, piece.at);
		else
			cast_writer_end(recorder->writer, piece.data, piece.at);
	}
}

static void open_recorder(struct recorder *recorder, size_t protocol, bool waits)
{
	static const struct cast_about about = {.session = "s",
	    .kind = "exec",
	    .user = "u",
	    .namespace = "n",
	    .pod = "p",
	    .cluster = "c",
	    .has_input = true};
	*recorder = (struct recorder){.waits = waits};
	recorder->writer = cast_writer_new(&about, &recorder->out);
	recorder->command = remote_command_new(
	    protocols[protocol].upgrade, protocols[protocol].protocol, on_stream, recorder);
}

static void close_recorder(struct recorder *recorder)
{
	remote_command_free(&recorder->command);
	cast_writer_free(&recorder->writer);
	buf_free(&recorder->out);
	buf_free(&recorder->pieces);
}

static void feed(struct recorder *recorder, enum remote_side side, const uint8_t *data, size_t len)
{
	(void)!remote_command_feed(recorder->command, side, data, len);
}

/* Pieces of 1 to 7 bytes. */
static void feed_pieces(struct recorder *recorder, enum remote_side side, const uint8_t *data,
    size_t len, uint32_t *seed)
{
	while (len > 0) {
		*seed = *seed * 1664525 + 1013904223;
		size_t count = 1 + (*seed >> 24) % 7;
		if (count > len)
			count = len;
		feed(recorder, side, data, count);
		data += count;
		len -= count;
	}
}

static void check_line(struct json_object *line, bool is_of_client)
{
	demand(line != NULL);
	if (!is_of_client || !json_object_is_type(line, json_type_array))
		return;
	const char *code = json_object_get_string(json_object_array_get_idx(line, 1));
	const char *text = json_object_get_string(json_object_array_get_idx(line, 2));
	demand(*code != 'o' && (*code != 'm' || strcmp(text, "ended: over") == 0));
}

static void check_lines(const struct buf *out, bool is_of_client)
{
	char error[JSON_ERROR_TEXT];
	for (const char *at = buf_text(out); *at != '\0';) {
		const char *end = strchr(at, '\n');
		demand(end != NULL);
		struct json_object *line = json_parse(at, (size_t)(end - at), error);
		check_line(line, is_of_client);
		json_object_put(line);
		at = end + 1;
	}
}

static void note(
    void *arg, enum remote_stream stream, const uint8_t *data, size_t len, bool is_last)
{
	struct buf *status = arg;
	(void)is_last;
	if (stream == REMOTE_ERROR)
		buf_append(status, data, len);
}

/* What was sent so far, what completes its last message, then the last word: a client gets the
 * Status whole. */
static void check_last_word(
    struct recorder *recorder, size_t protocol, const struct buf *client, const struct buf *server)
{
	static const struct remote_last_word word = {
	    .stream = REMOTE_STDOUT, .text = "bye", .status = "{\"status\":\"Failure\"}"};
	struct buf status = {0}, out = {0};
	if (!remote_command_can_end(recorder->command) ||
	    !remote_command_fill(recorder->command, &out)) {
		buf_free(&out);
		return;
	}
	struct remote_command *reader = remote_command_new(
	    protocols[protocol].upgrade, protocols[protocol].protocol, note, &status);
	(void)!remote_command_feed(
	    reader, REMOTE_CLIENT, (const uint8_t *)client->data, client->len);
	demand(
	    remote_command_feed(reader, REMOTE_SERVER, (const uint8_t *)server->data, server->len));
	demand(remote_command_feed(reader, REMOTE_SERVER, (const uint8_t *)out.data, out.len));
	demand(remote_command_wanted(reader) == 0);
	buf_clear(&status);
	buf_clear(&out);
	remote_command_end(recorder->command, &word, &out);
	demand(remote_command_feed(reader, REMOTE_SERVER, (const uint8_t *)out.data, out.len));
	demand(remote_command_wanted(reader) == 0);
	demand(protocol == 2 || strcmp(buf_text(&status), word.status) == 0);
	remote_command_free(&reader);
	buf_free(&status);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	size_t protocol = data[0] % 3;
	uint32_t seed = (uint32_t)size;
	struct recorder whole, split, client;
	struct buf sent[REMOTE_SIDES] = {{0}, {0}};
	open_recorder(&whole, protocol, false);
	open_recorder(&split, protocol, true);
	open_recorder(&client, protocol, false);
	for (size_t at = 1; at < size;) {
		enum remote_side side = (data[at] & 0x80) != 0 ? REMOTE_SERVER : REMOTE_CLIENT;
		size_t len = data[at] & 0x7f;
		at++;
		if (len > size - at)
			len = size - at;
		feed(&whole, side, data + at, len);
		feed_pieces(&split, side, data + at, len, &seed);
		if (side == REMOTE_CLIENT)
			feed(&client, side, data + at, len);
		buf_append(&sent[side], data + at, len);
		at += len;
	}
	demand(remote_command_wanted(whole.command) == remote_command_wanted(split.command));
	end_recorder(&whole);
	end_recorder(&split);
	demand(strcmp(buf_text(&whole.out), buf_text(&split.out)) == 0);
	end_recorder(&client);
	check_lines(&whole.out, false);
	check_lines(&client.out, true);
	check_last_word(&whole, protocol, &sent[REMOTE_CLIENT], &sent[REMOTE_SERVER]);
	close_recorder(&client);
	close_recorder(&whole);
	close_recorder(&split);
	buf_free(&sent[REMOTE_CLIENT]);
	buf_free(&sent[REMOTE_SERVER]);
	return 0;
}
