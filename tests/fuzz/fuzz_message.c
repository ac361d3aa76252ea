/* Bus messages from the wire: the input is a header frame followed by a body frame. What decodes
 * must encode to something that decodes to the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"
#include "proto/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A body that was accepted is rendered and read again: the second text must equal the first. */
static void check_again(const struct message_header *header, const union message_body *body)
{
	char error[MESSAGE_ERROR_TEXT];
	size_t len, again_len;
	union message_body back;
	char *text = message_encode_body(header->type, body, &len);
	if (!message_decode_body(header, text, len, &back, error))
		abort();
	char *again = message_encode_body(header->type, &back, &again_len);
	if (len != again_len || memcmp(text, again, len) != 0)
		abort();
	free(text);
	free(again);
	message_body_free(header->type, &back);
}

/* The hash would stop nearly every mutated input, so the body is also tried with a header that fits
 * it. */
static void try_body(const struct message_header *header, const char *text, size_t len)
{
	char error[MESSAGE_ERROR_TEXT];
	union message_body body;
	if (!message_decode_body(header, text, len, &body, error))
		return;
	check_again(header, &body);
	message_body_free(header->type, &body);
}

/* What a TASK holds is JSON once more. */
static void try_task(const char *text, size_t len)
{
	char error[MESSAGE_ERROR_TEXT], *copy = strndup(text, len);
	struct task_check check;
	struct task_apply_rbac apply;
	(void)!task_check_decode(copy, &check, error);
	if (task_apply_rbac_decode(copy, &apply, error))
		task_apply_rbac_free(&apply);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char error[MESSAGE_ERROR_TEXT];
	struct message_header header = {0};
	size_t head_len = len < MESSAGE_HEADER_SIZE ? len : MESSAGE_HEADER_SIZE;
	const char *text = (const char *)data + head_len;
	try_task(text, len - head_len);
	bool is_good = message_decode_header(data, head_len, text, len - head_len, &header, error);
	if (is_good || head_len == MESSAGE_HEADER_SIZE)
		try_body(&header, text, len - head_len);
	return 0;
}
