/* Sorts what passes through an exec or an attach by its streams. In a WebSocket the first byte of a
 * message is the channel; in base64 it is a digit and the rest is text (Kubernetes: wsstream
 * conn.go). In SPDY each stream says in its headers what it carries, and the client opens them all.
 * Called by the exchange; pure. */
#include "kubeproxyd/record/remote_command.h"

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/record/spdy.h"
#include "kubeproxyd/record/websocket.h"

#define CHANNEL_NONE  (-1) /* of a message that has none, or one that nobody knows */
#define STREAMS_MAX   16
#define QUANTUM	      4 /* characters of base64, which are three bytes */
#define DECODED_PIECE 1536

/* One direction of a WebSocket. */
struct channels {
	struct remote_command *command;
	enum remote_side side;
	struct websocket_reader reader;
	int channel; /* of the message that is read */
	bool has_channel; /* its first byte was there */
	uint8_t quantum[QUANTUM];
	size_t quantum_len;
	bool is_padded; /* nothing may follow in this message */
};

struct spdy_stream {
	uint32_t id;
	int kind; /* enum remote_stream, or CHANNEL_NONE */
	bool is_server_done;
};

/* One direction of SPDY. */
struct frames {
	struct remote_command *command;
	enum remote_side side;
	struct spdy_reader *reader;
	int next_kind; /* of the stream whose headers are read */
};

struct remote_command {
	remote_command_fn *fn;
	void *arg;
	bool is_websocket, is_base64;
	bool is_bad[REMOTE_SIDES];
	struct channels channels[REMOTE_SIDES];
	struct frames frames[REMOTE_SIDES];
	struct spdy_stream streams[STREAMS_MAX];
	size_t stream_count;
	bool has_too_many;
};

static void hand_up(
    struct remote_command *command, int kind, const uint8_t *data, size_t len, bool is_last)
{
	if (command->fn != NULL && kind != CHANNEL_NONE)
		command->fn(command->arg, (enum remote_stream)kind, data, len, is_last);
}

/* Whose the stream is. What the other side sends on it reaches nobody, and recorded it would be a
 * forgery: output that was never seen, an exit that never was. */
static bool is_spoken_by(int kind, enum remote_side side)
{
	bool is_of_client = kind == REMOTE_STDIN || kind == REMOTE_RESIZE;
	return is_of_client == (side == REMOTE_CLIENT);
}

/* --- base64 ---------------------------------------------------------------------------------- */

static int digit_of(uint8_t c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;
	return at != NULL ? (int)(at - digits) : -1;
}

/* Up to three bytes of a whole quantum; -1: it is none (RFC 4648, 4). */
static int decode_quantum(const uint8_t quantum[QUANTUM], uint8_t out[3])
{
	int count = quantum[3] != '=' ? 3 : quantum[2] != '=' ? 2 : 1;
	uint32_t bits = 0;
	for (int i = 0; i < QUANTUM; i++) {
		int digit = i <= count ? digit_of(quantum[i]) : 0;
		if (digit < 0 || (i > count && quantum[i] != '='))
			return -1;
		bits = bits << 6 | (uint32_t)digit;
	}
	for (int i = 0; i < count; i++)
		out[i] = (uint8_t)(bits >> (16 - 8 * i));
	return count;
}

/* Line ends are passed over, as Go does. False: this is no base64. */
static bool take_digit(struct channels *channels, uint8_t digit, uint8_t *out, size_t *count)
{
	if (digit == '\r' || digit == '\n')
		return true;
	channels->quantum[channels->quantum_len++] = digit;
	if (channels->quantum_len < QUANTUM)
		return true;
	int more = channels->is_padded ? -1 : decode_quantum(channels->quantum, out + *count);
	channels->quantum_len = 0;
	channels->is_padded = more < 3;
	*count += more > 0 ? (size_t)more : 0;
	return more > 0;
}

static void read_base64(struct channels *channels, const uint8_t *data, size_t len, bool is_last)
{
	struct remote_command *command = channels->command;
	uint8_t decoded[DECODED_PIECE];
	size_t count = 0;
	bool *is_bad = &channels->reader.is_bad;
	for (size_t i = 0; i < len && !*is_bad; i++) {
		*is_bad = !take_digit(channels, data[i], decoded, &count);
		if (count < sizeof decoded)
			continue;
		hand_up(command, channels->channel, decoded, count, false);
		count = 0;
	}
	is_last = is_last && !*is_bad;
	if (count > 0 || is_last)
		hand_up(command, channels->channel, decoded, count, is_last);
	*is_bad |= is_last && channels->quantum_len > 0;
}

