/* What access_case.c has done by others, who does tasks, and what is said about a case. A part of
 * access, as access_case.h. */
#ifndef EKSGATE_ACCESS_STEPS_H
#define EKSGATE_ACCESS_STEPS_H

#include "discoveryd/access_case.h"

/* --- access_step.c, access_bootstrap.c, access_release.c */

void step_perform(struct access_case *one, const struct access_plan *plan);
void bootstrap_perform(struct access_case *one, const struct access_plan *plan);
/* Ends one that is under way at once: from here on only the deletion is left. */
void bootstrap_break_off(struct access_case *one);
/* The result of the case's task. */
void bootstrap_task_done(struct access_case *one, bool is_ok, const char *code, const char *text);
void step_task_done(struct access_case *one, bool is_ok, const char *code, const char *text);
/* Cleans the next row up. */
void release_go_on(struct access_case *one);
struct access_entry_facts step_entry_facts(
    const struct access_case *one, const struct eks_access_entry *entry) MUST_USE;

/* --- access_tasks.c */

/* Gives a task to the proxy `asked`; false: it does not take one now, or is gone. */
bool case_give_task(
    struct access_case *one, const char *kind, char *body, struct duration timeout) MUST_USE;
void case_drop_task(struct access_case *one);
/* A proxy that reaches the cluster and has not refused its task lately, or 0. */
uint64_t case_pick_proxy(const struct access_case *one) MUST_USE;
/* The same of those who have not looked and do so only when asked. */
uint64_t case_pick_unasked(const struct access_case *one) MUST_USE;
/* The proxy that was asked could not do it: another one next time. */
void case_note_refusal(struct access_case *one);
/* Whether the proxy looks only when a check asks it to, and has not. */
bool case_is_unasked(const struct access_report *report) MUST_USE;

/* --- access_show.c */

#define ACCESS_STAGES 5
/* "discovered" … "healthy". */
const char *show_stage_text(size_t stage);
/* How many clusters are how far. */
void show_count_stages(struct access *access, size_t counts[ACCESS_STAGES]);

/* --- access_words.c */

/* The reason of the latest plan as a sentence, and what to do about it (free(); NULL: nothing). */
char *words_reason(const struct access_case *one) MUST_USE;
char *words_remedy(const struct access_case *one) MUST_USE;
/* status.access (free()). */
char *words_status(const struct access_case *one) MUST_USE;

#endif
