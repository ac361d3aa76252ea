/* The same few facts in seven spellings. Documents are built and rendered; shell and HCL are
 * written by hand, every value quoted as they want it. Called by `kubeproxyd rbac`; pure. */
#include "kubeproxyd/probe/rbac_text.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/render.h"
#include "common/xmem.h"
#include "kubeproxyd/probe/rights.h"

static const struct {
	const char *name;
	enum rbac_format format;
} formats[] = {
    {"steps", RBAC_STEPS},
    {"manifests", RBAC_MANIFESTS},
    {"aws-auth", RBAC_AWS_AUTH},
    {"eksctl", RBAC_EKSCTL},
    {"terraform", RBAC_TERRAFORM},
    {"cloudformation", RBAC_CLOUDFORMATION},
    {"awscli", RBAC_AWSCLI},
};

bool rbac_format_parse(const char *name, enum rbac_format *format)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strcmp(name, formats[i].name) != 0)
			continue;
		*format = formats[i].format;
		return true;
	}
	return false;
}

static void add_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, json_object_new_string(text));
}

static struct json_object *add_object(struct json_object *object, const char *key)
{
	struct json_object *member = json_object_new_object();
	json_object_object_add(object, key, member);
	return member;
}

static void add_list(struct json_object *object, const char *key, const char *text)
{
	struct json_object *list = json_object_new_array();
	json_object_array_add(list, json_object_new_string(text));
	json_object_object_add(object, key, list);
}

/* Renders and frees. */
static void write_yaml(struct buf *out, struct json_object *document)
{
	render_document(out, document, RENDER_YAML);
	json_object_put(document);
}

static void write_manifests(struct buf *out, const struct rbac_case *what)
{
	write_yaml(out, rights_cluster_role(what->rights, what->cluster_role));
	buf_append_text(out, "---\n");
	write_yaml(out, rights_cluster_role_binding(what->cluster_role, what->group));
}

/* --- aws-auth -------------------------------------------------------------------------------- */

/* aws-auth knows roles without their path: "role/team/x" stands there as "role/x". */
static char *without_path(const char *arn)
{
	const char *kind = strstr(arn, ":role/"), *last = strrchr(arn, '/');
	if (kind == NULL)
		return xstrdup(arn);
	return xasprintf("%.*s:role/%s", (int)(kind - arn), arn, last + 1);
}

/* One entry for mapRoles or mapUsers of ConfigMap kube-system/aws-auth, whose values are texts. */
static void write_aws_auth(struct buf *out, const struct rbac_case *what)
{
	bool is_user = strstr(what->principal, ":user/") != NULL;
	char *arn = without_path(what->principal);
	struct json_object *list = json_object_new_array(), *entry = json_object_new_object();
	add_text(entry, is_user ? "userarn" : "rolearn", arn);
	add_text(entry, "username", "eksgate");
	add_list(entry, "groups", what->group);
	json_object_array_add(list, entry);
	buf_printf(out,
	    "# One more entry of data.%s in ConfigMap aws-auth, namespace kube-system\n"
	    "# (kubectl -n kube-system edit configmap aws-auth):\n",
	    is_user ? "mapUsers" : "mapRoles");
	write_yaml(out, list);
	free(arn);
}

/* --- access entries -------------------------------------------------------------------------- */

static void write_eksctl(struct buf *out, const struct rbac_case *what)
{
	struct json_object *config = json_object_new_object(), *list = json_object_new_array();
	add_text(config, "apiVersion", "eksctl.io/v1alpha5");
	add_text(config, "kind", "ClusterConfig");
	struct json_object *metadata = add_object(config, "metadata");
	add_text(metadata, "name", what->cluster);
	add_text(metadata, "region", what->region);
	struct json_object *access = add_object(config, "accessConfig");
	struct json_object *entry = json_object_new_object();
	add_text(entry, "principalARN", what->principal);
	add_text(entry, "type", "STANDARD");
	add_list(entry, "kubernetesGroups", what->group);
	json_object_array_add(list, entry);
	json_object_object_add(access, "accessEntries", list);
	buf_append_text(out, "# eksctl create accessentry --config-file FILE\n");
	write_yaml(out, config);
}

static void write_cloudformation(struct buf *out, const struct rbac_case *what)
{
	struct json_object *template = json_object_new_object();
	add_text(template, "AWSTemplateFormatVersion", "2010-09-09");
	add_text(template, "Description", "Lets eksgate's proxy into an EKS cluster");
	struct json_object *resources = add_object(template, "Resources");
	struct json_object *entry = add_object(resources, "EksgateAccessEntry");
	add_text(entry, "Type", "AWS::EKS::AccessEntry");
	struct json_object *properties = add_object(entry, "Properties");
	add_text(properties, "ClusterName", what->cluster);
	add_text(properties, "PrincipalArn", what->principal);
	add_text(properties, "Type", "STANDARD");
	add_list(properties, "KubernetesGroups", what->group);
	write_yaml(out, template);
}

/* In single quotes for a shell. */
static void write_word(struct buf *out, const char *word)
{
	buf_append_char(out, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			buf_append_text(out, "'\\''");
		else
			buf_append_char(out, *word);
	}
	buf_append_char(out, '\'');
}

static void write_option(struct buf *out, const char *option, const char *value)
{
	buf_printf(out, " \\\n    %s ", option);
	write_word(out, value);
}

