/* The metrics registry: families in order of creation, each with a small open-addressed table of
 * series keyed by the joined label values. Single-threaded like everything else. */
#include "common/metrics.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define MAX_LABELS  8
#define MAX_SERIES  20000
#define MAX_BUCKETS 24
/* Separates label values in a key: cannot occur in UTF-8 text. */
#define KEY_SEPARATOR  '\xff'
#define OVERFLOW_VALUE "other"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct series {
	char *key;
	double value; /* histogram: the sum */
	uint64_t count;
	uint64_t *buckets; /* histogram: not cumulative */
};

struct metric {
	enum metric_kind kind;
	char *name, *help;
	char *labels[MAX_LABELS];
	size_t label_count;
	double buckets[MAX_BUCKETS];
	size_t bucket_count;
	struct series *series;
	size_t series_count, series_cap;
	size_t *slots; /* index + 1 into series; 0: free */
	size_t slot_count;
	size_t last; /* the series found last: mostly the one that is looked for next */
	struct buf key; /* of the series that is looked for, used again each time */
	struct metric *next;
};

struct metrics {
	struct metric *first, **last;
	struct {
		void (*fn)(void *arg);
		void *arg;
	} * collectors;
	size_t collector_count;
};

struct metrics *metrics_new(void)
{
	struct metrics *metrics = xcalloc(1, sizeof *metrics);
	metrics->last = &metrics->first;
	return metrics;
}

void metric_clear(struct metric *metric)
{
	for (size_t i = 0; i < metric->series_count; i++) {
		free(metric->series[i].key);
		free(metric->series[i].buckets);
	}
	metric->series_count = metric->last = 0;
	if (metric->slots != NULL)
		memset(metric->slots, 0, metric->slot_count * sizeof *metric->slots);
}

static void free_metric(struct metric *metric)
{
	metric_clear(metric);
	free(metric->series);
	free(metric->slots);
	buf_free(&metric->key);
	for (size_t i = 0; i < metric->label_count; i++)
		free(metric->labels[i]);
	free(metric->name);
	free(metric->help);
	free(metric);
}

void metrics_free(struct metrics **metrics)
{
	if (*metrics == NULL)
		return;
	struct metric *next;
	for (struct metric *metric = (*metrics)->first; metric != NULL; metric = next) {
		next = metric->next;
		free_metric(metric);
	}
	free((*metrics)->collectors);
	xfree(metrics);
}

static void split_labels(struct metric *metric, const char *label_names)
{
	while (*label_names != '\0') {
		size_t len = strcspn(label_names, " ");
		if (metric->label_count == MAX_LABELS)
			abort();
		metric->labels[metric->label_count++] = xstrndup(label_names, len);
		label_names += len + (label_names[len] == ' ');
	}
}

static struct metric *add_family(struct metrics *metrics, enum metric_kind kind, const char *name,
    const char *help, const char *label_names)
{
	struct metric *metric = xcalloc(1, sizeof *metric);
	metric->kind = kind;
	metric->name = xstrdup(name);
	metric->help = xstrdup(help);
	split_labels(metric, label_names);
	*metrics->last = metric;
	metrics->last = &metric->next;
	return metric;
}

struct metric *metrics_counter(
    struct metrics *metrics, const char *name, const char *help, const char *label_names)
{
	return add_family(metrics, METRIC_COUNTER, name, help, label_names);
}

struct metric *metrics_gauge(
    struct metrics *metrics, const char *name, const char *help, const char *label_names)
{
	return add_family(metrics, METRIC_GAUGE, name, help, label_names);
}

struct metric *metrics_histogram(struct metrics *metrics, const char *name, const char *help,
    const char *label_names, const double *buckets)
{
	struct metric *metric = add_family(metrics, METRIC_HISTOGRAM, name, help, label_names);
	while (buckets[metric->bucket_count] > 0) {
		if (metric->bucket_count == MAX_BUCKETS)
			abort();
		metric->buckets[metric->bucket_count] = buckets[metric->bucket_count];
		metric->bucket_count++;
	}
	return metric;
}

