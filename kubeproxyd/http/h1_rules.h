/* What HTTP/1 messages may look like here, beyond their grammar: one framing, one Host,
 * origin-form, version 1.0 or 1.1 (reference kube.md 3.1; RFC 9112). Pure; used by h1_reader, and
 * by session_h2 for what holds of targets and hosts in HTTP/2 too.
 */
#ifndef EKSGATE_H1_RULES_H
#define EKSGATE_H1_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/http/h1_reader.h"

/* The fields that decide about framing and connection, gathered while a head is read; {0} before
 * it. */
struct h1_facts {
	unsigned host_count, length_count, coding_count;
	uint64_t length;
	bool is_length_valid;
	bool is_chunked; /* Transfer-Encoding is exactly "chunked" */
	bool is_other_coding; /* it ends in "chunked", behind codings that we do not undo */
	bool is_http10;
	bool expects_no_body; /* the answer to a HEAD request */
};

/* The first line, without its CRLF. False: *error says why. */
bool h1_check_request_line(const char *line, size_t len, struct h1_error *error) MUST_USE;
bool h1_check_status_line(const char *line, size_t len, struct h1_error *error) MUST_USE;
/* Only visible ASCII, no fragment, origin-form. */
bool h1_check_target(const char *target, size_t len, struct h1_error *error) MUST_USE;
bool h1_is_token(const char *name, size_t len) MUST_USE;
/* A host name or IP literal with an optional port; "" too. */
bool h1_is_authority(const char *text) MUST_USE;
/* Takes note of Host, Content-Length and Transfer-Encoding. True: it is one of them and does not
 * belong in the list. `value` is trimmed; `has_tab` says whether tabs stood around it. */
bool h1_note_field(struct h1_facts *facts, const char *name, size_t name_len, const char *value,
    size_t value_len, bool has_tab);
/* Fills what `head` says about body and connection from the facts and from its fields. False:
 * *error says why. */
bool h1_decide_request(
    const struct h1_facts *facts, struct http_head *head, struct h1_error *error) MUST_USE;
bool h1_decide_response(
    const struct h1_facts *facts, struct http_head *head, struct h1_error *error) MUST_USE;

#endif
