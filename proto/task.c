/* The bodies of tasks, by table like those of messages. Pure; discoveryd encodes, kubeproxyd
 * decodes. */
#include "proto/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/shape.h"

static const struct shape_field check_fields[] = {
    SHAPE_NUMBER(task_check, created_ms, 0, JSON_TEXT_INT_MAX),
    SHAPE_NUMBER(task_check, timeout_ms, 1, TASK_TIMEOUT_MS_MAX),
    SHAPE_FLAG(task_check, is_waiting, "wait", OPTIONAL),
};
static const struct shape check_shape = {
    check_fields, SHAPE_COUNT(check_fields), sizeof(struct task_check)};

static const struct shape_field apply_rbac_fields[] = {
    SHAPE_NUMBER(task_apply_rbac, created_ms, 0, JSON_TEXT_INT_MAX),
    SHAPE_NUMBER(task_apply_rbac, timeout_ms, 1, TASK_TIMEOUT_MS_MAX),
    SHAPE_TEXT(task_apply_rbac, token, TASK_TOKEN_MAX, REQUIRED),
    SHAPE_TEXT(task_apply_rbac, cluster_role, MESSAGE_NAME_MAX, REQUIRED),
    SHAPE_TEXT(task_apply_rbac, group, MESSAGE_NAME_MAX, REQUIRED),
};
static const struct shape apply_rbac_shape = {
    apply_rbac_fields, SHAPE_COUNT(apply_rbac_fields), sizeof(struct task_apply_rbac)};

static char *encode(const struct shape *shape, const void *task)
{
	struct json_writer writer = {.is_secret = true};
	shape_write(&writer, shape, task);
	return writer.data;
}

static bool decode(
    const struct shape *shape, const char *text, void *task, char error[MESSAGE_ERROR_TEXT])
{
	struct json_reader reader = {.text = text, .len = strlen(text)};
	memset(task, 0, shape->size);
	shape_read(&reader, shape, task);
	if (json_read_end(&reader))
		return true;
	snprintf(error, MESSAGE_ERROR_TEXT, "%s", reader.error);
	return false;
}

char *task_check_encode(const struct task_check *task)
{
	return encode(&check_shape, task);
}

char *task_apply_rbac_encode(const struct task_apply_rbac *task)
{
	return encode(&apply_rbac_shape, task);
}

bool task_check_decode(const char *text, struct task_check *task, char error[MESSAGE_ERROR_TEXT])
{
	return decode(&check_shape, text, task, error);
}

bool task_apply_rbac_decode(
    const char *text, struct task_apply_rbac *task, char error[MESSAGE_ERROR_TEXT])
{
	if (decode(&apply_rbac_shape, text, task, error))
		return true;
	task_apply_rbac_free(task);
	return false;
}

void task_apply_rbac_free(struct task_apply_rbac *task)
{
	if (task->token != NULL)
		explicit_bzero(task->token, strlen(task->token));
	shape_free(&apply_rbac_shape, task);
}
