/* What a client may send over HTTP/2. The input begins with a byte that says what exchanges do and
 * how the rest is cut: bit 0, the client's preface is put before it; bit 1, exchanges answer at
 * once; bit 2, they take bodies; both, they do neither and the client is a stranger until one goes
 * on; the others, how many bytes come at a time. Between two pieces each
 * exchange is answered a little further. Made-up neighbours abort on whatever a session must not
 * do. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/unit/session_h2_world.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* One step of an exchange, by how far it is. */
static void go_on(struct life *life, unsigned step)
{
	if (!life->is_live)
		return;
	switch (step % 4) {
	case 0:
		world.session.caller.is_known = true;
		life->client.verbs->resume(life->client.object);
		break;
	case 1:
		life_answer_head(life, 200, -1);
		break;
	case 2:
		life_send(life, "some of the answer", 18);
		life->client.verbs->pause(life->client.object);
		break;
	default:
		life_end(life);
		break;
	}
}

static void go_on_all(unsigned steps[LIVES])
{
	for (size_t i = 0; i < world.count; i++)
		go_on(&world.lives[i], steps[i]++);
	world_end_turn();
	buf_clear(&world.wire.written);
	if (!world.has_ended)
		world.wire.events->on_drain(world.wire.arg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static unsigned steps[LIVES];
	if (len == 0)
		return 0;
	memset(steps, 0, sizeof steps);
	world_open();
	bool is_stranger = (data[0] & 6) == 6;
	if (is_stranger)
		world_become_stranger();
	world.answers_at_once = (data[0] & 2) != 0 && !is_stranger;
	world.takes_bodies = (data[0] & 4) != 0 && !is_stranger;
	size_t piece = (data[0] >> 3) * 8u + 1;
	if ((data[0] & 1) != 0)
		world_receive(PREFACE, sizeof PREFACE - 1);
	for (size_t at = 1; at < len && !world.has_ended; at += piece) {
		world_receive(data + at, len - at < piece ? len - at : piece);
		if (!world.answers_at_once)
			go_on_all(steps);
	}
	world_close();
	return 0;
}
