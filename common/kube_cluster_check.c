/* The grammars of a kube_cluster's members. Pure; called by kube_cluster.c for every resource that
 * enters, from AWS, from the bus and from files. */
#include "common/kube_cluster_check.h"

#include <stdlib.h>
#include <string.h>

#include "common/kube_cluster.h"
#include "common/xmem.h"

#define WORD_MAX      64
#define TEXT_MAX      4096
#define HOST_MAX      253
#define LABEL_MAX     63
#define ARN_MAX	      2048
#define AUTHORITY_MAX 196608u

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define ALNUM  LOWER UPPER DIGITS

/* All of `text` is made of `set`, and it is 1 to `max` bytes long. */
static bool is_made_of(const char *text, const char *set, size_t max)
{
	size_t len = strspn(text, set);
	return len > 0 && len <= max && text[len] == '\0';
}

bool check_account_id(const char *text)
{
	return is_made_of(text, DIGITS, 12) && strlen(text) == 12;
}

bool check_region(const char *text)
{
	return is_made_of(text, LOWER DIGITS "-", 31) && text[0] != '-' &&
	       text[strlen(text) - 1] != '-';
}

bool check_eks_name(const char *text)
{
	return is_made_of(text, ALNUM "-_", 127) && text[0] != '-' && text[0] != '_';
}

bool check_eks_arn(const char *text)
{
	struct eks_arn parts;
	return eks_arn_parse(text, &parts);
}

/* arn:PARTITION:iam::ACCOUNT:role/[PATH/]NAME */
bool check_role_arn(const char *text)
{
	static const char service[] = ":iam::", resource[] = ":role/";
	if (strlen(text) > ARN_MAX || strncmp(text, "arn:aws", 7) != 0)
		return false;
	const char *at = text + 4 + strspn(text + 4, LOWER "-");
	if (strncmp(at, service, strlen(service)) != 0)
		return false;
	at += strlen(service);
	if (strspn(at, DIGITS) != 12 || strncmp(at + 12, resource, strlen(resource)) != 0)
		return false;
	return is_made_of(at + 12 + strlen(resource), ALNUM "+=,.@_/-", ARN_MAX) &&
	       text[strlen(text) - 1] != '/';
}

bool check_cluster_id(const char *text)
{
	return is_made_of(text, ALNUM "-_", 128);
}

/* --- endpoint --------------------------------------------------------------------------------- */

/* Dot-separated labels of letters, digits and inner dashes; addresses of IPv4 look so too. */
static bool is_host(const char *host, size_t len)
{
	size_t label = 0;
	if (len == 0 || len > HOST_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		bool is_end = i == len || host[i] == '.';
		if (is_end && (label == 0 || host[i - 1] == '-'))
			return false;
		if (is_end) {
			label = 0;
			continue;
		}
		if (strchr(ALNUM "-", host[i]) == NULL || (label == 0 && host[i] == '-') ||
		    ++label > LABEL_MAX)
			return false;
	}
	return true;
}

bool check_endpoint(const char *text)
{
	static const char scheme[] = "https://";
	if (strncmp(text, scheme, strlen(scheme)) != 0)
		return false;
	const char *host = text + strlen(scheme);
	size_t len = strcspn(host, ":");
	if (!is_host(host, len))
		return false;
	if (host[len] == '\0')
		return true;
	const char *port = host + len + 1;
	if (!is_made_of(port, DIGITS, 5) || port[0] == '0')
		return false;
	return strtol(port, NULL, 10) <= 65535;
}

/* --- certificate authority -------------------------------------------------------------------- */

/* By ranges, since every snapshot has a megabyte of these for each thousand clusters. */
static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Strict: groups of four, padding only at the end, no spaces. NULL when it is not base64 or holds a
 * NUL. */
static char *decode_base64(const char *text)
{
	size_t len = strlen(text), out = 0;
	if (len == 0 || len % 4 != 0)
		return NULL;
	size_t padding = text[len - 1] != '=' ? 0 : text[len - 2] != '=' ? 1 : 2;
	char *bytes = xcalloc(len / 4 * 3 + 1, 1);
	unsigned bits = 0;
	for (size_t i = 0; i < len; i++) {
		int digit = i >= len - padding ? 0 : base64_digit(text[i]);
		if (digit < 0) {
			free(bytes);
			return NULL;
		}
		bits = bits << 6 | (unsigned)digit;
		if (i % 4 != 3)
			continue;
		bytes[out++] = (char)(bits >> 16);
		bytes[out++] = (char)(bits >> 8);
		bytes[out++] = (char)bits;
		bits = 0;
	}
	bytes[out - padding] = '\0';
	if (strlen(bytes) != out - padding)
		xfree(&bytes);
	return bytes;
}

/* Moves over one certificate, whose first line starts at *at. */
static bool skip_certificate(const char **at)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	static const char end[] = "-----END CERTIFICATE-----";
	if (strncmp(*at, begin, strlen(begin)) != 0)
		return false;
	const char *body = *at + strlen(begin);
	size_t len = strspn(body, ALNUM "+/=\r\n");
	if (strcspn(body, ALNUM) >= len || strncmp(body + len, end, strlen(end)) != 0)
		return false;
	*at = body + len + strlen(end);
	return true;
}

bool check_certificate_authority(const char *text)
{
	if (strlen(text) > AUTHORITY_MAX)
		return false;
	char *pem = decode_base64(text);
	if (pem == NULL)
		return false;
	size_t count = 0;
	bool ok = true;
	const char *at = pem;
	while (ok && (at = strstr(at, "-----BEGIN")) != NULL) {
		ok = skip_certificate(&at);
		count++;
	}
	free(pem);
	return ok && count > 0;
}

/* --- words and texts -------------------------------------------------------------------------- */

bool check_word(const char *text)
{
	return is_made_of(text, ALNUM "-_", WORD_MAX);
}

bool check_text(const char *text)
{
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return len <= TEXT_MAX;
}