/* --- WebSocket ------------------------------------------------------------------------------- */

static int channel_of(const struct channels *channels, uint8_t first)
{
	int channel = channels->command->is_base64 ? first - '0' : first;
	bool is_known = channel >= 0 && channel < REMOTE_STREAMS;
	return is_known && is_spoken_by(channel, channels->side) ? channel : CHANNEL_NONE;
}

static void on_message(void *arg, const uint8_t *data, size_t len, bool is_first, bool is_last)
{
	struct channels *channels = arg;
	if (is_first) {
		channels->channel = CHANNEL_NONE;
		channels->quantum_len = 0;
		channels->is_padded = false;
		channels->has_channel = false;
	}
	if (!channels->has_channel && len > 0) {
		channels->channel = channel_of(channels, *data);
		channels->has_channel = true;
		data++;
		len--;
	}
	if (channels->channel == CHANNEL_NONE)
		return;
	if (channels->command->is_base64)
		read_base64(channels, data, len, is_last);
	else
		hand_up(channels->command, channels->channel, data, len, is_last);
}

static void start_websocket(struct remote_command *command)
{
	static const enum websocket_masking masking[REMOTE_SIDES] = {
	    [REMOTE_CLIENT] = WEBSOCKET_MASKED, [REMOTE_SERVER] = WEBSOCKET_BARE};
	for (int side = 0; side < REMOTE_SIDES; side++) {
		struct channels *channels = &command->channels[side];
		channels->command = command;
		channels->side = (enum remote_side)side;
		channels->reader = (struct websocket_reader){
		    .fn = on_message, .arg = channels, .masking = masking[side]};
	}
}

/* --- SPDY ------------------------------------------------------------------------------------ */

/* Of a value that is several, the first counts (Go: http.Header.Get). */
static int kind_of(const char *value, size_t len)
{
	static const char *const names[REMOTE_STREAMS] = {
	    "stdin", "stdout", "stderr", "error", "resize"};
	len = strnlen(value, len);
	for (int i = 0; i < REMOTE_STREAMS; i++) {
		if (strlen(names[i]) == len && strncasecmp(names[i], value, len) == 0)
			return i;
	}
	return CHANNEL_NONE;
}

static void on_header(
    void *arg, uint32_t id, const char *name, size_t name_len, const char *value, size_t value_len)
{
	static const char wanted[] = "streamtype";
	struct frames *frames = arg;
	(void)id;
	if (name_len == strlen(wanted) && strncasecmp(name, wanted, name_len) == 0 &&
	    frames->next_kind == CHANNEL_NONE)
		frames->next_kind = kind_of(value, value_len);
}

static void on_stream(void *arg, uint32_t id)
{
	struct frames *frames = arg;
	struct remote_command *command = frames->command;
	int kind = frames->next_kind;
	frames->next_kind = CHANNEL_NONE;
	if (frames->side == REMOTE_SERVER)
		return;
	command->has_too_many |= command->stream_count == STREAMS_MAX;
	if (!command->has_too_many)
		command->streams[command->stream_count++] =
		    (struct spdy_stream){.id = id, .kind = kind};
}

static void on_data(void *arg, uint32_t id, const uint8_t *data, size_t len, bool is_last)
{
	struct frames *frames = arg;
	struct remote_command *command = frames->command;
	for (size_t i = 0; i < command->stream_count; i++) {
		struct spdy_stream *stream = &command->streams[i];
		if (stream->id != id)
			continue;
		if (is_spoken_by(stream->kind, frames->side))
			hand_up(
			    command, stream->kind, data, len, spdy_is_frame_end(frames->reader));
		stream->is_server_done |= is_last && frames->side == REMOTE_SERVER;
		return;
	}
}

static void start_spdy(struct remote_command *command)
{
	static const struct spdy_events events = {on_header, on_stream, on_data};
	for (int side = 0; side < REMOTE_SIDES; side++) {
		struct frames *frames = &command->frames[side];
		frames->command = command;
		frames->side = (enum remote_side)side;
		frames->next_kind = CHANNEL_NONE;
		frames->reader = spdy_reader_new(&events, frames);
	}
}

