/* The frame of HTTP/2 (RFC 9113, 4 and 6) as bytes. Pure. */
#ifndef EKSGATE_H2_FRAME_H
#define EKSGATE_H2_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_FRAME_HEADER 9u
#define H2_FRAME_FLAGS	4u /* where they are in it */
/* What every peer takes (6.5.2). */
#define H2_FRAME_PAYLOAD_MAX 16384u
#define H2_WINDOW_MAX	     INT64_C(0x7fffffff)
#define H2_WINDOW_DEFAULT    65535
#define H2_STREAM_ID_MAX     0x7fffffffu

enum h2_frame_type {
	H2_DATA = 0,
	H2_HEADERS = 1,
	H2_PRIORITY = 2,
	H2_RST_STREAM = 3,
	H2_SETTINGS = 4,
	H2_PUSH_PROMISE = 5,
	H2_PING = 6,
	H2_GOAWAY = 7,
	H2_WINDOW_UPDATE = 8,
	H2_CONTINUATION = 9,
};

enum h2_flag {
	H2_END_STREAM = 0x1, /* DATA, HEADERS */
	H2_ACK = 0x1, /* SETTINGS, PING */
	H2_END_HEADERS = 0x4,
	H2_PADDED = 0x8,
	H2_HAS_PRIORITY = 0x20,
};

enum h2_setting {
	H2_HEADER_TABLE_SIZE = 1,
	H2_ENABLE_PUSH = 2,
	H2_MAX_CONCURRENT_STREAMS = 3,
	H2_INITIAL_WINDOW_SIZE = 4,
	H2_MAX_FRAME_SIZE = 5,
	H2_MAX_HEADER_LIST_SIZE = 6,
	H2_ENABLE_CONNECT_PROTOCOL = 8,
};

/* 7. */
enum h2_code {
	H2_NO_ERROR = 0,
	H2_PROTOCOL_ERROR = 1,
	H2_INTERNAL_ERROR = 2,
	H2_FLOW_CONTROL_ERROR = 3,
	H2_SETTINGS_TIMEOUT = 4,
	H2_STREAM_CLOSED = 5,
	H2_FRAME_SIZE_ERROR = 6,
	H2_REFUSED_STREAM = 7,
	H2_CANCEL = 8,
	H2_COMPRESSION_ERROR = 9,
	H2_CONNECT_ERROR = 10,
	H2_ENHANCE_YOUR_CALM = 11,
	H2_INADEQUATE_SECURITY = 12,
	H2_HTTP_1_1_REQUIRED = 13,
};

struct h2_frame {
	uint32_t len, id; /* of the payload, without the header; of the stream, 0: the connection */
	uint8_t type, flags;
};

static inline uint32_t h2_read_u32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void h2_write_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

static inline struct h2_frame h2_frame_read(const uint8_t header[H2_FRAME_HEADER])
{
	return (struct h2_frame){
	    .len = (uint32_t)header[0] << 16 | (uint32_t)header[1] << 8 | header[2],
	    .type = header[3],
	    .flags = header[4],
	    .id = h2_read_u32(header + 5) & H2_STREAM_ID_MAX,
	};
}

static inline void h2_frame_write(uint8_t header[H2_FRAME_HEADER], const struct h2_frame *frame)
{
	header[0] = (uint8_t)(frame->len >> 16);
	header[1] = (uint8_t)(frame->len >> 8);
	header[2] = (uint8_t)frame->len;
	header[3] = frame->type;
	header[4] = frame->flags;
	h2_write_u32(header + 5, frame->id);
}

/* "PROTOCOL_ERROR"; "unknown error" for what has no name. */
const char *h2_code_name(uint32_t code);

#endif
