/* `request-info METHOD TARGET`: what the API server will take a request to be, or why this proxy
 * refuses it. For those who write roles, and for the vectors. */
#include <json-c/json.h>
#include <stdio.h>

#include "kubeproxyd/cli.h"
#include "kubeproxyd/policy/request_info.h"

const struct verb cli_request_info_verb = {
    .name = "request-info",
    .operands = "METHOD TARGET",
    .least = 2,
    .most = 2,
    .help = "say what an API server takes a request to be (TARGET: /api/v1/pods?watch=true)",
};

static void add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static struct json_object *describe(const struct request_info *info)
{
	struct json_object *object = json_object_new_object();
	json_object_object_add(
	    object, "resource_request", json_object_new_boolean(info->is_resource));
	add_text(object, "verb", info->verb);
	if (!info->is_resource)
		return object;
	add_text(object, "api_group", info->api_group);
	add_text(object, "api_version", info->api_version);
	add_text(object, "resource", info->resource);
	add_text(object, "subresource", info->subresource);
	add_text(object, "namespace", info->namespace);
	add_text(object, "name", info->name);
	return object;
}

int cli_request_info(int argc, char **argv)
{
	char **operands;
	int exit_status;
	if (!cli_read(&cli_request_info_verb, argc, argv, NULL, &operands, &exit_status))
		return exit_status;
	struct request_info info = {0};
	struct json_object *object;
	unsigned status;
	const char *reason;
	bool is_accepted = request_info_parse(operands[0], operands[1], &info, &status, &reason);
	if (is_accepted) {
		object = describe(&info);
	} else {
		object = json_object_new_object();
		add_text(object, "refused", reason);
	}
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	request_info_free(&info);
	return is_accepted ? CLI_DONE : CLI_NO;
}