/* FNV-1a: keys come from our own code and from names that were validated. */
static uint64_t hash_key(const char *key)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (; *key != '\0'; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
	return hash;
}

static size_t *find_slot(const struct metric *metric, const char *key)
{
	size_t at = hash_key(key) & (metric->slot_count - 1);
	while (
	    metric->slots[at] != 0 && strcmp(metric->series[metric->slots[at] - 1].key, key) != 0)
		at = (at + 1) & (metric->slot_count - 1);
	return &metric->slots[at];
}

static void grow(struct metric *metric)
{
	metric->series_cap = metric->series_cap > 0 ? metric->series_cap * 2 : 4;
	metric->series = xreallocarray(metric->series, metric->series_cap, sizeof *metric->series);
	free(metric->slots);
	metric->slot_count = metric->series_cap * 2;
	metric->slots = xcalloc(metric->slot_count, sizeof *metric->slots);
	for (size_t i = 0; i < metric->series_count; i++)
		*find_slot(metric, metric->series[i].key) = i + 1;
}

static const char *join_values(struct metric *metric, va_list values)
{
	buf_clear(&metric->key);
	for (size_t i = 0; i < metric->label_count; i++) {
		const char *value = va_arg(values, const char *);
		if (i > 0)
			buf_append_char(&metric->key, KEY_SEPARATOR);
		buf_append_text(&metric->key, value != NULL ? value : "");
	}
	return buf_text(&metric->key);
}

static const char *overflow_key(struct metric *metric)
{
	buf_clear(&metric->key);
	for (size_t i = 0; i < metric->label_count; i++) {
		if (i > 0)
			buf_append_char(&metric->key, KEY_SEPARATOR);
		buf_append_text(&metric->key, OVERFLOW_VALUE);
	}
	return buf_text(&metric->key);
}

static struct series *add_series(struct metric *metric, const char *key)
{
	if (metric->series_count == metric->series_cap)
		grow(metric);
	struct series *series = &metric->series[metric->series_count++];
	*series = (struct series){.key = xstrdup(key)};
	if (metric->kind == METRIC_HISTOGRAM)
		series->buckets = xcalloc(metric->bucket_count + 1, sizeof *series->buckets);
	*find_slot(metric, key) = metric->series_count;
	return series;
}

/* Whether `key` is what join_values() makes of these. */
static bool is_key_of(const struct metric *metric, const char *key, va_list values)
{
	for (size_t i = 0; i < metric->label_count; i++) {
		const char *value = va_arg(values, const char *);
		if (i > 0 && *key++ != KEY_SEPARATOR)
			return false;
		size_t len = value != NULL ? strlen(value) : 0;
		if (len > 0 && strncmp(key, value, len) != 0)
			return false;
		key += len;
	}
	return *key == '\0';
}

static bool is_found_again(const struct metric *metric, va_list values)
{
	if (metric->last >= metric->series_count)
		return false;
	va_list again;
	va_copy(again, values);
	bool is_same = is_key_of(metric, metric->series[metric->last].key, again);
	va_end(again);
	return is_same;
}

static struct series *find_series(struct metric *metric, va_list values)
{
	if (metric->label_count == 0 && metric->series_count > 0)
		return &metric->series[0];
	if (is_found_again(metric, values))
		return &metric->series[metric->last];
	const char *key = join_values(metric, values);
	if (metric->series_cap == 0)
		return add_series(metric, key);
	size_t slot = *find_slot(metric, key);
	if (slot == 0 && metric->series_count >= MAX_SERIES) {
		key = overflow_key(metric);
		slot = *find_slot(metric, key);
	}
	if (slot == 0)
		return add_series(metric, key);
	metric->last = slot - 1;
	return &metric->series[slot - 1];
}

void metric_add(struct metric *metric, double amount, ...)
{
	va_list values;
	va_start(values, amount);
	find_series(metric, values)->value += amount;
	va_end(values);
}