static void write_awscli(struct buf *out, const struct rbac_case *what)
{
	buf_append_text(out, "aws eks create-access-entry");
	write_option(out, "--region", what->region);
	write_option(out, "--cluster-name", what->cluster);
	write_option(out, "--principal-arn", what->principal);
	write_option(out, "--type", "STANDARD");
	write_option(out, "--kubernetes-groups", what->group);
	buf_append_char(out, '\n');
}

/* --- Terraform ------------------------------------------------------------------------------- */

/* A string of HCL: quoted, with its templates taken literally. */
static void write_hcl(struct buf *out, const char *text)
{
	buf_append_char(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_append_char(out, '\\');
		else if ((*text == '$' || *text == '%') && text[1] == '{')
			buf_append_char(out, *text);
		buf_append_char(out, *text);
	}
	buf_append_char(out, '"');
}

static void write_hcl_member(struct buf *out, const char *indent, const char *key, const char *text)
{
	buf_printf(out, "%s%s = ", indent, key);
	write_hcl(out, text);
	buf_append_char(out, '\n');
}

static void write_hcl_list(struct buf *out, const char *key, struct json_object *list)
{
	if (list == NULL)
		return;
	buf_printf(out, "    %s = [", key);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		buf_append_text(out, i > 0 ? ", " : "");
		write_hcl(out, json_object_get_string(json_object_array_get_idx(list, i)));
	}
	buf_append_text(out, "]\n");
}

static void write_hcl_role(struct buf *out, const struct rbac_case *what)
{
	struct json_object *role = rights_cluster_role(what->rights, what->cluster_role);
	struct json_object *rules = json_object_object_get(role, "rules");
	buf_append_text(
	    out, "resource \"kubernetes_cluster_role_v1\" \"eksgate\" {\n  metadata {\n");
	write_hcl_member(out, "    ", "name", what->cluster_role);
	buf_append_text(out, "  }\n");
	for (size_t i = 0; i < json_object_array_length(rules); i++) {
		struct json_object *rule = json_object_array_get_idx(rules, i);
		buf_append_text(out, "  rule {\n");
		write_hcl_list(out, "api_groups", json_object_object_get(rule, "apiGroups"));
		write_hcl_list(out, "resources", json_object_object_get(rule, "resources"));
		write_hcl_list(
		    out, "resource_names", json_object_object_get(rule, "resourceNames"));
		write_hcl_list(out, "verbs", json_object_object_get(rule, "verbs"));
		buf_append_text(out, "  }\n");
	}
	buf_append_text(out, "}\n\n");
	json_object_put(role);
}

static void write_terraform(struct buf *out, const struct rbac_case *what)
{
	buf_append_text(out, "resource \"aws_eks_access_entry\" \"eksgate\" {\n");
	write_hcl_member(out, "  ", "cluster_name", what->cluster);
	write_hcl_member(out, "  ", "principal_arn", what->principal);
	write_hcl_member(out, "  ", "type", "STANDARD");
	buf_append_text(out, "  kubernetes_groups = [");
	write_hcl(out, what->group);
	buf_append_text(out, "]\n}\n\n");
	write_hcl_role(out, what);
	buf_append_text(out, "resource \"kubernetes_cluster_role_binding_v1\" \"eksgate\" {\n"
			     "  metadata {\n");
	write_hcl_member(out, "    ", "name", what->cluster_role);
	buf_append_text(out, "  }\n  role_ref {\n"
			     "    api_group = \"rbac.authorization.k8s.io\"\n"
			     "    kind = \"ClusterRole\"\n"
			     "    name = kubernetes_cluster_role_v1.eksgate.metadata[0].name\n"
			     "  }\n  subject {\n"
			     "    api_group = \"rbac.authorization.k8s.io\"\n"
			     "    kind = \"Group\"\n");
	write_hcl_member(out, "    ", "name", what->group);
	buf_append_text(out, "  }\n}\n");
}

/* --- all of it ------------------------------------------------------------------------------- */

static void write_steps(struct buf *out, const struct rbac_case *what)
{
	buf_printf(out,
	    "# Lets the proxy into EKS cluster %s (%s). Run as somebody who may, with "
	    "kubectl on that cluster.\n\n",
	    what->cluster, what->region);
	if (what->is_config_map) {
		buf_append_text(out, "# 1. The cluster takes no access entries (authentication "
				     "mode CONFIG_MAP).\n");
		write_aws_auth(out, what);
	} else {
		buf_append_text(out, "# 1. The access entry.\n");
		write_awscli(out, what);
	}
	buf_append_text(out, "\n# 2. What its group may do.\nkubectl apply -f - <<'END'\n");
	write_manifests(out, what);
	buf_append_text(out, "END\n");
}

void rbac_write(struct buf *out, enum rbac_format format, const struct rbac_case *what)
{
	switch (format) {
	case RBAC_STEPS:
		write_steps(out, what);
		break;
	case RBAC_MANIFESTS:
		write_manifests(out, what);
		break;
	case RBAC_AWS_AUTH:
		write_aws_auth(out, what);
		break;
	case RBAC_EKSCTL:
		write_eksctl(out, what);
		break;
	case RBAC_TERRAFORM:
		write_terraform(out, what);
		break;
	case RBAC_CLOUDFORMATION:
		write_cloudformation(out, what);
		break;
	case RBAC_AWSCLI:
		write_awscli(out, what);
		break;
	}
}
