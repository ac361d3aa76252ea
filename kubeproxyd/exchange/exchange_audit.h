/* The audit events of one exchange: when one is due, and what stands in it. */
#ifndef EKSGATE_EXCHANGE_AUDIT_H
#define EKSGATE_EXCHANGE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/record/audit_policy.h"

struct audit_bodies;
struct exchange;
struct forwarded_ports;
struct http_head;

/* Within the exchange; {0} initialises. */
struct exchange_audit {
	struct audit_verdict verdict;
	bool is_judged; /* the policy was asked: it was admitted */
	bool is_privileged; /* changes something or reveals a secret */
	struct audit_bodies *bodies; /* with levels Request and RequestResponse */
	struct forwarded_ports *ports; /* of a port-forward under way */
	const char *terminated_by; /* an administrator's name; NULL: nobody did */
};

/* Once the request was admitted, before anything is sent: asks the policy, and writes commands of
 * exec, attaches and port-forwards down. False: it cannot be recorded and must not happen; the
 * message is what to answer, with 503. */
bool exchange_audit_admit(struct exchange *exchange, const char **message) MUST_USE;
void exchange_audit_request_body(struct exchange *exchange, const uint8_t *data, size_t len);
/* The answer begins. */
void exchange_audit_answer(struct exchange *exchange, const struct http_head *head);
void exchange_audit_answer_body(struct exchange *exchange, const uint8_t *data, size_t len);
/* The exchange has ended; `ending` says how, `now` when, and `took` how long after it began.
 * Denials and terminations are written whatever the policy says. */
void exchange_audit_end(const struct exchange *exchange, const char *ending, struct unix_time now,
    struct duration took);
void exchange_audit_free(struct exchange_audit *audit);

#endif