/* --- both ------------------------------------------------------------------------------------ */

static bool is_websocket(const char *upgrade)
{
	return strcasecmp(upgrade, "websocket") == 0;
}

static const char *const binary_protocols[] = {
    "", "channel.k8s.io", "v4.channel.k8s.io", "v5.channel.k8s.io", NULL};
static const char *const base64_protocols[] = {
    "base64.channel.k8s.io", "v4.base64.channel.k8s.io", NULL};
static const char *const spdy_protocols[] = {"", "channel.k8s.io", "v2.channel.k8s.io",
    "v3.channel.k8s.io", "v4.channel.k8s.io", "v5.channel.k8s.io", NULL};

bool remote_command_can_read(const char *upgrade, const char *protocol)
{
	if (protocol == NULL)
		protocol = "";
	if (!is_websocket(upgrade))
		return strcasecmp(upgrade, "SPDY/3.1") == 0 &&
		       text_is_one_of(protocol, spdy_protocols);
	return text_is_one_of(protocol, binary_protocols) ||
	       text_is_one_of(protocol, base64_protocols);
}

struct remote_command *remote_command_new(
    const char *upgrade, const char *protocol, remote_command_fn *fn, void *arg)
{
	struct remote_command *command = xcalloc(1, sizeof *command);
	command->fn = fn;
	command->arg = arg;
	command->is_websocket = is_websocket(upgrade);
	command->is_base64 = protocol != NULL && text_is_one_of(protocol, base64_protocols);
	if (command->is_websocket)
		start_websocket(command);
	else
		start_spdy(command);
	return command;
}

void remote_command_free(struct remote_command **command)
{
	if (*command == NULL)
		return;
	for (int side = 0; side < REMOTE_SIDES; side++)
		spdy_reader_free(&(*command)->frames[side].reader);
	xfree(command);
}

bool remote_command_feed(
    struct remote_command *command, enum remote_side side, const uint8_t *data, size_t len)
{
	bool *is_bad = &command->is_bad[side];
	/* What a client sends in a WebSocket is needed for nothing else. */
	bool is_unwanted = command->fn == NULL && command->is_websocket && side == REMOTE_CLIENT;
	if (*is_bad || is_unwanted)
		return !*is_bad;
	if (command->is_websocket)
		*is_bad = !websocket_feed(&command->channels[side].reader, data, len);
	else
		*is_bad = !spdy_feed(command->frames[side].reader, data, len);
	*is_bad |= command->has_too_many;
	return !*is_bad;
}

uint64_t remote_command_wanted(const struct remote_command *command)
{
	if (command->is_bad[REMOTE_SERVER])
		return 0;
	return command->is_websocket ? websocket_wanted(&command->channels[REMOTE_SERVER].reader)
				     : spdy_wanted(command->frames[REMOTE_SERVER].reader);
}

/* --- what stands in the place of a rest -------------------------------------------------------
 */

/* Of one message: the begin of a longer one is left as it is. */
#define FILL_MAX ((size_t)64 * 1024)

/* What has no channel yet becomes output. */
static bool fill_frame(const struct channels *channels, size_t len, struct buf *out)
{
	const struct websocket_reader *reader = &channels->reader;
	bool is_base64 = channels->command->is_base64;
	if (!reader->is_in_payload) {
		/* Between fragments an empty one is the last; a head that is begun has no such
		 * choice. */
		buf_append(out, "\x80", 2);
		return reader->head_len == 0;
	}
	memset(buf_reserve(out, len), is_base64 ? 'A' : '\0', len);
	if (!reader->is_in_message || !channels->has_channel)
		*buf_reserve(out, len) = (char)(is_base64 ? '0' + REMOTE_STDOUT : REMOTE_STDOUT);
	buf_commit(out, len);
	return true;
}

static bool fill_data(const struct frames *frames, size_t len, struct buf *out)
{
	memset(buf_reserve(out, len), '\0', len);
	buf_commit(out, len);
	return spdy_is_in_data(frames->reader);
}

bool remote_command_fill(struct remote_command *command, struct buf *out)
{
	bool is_sound = true;
	uint64_t wanted;
	while (is_sound && (wanted = remote_command_wanted(command)) > 0) {
		size_t before = out->len;
		is_sound = wanted <= FILL_MAX &&
			   (command->is_websocket
				   ? fill_frame(&command->channels[REMOTE_SERVER], wanted, out)
				   : fill_data(&command->frames[REMOTE_SERVER], wanted, out)) &&
			   remote_command_feed(command, REMOTE_SERVER,
			       (const uint8_t *)out->data + before, out->len - before);
	}
	return is_sound;
}

