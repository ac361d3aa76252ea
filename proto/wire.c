/* Reads and writes the integers of a message header. Knows no message: which field stands where is
 * message.c's. */
#include "proto/wire.h"

#include <string.h>

static bool take(struct wire_reader *reader, size_t len)
{
	if (reader->is_bad || len > reader->len - reader->at) {
		reader->is_bad = true;
		return false;
	}
	reader->at += len;
	return true;
}

static uint64_t read_integer(struct wire_reader *reader, size_t len)
{
	uint64_t value = 0;
	if (!take(reader, len))
		return 0;
	for (size_t i = reader->at - len; i < reader->at; i++)
		value = value << 8 | reader->data[i];
	return value;
}

uint8_t wire_read_u8(struct wire_reader *reader)
{
	return (uint8_t)read_integer(reader, 1);
}

uint32_t wire_read_u32(struct wire_reader *reader)
{
	return (uint32_t)read_integer(reader, 4);
}

uint64_t wire_read_u64(struct wire_reader *reader)
{
	return read_integer(reader, 8);
}

void wire_read_bytes(struct wire_reader *reader, void *to, size_t len)
{
	if (take(reader, len))
		memcpy(to, reader->data + reader->at - len, len);
	else
		memset(to, 0, len);
}

bool wire_read_end(const struct wire_reader *reader)
{
	return !reader->is_bad && reader->at == reader->len;
}

void wire_write_bytes(struct wire_writer *writer, const void *data, size_t len)
{
	if (writer->is_bad || len > writer->cap - writer->len) {
		writer->is_bad = true;
		return;
	}
	if (len > 0)
		memcpy(writer->data + writer->len, data, len);
	writer->len += len;
}

static void write_integer(struct wire_writer *writer, uint64_t value, size_t len)
{
	uint8_t bytes[8];
	for (size_t i = len; i-- > 0; value >>= 8)
		bytes[i] = (uint8_t)value;
	wire_write_bytes(writer, bytes, len);
}

void wire_write_u8(struct wire_writer *writer, uint8_t value)
{
	write_integer(writer, value, 1);
}

void wire_write_u32(struct wire_writer *writer, uint32_t value)
{
	write_integer(writer, value, 4);
}

void wire_write_u64(struct wire_writer *writer, uint64_t value)
{
	write_integer(writer, value, 8);
}

bool wire_write_end(const struct wire_writer *writer)
{
	return !writer->is_bad && writer->len == writer->cap;
}
