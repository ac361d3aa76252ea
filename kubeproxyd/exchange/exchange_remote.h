/* Execs and attaches: their tunnels are followed, recorded when a role says so, and ended with a
 * sentence that whoever sits there reads. */
#ifndef EKSGATE_EXCHANGE_REMOTE_H
#define EKSGATE_EXCHANGE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/record/remote_command.h"

struct audit_event;
struct exchange;
struct exchange_remote;
struct http_head;

enum remote_admission {
	REMOTE_ADMITTED,
	REMOTE_REFUSED,
	REMOTE_WAITS, /* exchange_go_on() or an answer follows */
};

/* Admitted, nothing is sent yet: makes what follows the tunnel, when it will be one. Refused: it
 * must be recorded and cannot be; *status and *message are what to answer (free()). */
enum remote_admission exchange_remote_admit(
    struct exchange *exchange, unsigned *status, char **message) MUST_USE;
/* Whether its frames must stay readable. */
bool exchange_remote_is_recorded(const struct exchange *exchange) MUST_USE;
/* The API server switched. NULL, or why that must not become a tunnel (free()). */
char *exchange_remote_open(struct exchange *exchange, const struct http_head *answer) MUST_USE;
/* Bytes come from a side: *len is how many of them may pass. False: none, and the exchange may be
 * over. exchange_remote_passed() follows when they did. */
bool exchange_remote_passes(
    struct exchange *exchange, enum remote_side side, const uint8_t *data, size_t *len) MUST_USE;
void exchange_remote_passed(struct exchange *exchange);
/* Ends a tunnel whose client can be told: the sentence on its terminal, a Status, a goodbye, and
 * exchange_finish(), at once or when the message that is under way is complete. False: it is none,
 * or waits for that already. */
bool exchange_end_session(struct exchange *exchange, const char *reason) MUST_USE;
/* How it ends, when `reason` is only what came of it. */
const char *exchange_remote_reason(const struct exchange *exchange, const char *reason);
/* For the audit: what became of the recording. */
void exchange_remote_tell(const struct exchange *exchange, struct audit_event *event);
/* Takes the last event, which is written when all of the recording is. False: it waits for none. */
bool exchange_remote_take_event(
    const struct exchange *exchange, const struct audit_event *event) MUST_USE;
/* Its records are written. */
void exchange_remote_free(struct exchange *exchange, const char *reason);

#endif
