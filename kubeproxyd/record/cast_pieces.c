/* Each piece is a head of a fixed size, its bytes, and how long all of it is, by which the last one
 * is found: what goes on with its message within a moment joins it, so that a message that was read
 * in parts is written as a whole. Called by recording.c, which adds, and recording_task.c, which
 * reads in a thread. */
#include "kubeproxyd/record/cast_pieces.h"

#define MOMENT_NS INT64_C(10000000)

struct head {
	int64_t at_ns;
	uint32_t len;
	uint8_t kind, stream, is_last;
	uint8_t has_nul; /* behind its bytes: a reason is read as a C string */
};

typedef uint32_t whole_len;

static size_t length_of(const struct head *head)
{
	return sizeof *head + head->len + head->has_nul + sizeof(whole_len);
}

static struct head head_of(const struct cast_piece *piece)
{
	return (struct head){
	    .at_ns = piece->at.ns,
	    .len = (uint32_t)piece->len,
	    .kind = (uint8_t)piece->kind,
	    .stream = (uint8_t)piece->stream,
	    .is_last = piece->is_last,
	    .has_nul = piece->kind != CAST_STREAM,
	};
}

/* Where the head goes: behind all, or, being that of both then, where the last one stands. */
static size_t join(const struct buf *pieces, struct head *head)
{
	whole_len len;
	struct head last;
	if (pieces->len == 0)
		return 0;
	memcpy(&len, pieces->data + pieces->len - sizeof len, sizeof len);
	memcpy(&last, pieces->data + pieces->len - len, sizeof last);
	if (last.kind != CAST_STREAM || head->kind != CAST_STREAM || last.stream != head->stream ||
	    last.is_last || head->at_ns - last.at_ns > MOMENT_NS)
		return pieces->len;
	head->at_ns = last.at_ns;
	head->len += last.len;
	return pieces->len - len;
}

void cast_pieces_add(struct buf *pieces, const struct cast_piece *piece)
{
	struct head head = head_of(piece);
	buf_make_room(pieces, length_of(&head));
	char *begin = pieces->data + join(pieces, &head);
	memcpy(begin, &head, sizeof head);
	char *at = begin + sizeof head + head.len - piece->len;
	if (piece->len > 0)
		memcpy(at, piece->data, piece->len);
	at[piece->len] = '\0';
	const whole_len len = (whole_len)length_of(&head);
	memcpy(begin + len - sizeof len, &len, sizeof len);
	pieces->len = (size_t)(begin - pieces->data);
	buf_commit(pieces, len);
}

bool cast_pieces_next(const struct buf *pieces, size_t *offset, struct cast_piece *piece)
{
	struct head head;
	if (*offset == pieces->len)
		return false;
	const char *at = pieces->data + *offset;
	memcpy(&head, at, sizeof head);
	*piece = (struct cast_piece){
	    .kind = (enum cast_piece_kind)head.kind,
	    .stream = (enum remote_stream)head.stream,
	    .is_last = head.is_last,
	    .at = {head.at_ns},
	    .data = at + sizeof head,
	    .len = head.len,
	};
	*offset += length_of(&head);
	return true;
}
