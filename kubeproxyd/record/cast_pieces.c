/* Each piece is a head of a fixed size, then its bytes. Called by recording.c, which adds, and
 * recording_task.c, which reads in a thread. */
#include "kubeproxyd/record/cast_pieces.h"

struct head {
	int64_t at_ns;
	uint32_t len;
	uint8_t kind, stream, is_last;
	uint8_t has_nul; /* behind its bytes: a reason is read as a C string */
};

void cast_pieces_add(struct buf *pieces, const struct cast_piece *piece)
{
	struct head head = {
	    .at_ns = piece->at.ns,
	    .len = (uint32_t)piece->len,
	    .kind = (uint8_t)piece->kind,
	    .stream = (uint8_t)piece->stream,
	    .is_last = piece->is_last,
	    .has_nul = piece->kind != CAST_STREAM,
	};
	char *at = buf_reserve(pieces, sizeof head + piece->len + head.has_nul);
	memcpy(at, &head, sizeof head);
	if (piece->len > 0)
		memcpy(at + sizeof head, piece->data, piece->len);
	at[sizeof head + piece->len] = '\0';
	buf_commit(pieces, sizeof head + piece->len + head.has_nul);
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
	*offset += sizeof head + head.len + head.has_nul;
	return true;
}