void metric_set(struct metric *metric, double value, ...)
{
	va_list values;
	va_start(values, value);
	find_series(metric, values)->value = value;
	va_end(values);
}

void metric_observe(struct metric *metric, double value, ...)
{
	va_list values;
	va_start(values, value);
	struct series *series = find_series(metric, values);
	va_end(values);
	if (series->buckets == NULL)
		abort(); /* not a histogram: a defect */
	size_t bucket = 0;
	while (bucket < metric->bucket_count && value > metric->buckets[bucket])
		bucket++;
	series->buckets[bucket]++;
	series->count++;
	series->value += value;
}

void metrics_on_collect(struct metrics *metrics, void (*fn)(void *arg), void *arg)
{
	metrics->collectors = xreallocarray(
	    metrics->collectors, metrics->collector_count + 1, sizeof *metrics->collectors);
	metrics->collectors[metrics->collector_count].fn = fn;
	metrics->collectors[metrics->collector_count].arg = arg;
	metrics->collector_count++;
}

static void write_number(struct buf *out, double value)
{
	if (value == floor(value) && fabs(value) < 1e15)
		buf_printf(out, "%.0f", value);
	else
		buf_printf(out, "%.9g", value);
}

static void write_escaped(struct buf *out, const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '\\' || value[i] == '"')
			buf_printf(out, "\\%c", value[i]);
		else if (value[i] == '\n')
			buf_append_text(out, "\\n");
		else
			buf_append_char(out, value[i]);
	}
}

/* NAME{label="value",...,extra} with `extra` (such as le="0.1") when it is not NULL. */
static void write_name(struct buf *out, const struct metric *metric, const char *suffix,
    const char *key, const char *extra)
{
	buf_printf(out, "%s%s", metric->name, suffix);
	if (metric->label_count == 0 && extra == NULL) {
		buf_append_char(out, ' ');
		return;
	}
	buf_append_char(out, '{');
	for (size_t i = 0; i < metric->label_count; i++) {
		size_t len = strcspn(key, "\xff");
		buf_printf(out, "%s%s=\"", i > 0 ? "," : "", metric->labels[i]);
		write_escaped(out, key, len);
		buf_append_char(out, '"');
		key += len + (key[len] != '\0');
	}
	if (extra != NULL)
		buf_printf(out, "%s%s", metric->label_count > 0 ? "," : "", extra);
	buf_append_text(out, "} ");
}

static void write_value(struct buf *out, double value)
{
	write_number(out, value);
	buf_append_char(out, '\n');
}

static void write_histogram(
    struct buf *out, const struct metric *metric, const struct series *series)
{
	uint64_t sum = 0;
	for (size_t i = 0; i <= metric->bucket_count; i++) {
		char bound[40];
		sum += series->buckets[i];
		if (i < metric->bucket_count)
			snprintf(bound, sizeof bound, "le=\"%g\"", metric->buckets[i]);
		else
			snprintf(bound, sizeof bound, "le=\"+Inf\"");
		write_name(out, metric, "_bucket", series->key, bound);
		write_value(out, (double)sum);
	}
	write_name(out, metric, "_sum", series->key, NULL);
	write_value(out, series->value);
	write_name(out, metric, "_count", series->key, NULL);
	write_value(out, (double)series->count);
}

void metrics_write(struct metrics *metrics, struct buf *out)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	for (size_t i = 0; i < metrics->collector_count; i++)
		metrics->collectors[i].fn(metrics->collectors[i].arg);
	for (const struct metric *metric = metrics->first; metric != NULL; metric = metric->next) {
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
		    metric->name, kinds[metric->kind]);
		for (size_t i = 0; i < metric->series_count; i++) {
			const struct series *series = &metric->series[i];
			if (metric->kind == METRIC_HISTOGRAM) {
				write_histogram(out, metric, series);
				continue;
			}
			write_name(out, metric, "", series->key, NULL);
			write_value(out, series->value);
		}
	}
}