bool remote_command_can_end(const struct remote_command *command)
{
	return !command->is_bad[REMOTE_SERVER] &&
	       !command->channels[REMOTE_SERVER].reader.is_closed;
}

/* --- the last word --------------------------------------------------------------------------- */

#define WEBSOCKET_FINAL_TEXT   0x81
#define WEBSOCKET_FINAL_BINARY 0x82
#define WEBSOCKET_FINAL_CLOSE  0x88
#define WEBSOCKET_SHORT_MAX    125
#define WEBSOCKET_16_BITS      126
#define SPDY_FIN	       1
#define SPDY_FRAME_MAX	       0xffffff

/* A frame as servers send it, unmasked; `len` up to 64 KiB. */
static void write_websocket(struct buf *out, int first, const char *data, size_t len)
{
	buf_append_char(out, (char)first);
	if (len > WEBSOCKET_SHORT_MAX) {
		buf_append_char(out, WEBSOCKET_16_BITS);
		buf_append_char(out, (char)(len >> 8));
	}
	buf_append_char(out, (char)len);
	buf_append(out, data, len);
}

static void write_message(const struct remote_command *command, int channel, const char *text,
    size_t len, struct buf *out)
{
	struct buf message = {0};
	if (!command->is_base64) {
		buf_append_char(&message, (char)channel);
		buf_append(&message, text, len);
		write_websocket(out, WEBSOCKET_FINAL_BINARY, message.data, message.len);
	} else {
		buf_append_char(&message, (char)('0' + channel));
		char *at = buf_reserve(&message, (len + 2) / 3 * QUANTUM + 1);
		int written =
		    EVP_EncodeBlock((unsigned char *)at, (const unsigned char *)text, (int)len);
		buf_commit(&message, (size_t)written);
		write_websocket(out, WEBSOCKET_FINAL_TEXT, message.data, message.len);
	}
	buf_free(&message);
}

static void write_number(struct buf *out, uint32_t number)
{
	const char bytes[] = {
	    (char)(number >> 24), (char)(number >> 16), (char)(number >> 8), (char)number};
	buf_append(out, bytes, sizeof bytes);
}

static void write_data(const struct remote_command *command, int kind, const char *text, size_t len,
    bool is_end, struct buf *out)
{
	for (size_t i = 0; i < command->stream_count; i++) {
		const struct spdy_stream *stream = &command->streams[i];
		if (stream->kind != kind || stream->is_server_done)
			continue;
		write_number(out, stream->id);
		write_number(out, (is_end ? SPDY_FIN * (SPDY_FRAME_MAX + 1u) : 0) | (uint32_t)len);
		buf_append(out, text, len);
	}
}

/* The streams end, then the connection (draft-mbelshe-httpbis-spdy-00, 2.6.6). */
static void end_spdy(
    const struct remote_command *command, const struct remote_last_word *word, struct buf *out)
{
	uint32_t last = 0;
	for (size_t i = 0; i < command->stream_count; i++)
		last = command->streams[i].id > last ? command->streams[i].id : last;
	if (word->text != NULL)
		write_data(command, (int)word->stream, word->text, strlen(word->text), false, out);
	write_data(command, REMOTE_ERROR, word->status, strlen(word->status), true, out);
	write_data(command, REMOTE_STDOUT, "", 0, true, out);
	write_data(command, REMOTE_STDERR, "", 0, true, out);
	write_number(out, 0x80030007);
	write_number(out, 8);
	write_number(out, last);
	write_number(out, 0);
}

void remote_command_end(
    const struct remote_command *command, const struct remote_last_word *word, struct buf *out)
{
	static const char normal_closure[] = {0x03, (char)0xe8}; /* 1000 (RFC 6455, 7.4.1) */
	if (!command->is_websocket) {
		end_spdy(command, word, out);
		return;
	}
	if (word->text != NULL)
		write_message(command, (int)word->stream, word->text, strlen(word->text), out);
	write_message(command, REMOTE_ERROR, word->status, strlen(word->status), out);
	write_websocket(out, WEBSOCKET_FINAL_CLOSE, normal_closure, sizeof normal_closure);
}
