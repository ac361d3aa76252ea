/* The table of kinds. Only what a decision needs: where a kind is not listed, nothing is assumed
 * about it. Called by those who read roles and by requests' matching. */
#include "kubeproxyd/policy/kinds.h"

#include <stddef.h>
#include <string.h>

static const struct kind kinds[] = {
    {"pods", "", "pod", "pod", false},
    {"secrets", "", "secret", "secret", false},
    {"configmaps", "", "configmap", "configmap", false},
    {"namespaces", "", "namespace", "namespace", true},
    {"services", "", "service", "service", false},
    {"serviceaccounts", "", "serviceaccount", "serviceaccount", false},
    {"nodes", "", "kube_node", "node", true},
    {"persistentvolumes", "", "persistentvolume", "persistentvolume", true},
    {"persistentvolumeclaims", "", "persistentvolumeclaim", "persistentvolumeclaim", false},
    {"events", "", NULL, "event", false},
    {"endpoints", "", NULL, "endpoints", false},
    {"limitranges", "", NULL, "limitrange", false},
    {"resourcequotas", "", NULL, "resourcequota", false},
    {"replicationcontrollers", "", NULL, "replicationcontroller", false},
    {"podtemplates", "", NULL, "podtemplate", false},
    {"bindings", "", NULL, "binding", false},
    {"componentstatuses", "", NULL, "componentstatus", true},
    {"deployments", "apps", "deployment", "deployment", false},
    {"replicasets", "apps", "replicaset", "replicaset", false},
    {"statefulsets", "apps", "statefulset", "statefulset", false},
    {"daemonsets", "apps", "daemonset", "daemonset", false},
    {"controllerrevisions", "apps", NULL, "controllerrevision", false},
    {"clusterroles", "rbac.authorization.k8s.io", "clusterrole", "clusterrole", true},
    {"roles", "rbac.authorization.k8s.io", "kube_role", "role", false},
    {"clusterrolebindings", "rbac.authorization.k8s.io", "clusterrolebinding", "clusterrolebinding",
	true},
    {"rolebindings", "rbac.authorization.k8s.io", "rolebinding", "rolebinding", false},
    {"cronjobs", "batch", "cronjob", "cronjob", false},
    {"jobs", "batch", "job", "job", false},
    {"certificatesigningrequests", "certificates.k8s.io", "certificatesigningrequest",
	"certificatesigningrequest", true},
    {"ingresses", "networking.k8s.io", "ingress", "ingress", false},
    {"ingressclasses", "networking.k8s.io", NULL, "ingressclass", true},
    {"networkpolicies", "networking.k8s.io", NULL, "networkpolicy", false},
    {"storageclasses", "storage.k8s.io", NULL, "storageclass", true},
    {"volumeattachments", "storage.k8s.io", NULL, "volumeattachment", true},
    {"csidrivers", "storage.k8s.io", NULL, "csidriver", true},
    {"csinodes", "storage.k8s.io", NULL, "csinode", true},
    {"customresourcedefinitions", "apiextensions.k8s.io", NULL, "customresourcedefinition", true},
    {"apiservices", "apiregistration.k8s.io", NULL, "apiservice", true},
    {"priorityclasses", "scheduling.k8s.io", NULL, "priorityclass", true},
    {"runtimeclasses", "node.k8s.io", NULL, "runtimeclass", true},
    {"mutatingwebhookconfigurations", "admissionregistration.k8s.io", NULL,
	"mutatingwebhookconfiguration", true},
    {"validatingwebhookconfigurations", "admissionregistration.k8s.io", NULL,
	"validatingwebhookconfiguration", true},
    {"horizontalpodautoscalers", "autoscaling", NULL, "horizontalpodautoscaler", false},
    {"poddisruptionbudgets", "policy", NULL, "poddisruptionbudget", false},
    {"leases", "coordination.k8s.io", NULL, "lease", false},
    {"endpointslices", "discovery.k8s.io", NULL, "endpointslice", false},
    {"events", "events.k8s.io", NULL, "event", false},
    {"selfsubjectaccessreviews", "authorization.k8s.io", NULL, "selfsubjectaccessreview", true},
    {"selfsubjectrulesreviews", "authorization.k8s.io", NULL, "selfsubjectrulesreview", true},
    {"subjectaccessreviews", "authorization.k8s.io", NULL, "subjectaccessreview", true},
    {"localsubjectaccessreviews", "authorization.k8s.io", NULL, "localsubjectaccessreview", false},
    {"selfsubjectreviews", "authentication.k8s.io", NULL, "selfsubjectreview", true},
    {"tokenreviews", "authentication.k8s.io", NULL, "tokenreview", true},
};
#define COUNT (sizeof kinds / sizeof kinds[0])

const char *const kind_old_names[] = {"*", "pod", "secret", "configmap", "namespace", "service",
    "serviceaccount", "kube_node", "persistentvolume", "persistentvolumeclaim", "deployment",
    "replicaset", "statefulset", "daemonset", "clusterrole", "kube_role", "clusterrolebinding",
    "rolebinding", "cronjob", "job", "certificatesigningrequest", "ingress", NULL};

const struct kind *kind_find(const char *group, const char *resource)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(kinds[i].resource, resource) == 0 && strcmp(kinds[i].group, group) == 0)
			return &kinds[i];
	}
	return NULL;
}

const struct kind *kind_find_resource(const char *resource)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(kinds[i].resource, resource) == 0)
			return &kinds[i];
	}
	return NULL;
}

const struct kind *kind_find_old(const char *old_name)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (kinds[i].old_name != NULL && strcmp(kinds[i].old_name, old_name) == 0)
			return &kinds[i];
	}
	return NULL;
}

const struct kind *kind_find_singular(const char *singular)
{
	for (size_t i = 0; i < COUNT; i++) {
		if (strcmp(kinds[i].singular, singular) == 0)
			return &kinds[i];
	}
	return NULL;
}
